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
    view.onLanguage(() => {
      this.play(this.playing);
      this.show();
    });
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

  show() {
    const index = Number(this.slider.value);
    const { epoch, map } = this.entry.epochs[index];
    const losses = epoch > 0 ? this.entry.log[epoch - 1] : null;
    const text = view.text("epoch", epoch, losses && losses[1].toFixed(1));
    byId("epoch-value").textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    byId("epoch-map").src = map;
    byId("epoch-map").alt = view.text("epochMap");
    this.drawMeans(index);
    this.drawLearningCurve(epoch);
  }

  drawMeans(index) {
    const { context, width: side } = clearCanvas(byId("epoch-means"));
    const x = (z) => ((z + EPOCH_LIMIT) / (2 * EPOCH_LIMIT)) * side;
    const y = (z) => side - x(z);
    Object.assign(context, { font: "12px system-ui, sans-serif", fillStyle: "#5b6472", strokeStyle: "#e5e7eb" });
    for (const tick of [-4, -2, 0, 2, 4]) {
      context.strokeRect(x(tick), -1, 0, side + 2);
      context.strokeRect(-1, y(tick), side + 2, 0);
      context.textAlign = "center";
      context.fillText(fixed(tick, 0), x(tick), side - 6);
      context.textAlign = "left";
      context.fillText(fixed(tick, 0), 4, y(tick) + 4);
    }
    context.globalAlpha = 0.7;
    const radius = side < 250 ? 1.8 : 3;
    for (let i = 0; i < this.n; i++) {
      const at = 2 * (index * this.n + i);
      context.fillStyle = COLORS[this.labels[i]];
      context.beginPath();
      context.arc(x(this.means[at]), y(this.means[at + 1]), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    // The range of the map on the right.
    const { limit } = this.entry;
    Object.assign(context, { strokeStyle: "#5b6472", lineWidth: 2 });
    context.strokeRect(x(-limit), y(limit), x(limit) - x(-limit), y(-limit) - y(limit));
  }

  drawLearningCurve(epoch) {
    const { context, width, height } = clearCanvas(byId("learning-curve"));
    const { log } = this.entry;
    const [least, most] = d3.extent(log.flat());
    const margin = { left: 44, right: 14, top: 30, bottom: 26 };
    const x = (n) => margin.left + ((n - 1) / Math.max(1, log.length - 1)) * (width - margin.left - margin.right);
    const y = (loss) => margin.top + ((most - loss) / (most - least || 1)) * (height - margin.top - margin.bottom);
    Object.assign(context, { font: "13px system-ui, sans-serif", fillStyle: "#222", strokeStyle: "#e5e7eb" });
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const tick of d3.ticks(least, most, 4)) {
      context.fillText(tick, margin.left - 6, y(tick));
      context.strokeRect(margin.left, y(tick), width - margin.left - margin.right, 0);
    }
    context.textAlign = "center";
    const count = Math.max(2, Math.floor(width / 90));
    for (const tick of d3.ticks(1, log.length, count).filter(Number.isInteger)) {
      context.fillText(tick, x(tick), height - 12);
    }
    context.textAlign = "left";
    context.fillText(view.text("lossAxis"), 6, 14);
    let right = width - margin.right;
    context.textAlign = "right";
    ["#b91c1c", "#6b7280"].forEach((color, j) => {
      const word = view.text(j ? "train" : "test");
      Object.assign(context, { fillStyle: color, strokeStyle: color, lineWidth: 2 });
      context.fillText(word, right, 14);
      right -= context.measureText(word).width + 12;
      context.beginPath();
      log.forEach((losses, i) => context.lineTo(x(i + 1), y(losses[1 - j])));
      context.stroke();
    });
    if (epoch === 0) return;
    Object.assign(context, { fillStyle: "#111", strokeStyle: "#111", lineWidth: 1 });
    context.strokeRect(x(epoch), margin.top, 0, height - margin.top - margin.bottom);
    for (const loss of log[epoch - 1]) {
      context.beginPath();
      context.arc(x(epoch), y(loss), 4, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

// Clear a canvas to white at the screen's resolution. Returns its context and its size in CSS pixels.
function clearCanvas(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  return { context, width, height };
}
