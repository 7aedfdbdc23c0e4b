// Sets up the page.

function chooseTab(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function setUpTabs(plane, leave) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    leave();
    chooseTab(tab.id.slice("tab-".length));
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
}

function setUpDecoding(plane, decoder) {
  const show = () => {
    paintDigit(byId("decoded"), decoder.decode(plane.z));
    byId("decoded-z").textContent = `z = ${pair(plane.z)}`;
    plane.near = plane.side ? plane.nearest(plane.z) : null;
    const { label, distance } = plane.near ?? {};
    byId("nearest").textContent = plane.near ? view.text("nearest", label, fixed(distance)) : " ";
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

function setUpTools(plane) {
  for (const [id, layer] of [["show-points", "showPoints"], ["show-map", "showMap"]]) {
    byId(id).addEventListener("change", (event) => {
      plane[layer] = event.target.checked;
      plane.paintBase();
    });
  }
  byId("zoom-in").addEventListener("click", () => plane.zoomBy(1.5));
  byId("zoom-out").addEventListener("click", () => plane.zoomBy(1 / 1.5));
  byId("zoom-reset").addEventListener("click", () => plane.reset());
}

async function main() {
  const content = JSON.parse(byId("content").textContent);
  const read = await openBlob(byId("blob").textContent);
  const { z2, z20, ae2, epochs } = content;
  const decoder = new Decoder(z2.decoder, read);
  const encoder = new Encoder(z2.encoder, read);
  const points = { latents: read(z2.mu), lnVar: read(z2.lnVar), labels: read(z2.labels) };
  const bounds = { low: z2.low, high: z2.high };
  document.querySelector("main").hidden = false;

  const plane = new Plane(byId("plane"), bounds, points, decoder, () => {});
  setUpTools(plane);
  setUpDecoding(plane, decoder);
  const examples = { images: read(z2.examples), labels: read(z2.exampleLabels) };
  const drawing = new Drawing(plane, encoder, decoder, examples);

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
  setUpTabs(plane, () => interpolation.play(false));

  byId("comparison-section").hidden = !ae2;
  let plain = null;
  if (ae2) {
    plain = {
      bounds: { low: ae2.low, high: ae2.high },
      points: { latents: read(ae2.latents), labels: points.labels },
      decoder: new Decoder(ae2.decoder, read),
    };
    setUpComparison(plain, { bounds, points, decoder });
  }
  byId("epochs-section").hidden = !epochs;
  if (epochs) new Epochs(epochs, read(epochs.means), points.labels);

  view.onLanguage(() => {
    const runs = Object.entries({ z2, z20, ae2 }).filter(([, model]) => model);
    byId("made-from").textContent = view.text(
      "madeFrom", content.version, runs.map(([, { run, tolerance }]) => view.text("run", run, tolerance)).join(view.text("separator")));
    plane.paintOver();
  });
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.addEventListener("click", () => view.setLanguage(button.dataset.lang));
  }
  // For the browser's console and the tests.
  window.explorer = {
    decode: (z) => decoder.decode(z),
    decode20: decoder20 && ((z) => decoder20.decode(z)),
    decodePlain: plain && ((z) => plain.decoder.decode(z)),
    encode: (image) => encoder.encode(image),
    normalize: normalizeDrawing,
    plane,
    drawing,
  };
}

// A link may ask for a language: explorer.html#ja.
const asked = Object.keys(TEXT).find((lang) => location.hash === `#${lang}`);
view.setLanguage(asked ?? (navigator.language.startsWith("ja") ? "ja" : "en"));
main().catch((error) => {
  byId("error").hidden = false;
  byId("error").textContent = view.text("error", error.message);
  throw error;
});
