// The latent units of the larger model, each with a slider, those with the largest KL first.

const ACTIVE = 0.1; // nats: a unit with less is not used

class Units {
  constructor(decoder, kl, codes) {
    Object.assign(this, { decoder, kl, codes });
    this.paint = onNextFrame(() => this.show());
    const order = kl.map((_, unit) => unit).sort((a, b) => kl[b] - kl[a]);
    const most = kl[order[0]];
    this.sliders = [];
    for (const unit of order) this.sliders[unit] = this.addUnit(unit, most);
    byId("units-sliders").style.setProperty("--rows", Math.ceil(kl.length / 2));
    const labels = Object.keys(codes);
    this.mark = digitButtons(byId("units-start"), labels, (label) => this.take(label));
    byId("units-random").addEventListener("click", () => this.set(this.kl.map(standardNormal)));
    byId("units-zero").addEventListener("click", () => this.set(this.kl.map(() => 0)));
    const active = kl.filter((value) => value > ACTIVE).length;
    view.onLanguage(() => {
      byId("units-title").textContent = view.text("units", kl.length);
      document.querySelector("[data-text=unitsHelp]").textContent = view.text("unitsHelp", kl.length, active);
      const words = view.text("walkZ20", kl.length);
      document.querySelector("figcaption[data-text=walkZ20]").textContent = words;
      byId("walk-z20").setAttribute("aria-label", words);
      this.sliders.forEach(({ input }, unit) => {
        input.setAttribute("aria-label", view.text("unit", unit + 1, fixed(kl[unit])));
      });
    });
    this.take(labels[0]);
  }

  addUnit(unit, most) {
    const row = document.createElement("label");
    row.className = this.kl[unit] > ACTIVE ? "unit" : "unit off";
    const name = document.createElement("span");
    name.textContent = `z${unit + 1}`;
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.title = `KL ${fixed(this.kl[unit])} nats`;
    bar.append(document.createElement("div"));
    bar.firstChild.style.width = `${(100 * this.kl[unit]) / most}%`;
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: -3, max: 3, step: 0.01, value: 0 });
    input.addEventListener("input", () => {
      this.z[unit] = Number(input.value);
      this.mark(null);
      this.paint();
    });
    const output = document.createElement("span");
    output.className = "numbers";
    row.append(name, bar, input, output);
    byId("units-sliders").append(row);
    return { input, output };
  }

  take(label) {
    this.set(this.codes[label]);
    this.mark(label);
  }

  set(z) {
    this.z = Array.from(z);
    this.mark(null);
    this.sliders.forEach(({ input }, unit) => (input.value = this.z[unit]));
    this.paint();
  }

  show() {
    this.sliders.forEach(({ input, output }, unit) => {
      output.textContent = fixed(this.z[unit]);
      input.setAttribute("aria-valuetext", fixed(this.z[unit]));
    });
    paintDigit(byId("units-image"), this.decoder.decode(this.z));
  }
}
