// Sets up the page.

const FIRST_LABEL = 2, FIRST_NUMBER = 0; // the test image that the page opens with

function chooseTab(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
}

// Returns functions: `chosen()` is the name of the open tab, `choose(name)` opens one and returns whether there is such a tab.
function setUpTabs(plane, leave) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const nameOf = (tab) => tab.id.slice("tab-".length);
  const choose = (tab) => {
    leave();
    chooseTab(nameOf(tab));
    plane.showCross = byId("panel-draw").hidden; // there, it would cover the ellipses
    plane.paintOver();
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  chooseTab("decode");
  return {
    chosen: () => nameOf(tabs.find((tab) => tab.tabIndex === 0)),
    choose(name) {
      const tab = tabs.find((other) => nameOf(other) === name);
      if (tab) choose(tab);
      return Boolean(tab);
    },
  };
}

// `neighbours` returns what shows the test images, once there is one.
function setUpDecoding(plane, neighbours) {
  const show = () => {
    paintDigit(byId("decoded"), plane.image);
    byId("decoded-z").textContent = `z = ${pair(plane.z)}`;
    plane.near = plane.side ? plane.nearest(plane.z) : null;
    byId("decoded").setAttribute("aria-label", plane.describe());
    const { label, distance } = plane.near ?? {};
    const around = plane.classesAround(plane.z).map(([c, n]) => [classes.name(c), n]);
    byId("nearest").textContent = plane.near
      ? view.text("nearest", around, classes.name(label), fixed(distance), classes.isolated !== null) : " ";
    neighbours()?.show();
  };
  plane.moved = show;
  plane.marks.push((context) => {
    if (byId("panel-decode").hidden || !plane.near) return;
    const { latents, lnVar } = plane.points;
    const at = 2 * plane.near.index;
    const sigma = [0, 1].map((j) => Math.exp(lnVar[at + j] / 2));
    plane.drawEllipses(context, latents.subarray(at, at + 2), sigma);
  });
  byId("random-z").addEventListener("click", () => plane.pin([standardNormal(), standardNormal()]));
  view.onLanguage(show);
}

// Returns a function that shows the points, the map, or both.
function setUpTools(plane) {
  const [points, map] = [byId("show-points"), byId("show-map")];
  const apply = () => {
    Object.assign(plane, { showPoints: points.checked, showMap: map.checked });
    plane.paintBase();
  };
  for (const box of [points, map]) box.addEventListener("change", apply);
  byId("zoom-in").addEventListener("click", () => plane.zoomBy(1.5));
  byId("zoom-out").addEventListener("click", () => plane.zoomBy(1 / 1.5));
  byId("zoom-reset").addEventListener("click", () => plane.reset());
  return (withPoints, withMap) => {
    [points.checked, map.checked] = [withPoints, withMap];
    apply();
  };
}

// Where the image x is in the plane.
function setUpFlag(plane, subject) {
  plane.marks.push((context) => {
    if (!subject.image || !byId("panel-interpolate").hidden) return;
    plane.drawFlag(context, subject.image, subject.posterior);
  });
  byId("zoom-to-x").addEventListener("click", () => plane.zoomTo(subject.posterior));
  subject.onChange(() => {
    byId("zoom-to-x").disabled = !subject.image;
  });
}

