// The model on the screen: an image x on its way through encoder, mu and sigma, noise, z and decoder to x',
// and both terms of the loss.

const NOISE_EVERY = 400; // milliseconds
const PRIOR_REACH = 3.2; // standard deviations of N(0, 1) that are drawn
const LONG = 4; // characters: a longer name has no room in the small plane
const PIXEL_COST = 2.5; // nats: a pixel that costs as much has the error map's full colour
// The line of chainer_vae/model.py for each part.
const CHAINER = {
  x: ["loss = model.get_loss_func(C=1.0, k=1)(x)"],
  encoder: ["h1 = self.act_func(self.le1(x))", "h2 = self.act_func(self.le2(h1))"],
  posterior: ["mu = self.le3_mu(h2)", "ln_var = self.le3_ln_var(h2)"],
  noise: ["z = F.gaussian(mu, ln_var)"],
  z: ["z = F.gaussian(mu, ln_var)"],
  decoder: ["h2 = self.act_func(self.ld2(h1))", "h3 = self.ld3(h2)"],
  output: ["F.sigmoid(h3)"],
  rec: ["F.bernoulli_nll(x, h3, reduce)"],
  kl: ["gaussian_kl_divergence(mu, ln_var)"],
  loss: ["self.loss = self.rec_loss + self.latent_loss"],
  gradient: ["loss.backward()"],
};
// A wire between two parts: the way there, the gradient's way back, and where that stops. Where a wire is
// longer, more of the lines to the left is visible.
const WIRE = `<svg viewBox="0 0 28 40" preserveAspectRatio="xMaxYMid">
  <path class="forth" d="M-200 12H25M19 6l6 6-6 6" />
  <path class="back" d="M26 29H-200M9 23l-6 6 6 6" />
  <path class="stop" d="M8 22l13 14M21 22L8 36" />
</svg>`;

class Flow {
  // `losses`: of the test images, {n, rec, kl, klOfDimension}; a mean and a standard deviation each.
  constructor(subject, plane, decoder, losses) {
    Object.assign(this, { subject, plane, decoder, losses });
    this.section = byId("flow");
    this.playing = !reducedMotion();
    this.onScreen = false;
    this.eps = [standardNormal(), standardNormal()];
    this.background = document.createElement("canvas");
    this.background.width = 0;
    const { latents, lnVar } = plane.points;
    this.limit = Math.max(PRIOR_REACH, Math.ceil(10 * d3.max(latents, Math.abs)) / 10);
    this.lens = 4 * Math.exp(d3.quantile(lnVar, 0.95) / 2); // half of the width that is magnified
    for (const wire of document.querySelectorAll(".wire")) wire.innerHTML = WIRE;
    this.mark = digitButtons(byId("flow-examples"), subject.labels, (label) => subject.take(label));
    this.gauges = this.addGauges();
    this.setUpCode();
    this.setUpGradient();
    byId("flow-play").addEventListener("click", () => this.play(!this.playing));
    byId("flow-noise").addEventListener("click", () => this.draw());
    const pad = byId("flow-pad");
    pad.addEventListener("pointerdown", () => pad.classList.add("drawing"));
    for (const type of ["pointerup", "pointercancel"]) {
      pad.addEventListener(type, () => pad.classList.remove("drawing"));
    }
    new IntersectionObserver((entries) => {
      this.onScreen = entries[entries.length - 1].isIntersecting;
      this.run();
    }).observe(this.section);
    document.addEventListener("visibilitychange", () => this.run());
    new ResizeObserver(onNextFrame(() => this.show())).observe(this.section);
    subject.onChange(() => {
      this.show();
      this.run();
    });
    const repaint = () => {
      this.background.width = 0; // is painted again
      this.show();
    };
    view.onTheme(repaint);
    classes.onIsolate(repaint);
    view.onLanguage(() => {
      this.describeReference();
      this.play(this.playing);
      this.show();
    });
  }

  play(playing) {
    this.playing = playing;
    byId("flow-play").textContent = view.text(playing ? "pause" : "play");
    this.run();
  }

