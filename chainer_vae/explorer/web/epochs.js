// The plane after each of the epochs that were kept.

const EPOCH_LIMIT = 5; // the plane is shown within this
const PAUSE = 900; // milliseconds for an epoch, played

class Epochs {
  // `entry`: {epochs: [{epoch, map}], log: [[train, test], ...], limit}; `codes`: of all epochs, one
  // after the other.
  constructor(entry, codes, labels) {
    Object.assign(this, { entry, codes, labels });
    this.n = codes.length / entry.epochs.length / 2;
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
    sized.observe(byId("epoch-codes"));
    sized.observe(byId("epoch-losses"));
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
    }, PAUSE);
  }

  show() {
    const place = Number(this.slider.value);
    const { epoch, map } = this.entry.epochs[place];
    const losses = epoch > 0 ? this.entry.log[epoch - 1] : null;
    const words = view.text("epoch", epoch, losses && losses[1].toFixed(1));
    byId("epoch-value").textContent = words;
    this.slider.setAttribute("aria-valuetext", words);
    byId("epoch-map").src = map;
    byId("epoch-map").alt = view.text("epochMap");
    this.drawCodes(place);
    this.drawLosses(epoch);
  }

  drawCodes(place) {
    const { context, width: side } = clean(byId("epoch-codes"));
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
      const at = 2 * (place * this.n + i);
      context.fillStyle = COLORS[this.labels[i]];
      context.beginPath();
      context.arc(x(this.codes[at]), y(this.codes[at + 1]), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    // What the map beside it shows.
    const { limit } = this.entry;
    Object.assign(context, { strokeStyle: "#5b6472", lineWidth: 2 });
    context.strokeRect(x(-limit), y(limit), x(limit) - x(-limit), y(-limit) - y(limit));
  }

  drawLosses(epoch) {
    const { context, width, height } = clean(byId("epoch-losses"));
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

// A canvas's context, white, as many pixels as the screen shows; its size in the page's pixels.
function clean(canvas) {
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