async function main() {
  const content = JSON.parse(byId("content").textContent);
  const read = await openBlob(byId("blob").textContent);
  const { z2, z20, ae2, epochs } = content;
  const decoder = new Decoder(z2.decoder, read);
  const encoder = new Encoder(z2.encoder, read);
  const points = { latents: read(z2.mu), lnVar: read(z2.lnVar), labels: read(z2.labels) };
  const bounds = { low: z2.low, high: z2.high };
  setShape(z2.shape);
  classes.set(z2.names);
  setUpLegend(byId("legend"));
  document.querySelector("main").hidden = false;

  const plane = new Plane(byId("plane"), bounds, points, decoder, () => {});
  const layers = setUpTools(plane);
  let neighbours = null;
  setUpDecoding(plane, () => neighbours);
  const examples = {
    images: read(z2.examples), labels: read(z2.exampleLabels), numbers: read(z2.exampleNumbers),
  };
  const subject = new Subject(encoder, examples);
  setUpFlag(plane, subject);
  neighbours = new Neighbours(plane, subject, read(z2.images), z2.levels);
  const flow = new Flow(subject, plane, decoder, z2.losses);
  const drawing = new Drawing([byId("pad"), byId("flow-pad")], subject, plane, decoder);
  byId("flow-clear").addEventListener("click", () => drawing.clear());

  const means2 = {};
  points.labels.forEach((label, i) => (means2[label] ??= Array.from(points.latents.subarray(2 * i, 2 * i + 2))));
  let decoder20 = null, means20 = null;
  if (z20) {
    decoder20 = new Decoder(z20.decoder, read);
    const all = read(z20.mu);
    const n = z20.kl.length;
    means20 = Object.fromEntries(z20.labels.map((label, i) => [label, Array.from(all.subarray(n * i, n * (i + 1)))]));
    new Dimensions(decoder20, z20.kl, means20);
  }
  byId("dimensions-section").hidden = !z20;
  const interpolation = new Interpolation(plane, decoder, means2, decoder20, means20);
  const tabs = setUpTabs(plane, () => interpolation.play(false));
  subject.take(subject.labels[Math.min(FIRST_LABEL, subject.labels.length - 1)], FIRST_NUMBER);

  byId("comparison-section").hidden = !ae2;
  let plain = null;
  const planes = [plane];
  if (ae2) {
    plain = {
      bounds: { low: ae2.low, high: ae2.high },
      points: { latents: read(ae2.latents), labels: points.labels },
      decoder: new Decoder(ae2.decoder, read),
    };
    planes.push(...setUpComparison(plain, { bounds, points, decoder }));
  }
  byId("show-circles").addEventListener("change", (event) => {
    for (const each of planes) {
      each.showCircles = event.target.checked;
      each.paintBase();
    }
  });
  byId("epochs-section").hidden = !epochs;
  for (const entry of epochs?.epochs ?? []) entry.map = pictureUrl(read(entry.map));
  const saved = epochs && new Epochs(epochs, read(epochs.means), points.labels);

  view.onLanguage(() => {
    const runs = Object.entries({ z2, z20, ae2 }).filter(([, model]) => model);
    byId("made-from").textContent = view.text(
      "madeFrom", content.version, runs.map(([, { run, tolerance }]) => view.text("run", run, tolerance)).join(view.text("separator")));
    byId("sources").textContent = [z2.mnist && view.text("mnist"), view.text("sources")].filter(Boolean).join(" ");
    plane.paintOver();
  });
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.addEventListener("click", () => {
      view.setLanguage(button.dataset.lang);
      kept.set("lang", view.lang);
    });
  }
  view.setUpTheme(byId("theme"));
  const tour = new Tour({ flow, tabs, interpolation, layers, labels: subject.labels });
  const place = new Place({ plane, subject, neighbours, tabs, interpolation, epochs: saved, tour });
  setUpSpeech(planes);
  // For the browser's console and the tests.
  window.explorer = {
    decode: (z) => decoder.decode(z),
    decode20: decoder20 && ((z) => decoder20.decode(z)),
    decodePlain: plain && ((z) => plain.decoder.decode(z)),
    encode: (image) => encoder.encode(image),
    normalize: normalizeDrawing,
    plane,
    subject,
    flow,
    drawing,
    neighbours,
    planes,
    classes,
    tabs,
    interpolation,
    epochs: saved,
    place,
    tour,
  };
}

// The language that a link asks for (explorer.html#ja), that was chosen last, or the browser's.
const asked = [location.hash.slice(1), kept.get("lang")].find((lang) => Object.hasOwn(TEXT, lang));
view.setLanguage(asked ?? (navigator.language.startsWith("ja") ? "ja" : "en"));
main().catch((error) => {
  byId("error").hidden = false;
  byId("error").textContent = view.text("error", error.message);
  throw error;
});