  // Draw noise a few times a second: when playing, with an image, and on a screen that somebody sees.
  run() {
    const running = this.playing && this.onScreen && !document.hidden && this.subject.image !== null;
    if (running === (this.timer !== undefined)) return;
    this.section.classList.toggle("running", running);
    clearInterval(this.timer);
    this.timer = running ? setInterval(() => this.draw(), NOISE_EVERY) : undefined;
  }

  // Draw new noise.
  draw() {
    this.eps = this.eps.map(standardNormal);
    this.showSample();
  }

  show() {
    const { image, label, posterior } = this.subject;
    this.mark(label);
    paintDigit(byId("flow-x"), image ?? BLANK);
    byId("flow-x").setAttribute("aria-label", this.subject.describe());
    byId("flow-mu").textContent = `μ = ${posterior ? pair(posterior.mu) : "–"}`;
    byId("flow-sigma").textContent = `σ = ${posterior ? pair(posterior.sigma, 3) : "–"}`;
    byId("flow-place").setAttribute("aria-label", posterior ? view.text("placeOfX", pair(posterior.mu)) : view.text("noInput"));
    [1, 2].forEach((dimension, j) => {
      const numbers = posterior && [fixed(posterior.mu[j]), fixed(posterior.sigma[j], 3)];
      byId(`flow-bell-${dimension}`).setAttribute(
        "aria-label", posterior ? view.text("bellOf", dimension, ...numbers) : view.text("noInput"));
    });
    this.showSample();
  }

  // What changes with the noise.
  showSample() {
    const { image, posterior } = this.subject;
    this.z = posterior && posterior.mu.map((m, j) => m + posterior.sigma[j] * this.eps[j]);
    this.output = this.z && this.decoder.decode(this.z);
    paintDigit(byId("flow-output"), this.output ?? BLANK);
    byId("flow-output").setAttribute("aria-label", this.z ? view.text("outputLabel", pair(this.z)) : view.text("noInput"));
    byId("flow-noise-picture").setAttribute("aria-label", view.text("noiseLabel", pair(this.eps)));
    byId("flow-eps").textContent = `ε = ${pair(this.eps)}`;
    byId("flow-z").textContent = `z = ${this.z ? pair(this.z) : "–"}`;
    [0, 1].forEach((j) => this.drawBell(j));
    this.drawNoise();
    this.drawPlace();
    this.showLosses(image, posterior);
  }

  showLosses(image, posterior) {
    const costs = image ? bernoulliLosses(image, this.output) : BLANK;
    paintCosts(byId("flow-error"), costs);
    const rec = d3.sum(costs);
    const kl = posterior ? klPerDimension(posterior.mu, posterior.lnVar) : [0, 0];
    const total = d3.sum(kl);
    const nats = (number) => (image ? view.text("nats", fixed(number, 1)) : "–");
    byId("flow-rec").textContent = nats(rec);
    byId("flow-kl").textContent = nats(total);
    byId("flow-loss").textContent = nats(rec + total);
    const { stack, ...gauges } = this.gauges;
    stack.set([rec, total]);
    gauges.rec.set([rec]);
    kl.forEach((value, j) => {
      gauges.kl[j].set([value]);
      byId(`flow-kl-${j + 1}`).textContent = nats(value);
    });
  }

  addGauges() {
    const { rec, kl, klOfDimension } = this.losses;
    const most = (...pairs) => d3.sum(pairs, ([mean, deviation]) => mean + 4 * deviation);
    const mostOfKl = Math.max(...klOfDimension.map((found) => most(found)));
    return {
      stack: new Gauge(byId("flow-stack"), most(rec, kl), ["decoder", "latent"]),
      rec: new Gauge(byId("flow-rec-gauge"), most(rec, kl), ["decoder"], rec), // as long as in the loss
      kl: klOfDimension.map((found, j) => new Gauge(byId(`flow-kl-gauge-${j + 1}`), mostOfKl, ["latent"], found)),
    };
  }

  describeReference() {
    const { n, rec, kl } = this.losses;
    const numbers = [rec, kl].map((found) => found.map((number) => fixed(number, 1)));
    byId("flow-reference").textContent = view.text("reference", n.toLocaleString("en"), ...numbers);
  }

