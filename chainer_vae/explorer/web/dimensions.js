// A slider for each latent dimension of the larger model, sorted by KL, largest first.

const USED = 0.1; // nats: a dimension with a smaller KL is unused

class Dimensions {
  // `means`: the latent mean of each digit's first test image, by label.
  constructor(decoder, kl, means) {
    Object.assign(this, { decoder, kl, means });
    this.paint = onNextFrame(() => this.show());
    const order = kl.map((_, dimension) => dimension).sort((a, b) => kl[b] - kl[a]);
    const most = kl[order[0]];
    this.sliders = [];
    for (const dimension of order) this.sliders[dimension] = this.addSlider(dimension, most);
    byId("dimensions-sliders").style.setProperty("--rows", Math.ceil(kl.length / 2));
    const labels = Object.keys(means);
    this.mark = digitButtons(byId("dimensions-start"), labels, (label) => this.take(label));
    byId("dimensions-random").addEventListener("click", () => this.set(this.kl.map(standardNormal)));
    byId("dimensions-zero").addEventListener("click", () => this.set(this.kl.map(() => 0)));
    const used = kl.filter((value) => value > USED).length;
    view.onLanguage(() => {
      byId("dimensions-title").textContent = view.text("dimensions", kl.length);
      document.querySelector("[data-text=dimensionsHelp]").textContent = view.text("dimensionsHelp", kl.length, used);
      const caption = view.text("interpolationZ20", kl.length);
      document.querySelector("figcaption[data-text=interpolationZ20]").textContent = caption;
      byId("dimensions-image").setAttribute("aria-label", view.text("dimensionsImage", kl.length));
      this.sliders.forEach(({ input }, dimension) => {
        input.setAttribute("aria-label", view.text("dimension", dimension + 1, fixed(kl[dimension])));
      });
    });
    this.take(labels[0]);
  }

  addSlider(dimension, most) {
    const row = document.createElement("label");
    row.className = this.kl[dimension] > USED ? "dimension" : "dimension off";
    const name = document.createElement("span");
    name.textContent = `z${dimension + 1}`;
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.title = `KL ${fixed(this.kl[dimension])} nats`;
    bar.append(document.createElement("div"));
    bar.firstChild.style.width = `${(100 * this.kl[dimension]) / most}%`;
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: -3, max: 3, step: 0.01, value: 0 });
    input.addEventListener("input", () => {
      this.z[dimension] = Number(input.value);
      this.mark(null);
      this.paint();
    });
    const output = document.createElement("span");
    output.className = "numbers";
    row.append(name, bar, input, output);
    byId("dimensions-sliders").append(row);
    return { input, output };
  }

  take(label) {
    this.set(this.means[label]);
    this.mark(label);
  }

  set(z) {
    this.z = Array.from(z);
    this.mark(null);
    this.sliders.forEach(({ input }, dimension) => (input.value = this.z[dimension]));
    this.paint();
  }

  show() {
    this.sliders.forEach(({ input, output }, dimension) => {
      output.textContent = fixed(this.z[dimension]);
      input.setAttribute("aria-valuetext", fixed(this.z[dimension]));
    });
    paintDigit(byId("dimensions-image"), this.decoder.decode(this.z));
  }
}
