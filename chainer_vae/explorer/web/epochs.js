// The latent space after each saved epoch.

const EPOCH_LIMIT = 5; // the visible range is -5 to 5
const EPOCH_DURATION = 900; // milliseconds per epoch when played

class Epochs {
  // `entry`: {epochs: [{epoch, map}], log: [[train, test], ...], limit}.  `means`: the latent means of
  // the test images, epoch after epoch.
  constructor(entry, means, labels) {
    Object.assign(this, { entry, means, labels });
    this.n = means.length / entry.epochs.length / 2;
    this.slider = byId("epoch");
    this.slider.max = entry.epochs.length - 1;
    this.slider.value = this.slider.max;
    this.slider.addEventListener("input", () => {
      this.play(false);
      this.show();
    });
    this.button = byId("epoch-play");
    this.button.addEventListener("click", () => this.play(!this.playing));
    this.playing = false;
    classes.onIsolate(() => this.show());
    view.onLanguage(() => {
      document.querySelector("[data-text=epochsHelp]").textContent = view.text("epochsHelp", this.n.toLocaleString("en"));
      byId("epochs-twin").textContent = entry.twin ? view.text("epochsTwin") : "";
      this.play(this.playing);
      this.show();
    });
    view.onTheme(() => this.show());
    const sized = new ResizeObserver(onNextFrame(() => this.show()));
    sized.observe(byId("epoch-means"));
    sized.observe(byId("learning-curve"));
  }

  play(playing) {
    const begins = playing && !this.playing;
    this.playing = playing;
    this.button.textContent = view.text(playing ? "pause" : "play");
    if (!playing) clearInterval(this.timer);
    if (!begins) return;
    const last = Number(this.slider.max);
    if (Number(this.slider.value) === last) this.slider.value = 0;
    this.show();
    this.timer = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.show();
      if (Number(this.slider.value) === last) this.play(false);
    }, EPOCH_DURATION);
  }

  // Show the model of an epoch. Returns whether it was saved.
  showEpoch(epoch) {
    const index = this.entry.epochs.findIndex((saved) => saved.epoch === epoch);
    if (index < 0) return false;
    this.slider.value = index;
    this.show();
    return true;
  }

  get epoch() {
    return this.entry.epochs[Number(this.slider.value)].epoch;
  }

  show() {
    const index = Number(this.slider.value);
    const { epoch, map } = this.entry.epochs[index];
    const losses = epoch > 0 ? this.entry.log[epoch - 1] : null;
    const text = view.text("epoch", epoch, losses && losses[1].toFixed(1));
    byId("epoch-value").textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    byId("epoch-map").src = map;
    byId("epoch-map").alt = view.text("epochMap", epoch);
    byId("epoch-means").setAttribute("aria-label", view.text("epochMeans", epoch));
    const ends = [0, 1].map((j) => [this.entry.log[0][j], this.entry.log[this.entry.log.length - 1][j]].map((loss) => fixed(loss, 1)));
    byId("learning-curve").setAttribute("aria-label", view.text("learningCurve", this.entry.log.length, ...ends));
    this.drawMeans(index);
    this.drawLearningCurve(epoch);
  }

  drawMeans(index) {
    const { context, width: side } = clearCanvas(byId("epoch-means"));
    const x = (z) => ((z + EPOCH_LIMIT) / (2 * EPOCH_LIMIT)) * side;
    const y = (z) => side - x(z);
    Object.assign(context, { font: "12px system-ui, sans-serif", fillStyle: view.color("muted"), strokeStyle: view.color("grid") });
    for (const tick of [-4, -2, 0, 2, 4]) {
      context.strokeRect(x(tick), -1, 0, side + 2);
      context.strokeRect(-1, y(tick), side + 2, 0);
      context.textAlign = "center";
      context.fillText(fixed(tick, 0), x(tick), side - 6);
      context.textAlign = "left";
      if (y(tick) < side - 28) context.fillText(fixed(tick, 0), 4, y(tick) + 4); // not on top of the other axis's
    }
    context.globalAlpha = 0.7;
    const radius = side < 250 ? 1.8 : 3;
    for (let i = 0; i < this.n; i++) {
      const at = 2 * (index * this.n + i);
      if (!classes.shows(this.labels[i])) continue;
      context.fillStyle = classes.color(this.labels[i]);
      context.beginPath();
      context.arc(x(this.means[at]), y(this.means[at + 1]), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    // The range of the map on the right.
    const { limit } = this.entry;
    Object.assign(context, { strokeStyle: view.color("muted"), lineWidth: 2 });
    context.strokeRect(x(-limit), y(limit), x(limit) - x(-limit), y(-limit) - y(limit));
  }

  drawLearningCurve(epoch) {
    const { context, width, height } = clearCanvas(byId("learning-curve"));
    const { log } = this.entry;
    const [least, most] = d3.extent(log.flat());
    context.font = "13px system-ui, sans-serif";
    const losses = d3.ticks(least, most, 4);
    const widest = Math.max(...losses.map((tick) => context.measureText(tick).width));
    const margin = { left: widest + 14, right: 14, top: 34, bottom: 26 };
    const inner = width - margin.left - margin.right;
    // A single epoch is in the middle.
    const x = (n) => margin.left + (log.length > 1 ? (n - 1) / (log.length - 1) : 0.5) * inner;
    const y = (loss) => margin.top + ((most - loss) / (most - least || 1)) * (height - margin.top - margin.bottom);
    Object.assign(context, { fillStyle: view.color("ink"), strokeStyle: view.color("grid") });
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const tick of losses) {
      context.fillText(tick, margin.left - 6, y(tick));
      context.strokeRect(margin.left, y(tick), inner, 0);
    }
    context.textAlign = "center";
    const count = Math.max(2, Math.floor(width / 90));
    const epochs = log.length > 1 ? d3.ticks(1, log.length, count).filter(Number.isInteger) : [1];
    for (const tick of epochs) context.fillText(tick, x(tick), height - 12);
    context.textAlign = "left";
    context.fillText(view.text("lossAxis"), 6, 14);
    let right = width - margin.right;
    context.textAlign = "right";
    ["loss", "train"].forEach((color, j) => {
      const word = view.text(j ? "train" : "test");
      Object.assign(context, { fillStyle: view.color(color), strokeStyle: view.color(color), lineWidth: 2 });
      context.fillText(word, right, 14);
      right -= context.measureText(word).width + 12;
      context.beginPath();
      log.forEach((pairOfLosses, i) => context.lineTo(x(i + 1), y(pairOfLosses[1 - j])));
      context.stroke();
    });
    if (epoch === 0) return;
    Object.assign(context, { strokeStyle: view.color("ink"), lineWidth: 1 });
    context.strokeRect(x(epoch), margin.top, 0, height - margin.top - margin.bottom);
    ["train", "loss"].forEach((color, j) => {
      context.fillStyle = view.color(color);
      context.beginPath();
      context.arc(x(epoch), y(log[epoch - 1][j]), 4, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
  }
}