  // The line of Chainer of the part that the mouse or the focus is on.
  setUpCode() {
    const show = (part) => {
      this.part = part;
      for (const other of document.querySelectorAll("[data-part]")) {
        other.classList.toggle("shown", other.dataset.part === part);
      }
      const code = byId("flow-code");
      code.classList.toggle("shown", Boolean(part));
      code.replaceChildren(view.text(part ? "inChainer" : "codeHint"));
      CHAINER[part]?.forEach((line) => {
        const element = document.createElement("code");
        element.textContent = line;
        code.append(" ", element);
      });
    };
    for (const part of document.querySelectorAll("[data-part]")) {
      for (const type of ["mouseenter", "focusin", "click"]) {
        part.addEventListener(type, () => show(part.dataset.part));
      }
    }
    view.onLanguage(() => show(this.part));
  }

  // Backpropagation's way: with the reparameterization trick, or without.
  setUpGradient() {
    byId("flow-back").addEventListener("change", (event) => this.gradient(event.target.checked ? "trick" : null));
    for (const name of ["trick", "draw"]) byId(`gradient-${name}`).addEventListener("click", () => this.gradient(name));
    view.onLanguage(() => this.gradient(this.way ?? null));
  }

  // Show its way: "trick", "draw", or null for none.
  gradient(way) {
    this.way = way;
    this.section.dataset.gradient = way ?? "off";
    byId("flow-back").checked = way !== null;
    byId("gradient").hidden = way === null;
    for (const name of ["trick", "draw"]) byId(`gradient-${name}`).setAttribute("aria-pressed", name === way);
    byId("gradient-text").textContent = view.text(way === "draw" ? "withoutTrick" : "withTrick");
    byId("flow-formula").textContent = way === "draw" ? "z ~ N(μ, σ²)" : "z = μ + σε";
  }

  // A latent dimension: above, where the bell of q(z|x) is on that of the prior; below, magnified, with z.
  drawBell(j) {
    const { context, width, height } = clearCanvas(byId(`flow-bell-${j + 1}`));
    const base = Math.round(0.38 * height);
    const x = (z) => ((z + this.limit) / (2 * this.limit)) * width;
    fillBell(context, x, 0, 1, base, base - 4, view.color("track"));
    context.font = "italic 13px Georgia, serif";
    Object.assign(context, { fillStyle: view.color("muted"), textBaseline: "top" });
    context.fillText(`z${"₁₂"[j]}`, 2, 2);
    const { posterior } = this.subject;
    if (!posterior) return;
    const [mu, sigma] = [posterior.mu[j], posterior.sigma[j]];
    context.fillStyle = view.color("latent");
    context.fillRect(x(mu) - 1.5, 2, 3, base - 2);
    // The lens, and what it magnifies.
    const top = base + 10;
    Object.assign(context, { strokeStyle: view.color("line"), lineWidth: 1 });
    context.beginPath();
    context.moveTo(x(mu - this.lens), base);
    context.lineTo(0.5, top);
    context.lineTo(0.5, height - 0.5);
    context.lineTo(width - 0.5, height - 0.5);
    context.lineTo(width - 0.5, top);
    context.lineTo(x(mu + this.lens), base);
    context.stroke();
    const magnified = (z) => ((z - mu) / this.lens + 1) * (width / 2);
    const floor = height - 6, tall = floor - top - 4;
    fillBell(context, magnified, mu, sigma, floor, tall, view.color("latent-pale"));
    Object.assign(context, { strokeStyle: view.color("latent"), lineWidth: 1.5, fillStyle: view.color("latent") });
    context.beginPath();
    context.moveTo(width / 2, floor);
    context.lineTo(width / 2, floor - tall);
    const side = floor - tall * Math.exp(-0.5);
    context.moveTo(width / 2, side);
    context.lineTo(magnified(mu + sigma), side);
    context.stroke();
    context.font = "italic 14px Georgia, serif";
    context.textBaseline = "middle";
    context.fillText("σ", magnified(mu + sigma) + 5, side);
    context.fillText("μ", width / 2 - 14, floor - 0.35 * tall);
    dot(context, Math.min(Math.max(magnified(this.z[j]), 5), width - 5), floor, "z");
  }

  drawNoise() {
    const { context, width, height } = clearCanvas(byId("flow-noise-picture"));
    const x = (eps) => ((eps + PRIOR_REACH) / (2 * PRIOR_REACH)) * width;
    const floor = height - 9;
    fillBell(context, x, 0, 1, floor, floor - 4, view.color("track"));
    this.eps.forEach((eps) => dot(context, Math.min(Math.max(x(eps), 5), width - 5), floor, "noise"));
  }

