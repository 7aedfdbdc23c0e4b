// The place that the page shows, in its address, so that it can be sent to others:
// #tab=interpolate&a=0&b=7&lang=ja. What an address has that is no place is ignored.

const WRITTEN_AFTER = 400; // milliseconds of rest: browsers allow only a few changes a second
const SECTIONS = {
  flow: "flow", stage: "stage-section", dimensions: "dimensions-section", comparison: "comparison-section",
  epochs: "epochs-section",
};

// The number that a text is, or null.
function numberIn(text) {
  return /^-?\d{1,9}(\.\d{1,9})?$/.test(text ?? "") ? Number(text) : null;
}

class Place {
  // `tabs`: {chosen, choose}. `epochs` is null if the page has none.
  constructor({ plane, subject, neighbours, tabs, interpolation, epochs, tour }) {
    Object.assign(this, { plane, subject, neighbours, tabs, interpolation, epochs, tour });
    this.section = null; // that was used last
    this.read();
    window.addEventListener("hashchange", () => this.read());
    for (const type of ["click", "input", "change", "keyup", "pointerup"]) {
      document.addEventListener(type, (event) => this.used(event.target));
    }
  }

  // Show the place that the address names.
  read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const number = (name) => numberIn(asked.get(name));
    if (Object.hasOwn(TEXT, asked.get("lang"))) view.setLanguage(asked.get("lang"));
    const image = number("image");
    if (!this.subject.takeNumber(image)) this.neighbours.takeNumber(image);
    const tab = this.tabs.choose(asked.get("tab"));
    ["a", "b"].forEach((name, end) => this.interpolation.chooseNamed(end, asked.get(name)));
    if (number("t") !== null) this.interpolation.moveTo(number("t"));
    const z = [number("x"), number("y")];
    if (!z.includes(null)) this.plane.pin(z);
    const epoch = this.epochs?.showEpoch(number("epoch"));
    const section = asked.get("section") ?? (tab ? "stage" : epoch ? "epochs" : null);
    const element = Object.hasOwn(SECTIONS, section) ? byId(SECTIONS[section]) : null;
    if (element && !element.hidden) {
      this.section = section;
      element.scrollIntoView();
    }
    this.tour.open(number("tour"));
  }

  // Somebody has used a part of the page.
  used(element) {
    const section = element.closest?.("main > section");
    const name = Object.keys(SECTIONS).find((key) => SECTIONS[key] === section?.id);
    this.section = name ?? this.section;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), WRITTEN_AFTER);
  }

  write() {
    const place = new URLSearchParams();
    const { section, tabs, interpolation, plane, subject, epochs, tour } = this;
    if (tour.step) place.set("tour", tour.step);
    else if (section === "stage") {
      place.set("tab", tabs.chosen());
      if (tabs.chosen() === "interpolate") {
        ["a", "b"].forEach((name, end) => place.set(name, interpolation.nameOf(end)));
        place.set("t", interpolation.t);
      } else ["x", "y"].forEach((name, j) => place.set(name, plane.pinned[j].toFixed(3)));
    } else if (section) place.set("section", section);
    if (place.get("section") === "epochs") place.set("epoch", epochs.epoch);
    if (subject.number !== null) place.set("image", subject.number);
    place.set("lang", view.lang);
    try {
      history.replaceState(null, "", `#${place}`);
    } catch {
      // Too often, or in a frame that has no address: the page works without.
    }
  }
}