  // The latent plane in small: painted once for each size.
  paintBackground({ width: across, height: down }, width) {
    if (this.background.width === across || across === 0) return;
    Object.assign(this.background, { width: across, height: down });
    const context = this.background.getContext("2d");
    context.scale(across / width, across / width);
    const { latents, labels } = this.plane.points;
    for (let i = 0; i < labels.length; i++) {
      if (!classes.shows(labels[i])) continue;
      context.fillStyle = classes.color(labels[i]);
      const [x, y] = this.toPlace([latents[2 * i], latents[2 * i + 1]], width);
      context.fillRect(x - 0.75, y - 0.75, 1.5, 1.5);
    }
    Object.assign(context, { font: "bold 13px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    Object.assign(context, { lineWidth: 3, lineJoin: "round", strokeStyle: view.color("halo"), fillStyle: view.color("mark") });
    const { names } = this.plane;
    const places = spreadNames(context, names, names.map(({ z }) => this.toPlace(z, width)), 14);
    names.forEach(({ label, name }, i) => {
      if (!classes.isNamed(label) || name.length > LONG) return;
      context.strokeText(name, ...places[i]);
      context.fillText(name, ...places[i]);
    });
  }

  toPlace([z1, z2], side) {
    const part = (z) => (z + this.limit) / (2 * this.limit);
    return [part(z1) * side, (1 - part(z2)) * side];
  }

  drawPlace() {
    const { context, width, height } = clearCanvas(byId("flow-place"));
    this.paintBackground(context.canvas, width);
    if (this.background.width) context.drawImage(this.background, 0, 0, width, height);
    if (!this.z) return;
    const [x, y] = this.toPlace(this.z, width);
    for (const [lineWidth, color] of [[6, "halo"], [3, "flag"]]) {
      Object.assign(context, { lineWidth, strokeStyle: view.color(color) });
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.stroke();
    }
    dot(context, x, y, "z");
  }
}

// A bar in parts, one after another, with the mean and the spread of the test images behind it.
class Gauge {
  constructor(parent, most, colors, reference) {
    this.most = most;
    this.parts = colors.map((color) => {
      const part = document.createElement("div");
      part.className = "fill";
      part.style.background = `var(--${color})`;
      parent.append(part);
      return part;
    });
    if (!reference) return;
    const [mean, deviation] = reference;
    for (const [name, from, to] of [["spread", mean - deviation, mean + deviation], ["mean", mean, mean]]) {
      const element = document.createElement("div");
      element.className = name;
      element.style.left = `${(100 * Math.max(from, 0)) / most}%`;
      element.style.width = `${(100 * (to - Math.max(from, 0))) / most}%`;
      parent.append(element);
    }
  }

  set(values) {
    let left = 0;
    this.parts.forEach((part, i) => {
      part.style.left = `${left}%`;
      const width = Math.min((100 * values[i]) / this.most, 100 - left);
      part.style.width = `${width}%`;
      left += width;
    });
  }
}

// The bell of N(mu, sigma^2) on the axis `x`, from `floor` upwards, `tall` pixels.
function fillBell(context, x, mu, sigma, floor, tall, color) {
  context.fillStyle = color;
  context.beginPath();
  for (let u = -PRIOR_REACH; u <= PRIOR_REACH; u += 0.1) {
    context.lineTo(x(mu + u * sigma), floor - tall * Math.exp((-u * u) / 2));
  }
  context.fill();
}

function dot(context, x, y, color) {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  Object.assign(context, { fillStyle: view.color(color), strokeStyle: view.color("halo"), lineWidth: 1.5 });
  context.fill();
  context.stroke();
}

// What each pixel costs, the more the stronger its colour.
function paintCosts(canvas, costs) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(shape.width, shape.height);
  const { r, g, b } = d3.rgb(view.color("decoder"));
  for (let i = 0; i < costs.length; i++) {
    pixels.data.set([r, g, b, Math.min(255, (255 * costs[i]) / PIXEL_COST)], 4 * i);
  }
  context.putImageData(pixels, 0, 0);
}
