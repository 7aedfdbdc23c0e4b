// Draw a digit: its posterior q(z|x), its reconstruction, and samples.

const N_SAMPLES = 5;
const BRUSH = 24; // width in pixels, on the pad's 280
// Whatever its size, a digit is encoded with strokes as wide as MNIST's: 2.8 of 28 pixels.
const ENCODED_SIDE = 200, ENCODED_BRUSH = 28; // on a canvas of the pad's size

class Drawing {
  constructor(plane, encoder, decoder, examples) {
    Object.assign(this, { plane, encoder, decoder, examples });
    this.pad = byId("pad");
    this.context = this.pad.getContext("2d");
    const hidden = document.createElement("canvas");
    hidden.width = hidden.height = this.pad.width;
    this.hidden = hidden.getContext("2d", { willReadFrequently: true });
    this.grey = new Float32Array(hidden.width * hidden.height);
    this.sampleCanvases = Array.from({ length: N_SAMPLES }, () => digitCanvas("digit small"));
    byId("samples").append(...this.sampleCanvases);
    this.setBars = klBars(byId("drawn-kl"), [1, 2]);
    this.update = onNextFrame(() => this.encode());
    const labels = [...new Set(examples.labels)];
    this.markExample = digitButtons(byId("examples"), labels, (label) => this.takeExample(label));
    this.pad.addEventListener("pointerdown", (event) => this.begin(event));
    this.pad.addEventListener("pointermove", (event) => {
      if (this.pad.hasPointerCapture(event.pointerId)) this.extendStroke(event);
    });
    byId("clear").addEventListener("click", () => this.clear());
    byId("resample").addEventListener("click", () => this.resample());
    plane.marks.push((context) => this.mark(context));
    this.clear();
    view.onLanguage(() => this.show());
  }

  toPad({ clientX, clientY }) {
    const box = this.pad.getBoundingClientRect();
    return [
      ((clientX - box.left) / box.width) * this.pad.width,
      ((clientY - box.top) / box.height) * this.pad.height,
    ];
  }

  begin(event) {
    if (!event.isPrimary || event.button) return;
    if (this.example) this.clear();
    this.pad.setPointerCapture(event.pointerId);
    this.strokes.push([this.toPad(event)]);
    this.changed();
  }

  extendStroke(event) {
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const stroke = this.strokes[this.strokes.length - 1];
    for (const part of coalesced.length ? coalesced : [event]) stroke.push(this.toPad(part));
    this.changed();
  }

  changed() {
    paintStrokes(this.context, this.strokes, BRUSH);
    this.update();
  }

  clear() {
    this.strokes = [];
    this.example = null;
    this.markExample(null);
    this.changed();
  }

  // Take a random test image of a digit as the input.
  takeExample(label) {
    const { images, labels } = this.examples;
    const indices = [...labels.keys()].filter((i) => labels[i] === label);
    const i = indices[Math.floor(Math.random() * indices.length)];
    this.strokes = [];
    this.example = Float32Array.from(images.subarray(784 * i, 784 * (i + 1)), (grey) => grey / 255);
    this.markExample(label);
    const small = digitCanvas("");
    paintDigit(small, this.example);
    this.context.drawImage(small, 0, 0, this.pad.width, this.pad.height);
    this.update();
  }

  // The strokes as a 28 x 28 pixel image, or null if there are none.
  normalized() {
    if (this.strokes.length === 0) return null;
    const points = this.strokes.flat();
    const [left, right] = d3.extent(points, ([x]) => x);
    const [top, bottom] = d3.extent(points, ([, y]) => y);
    const side = Math.max(right - left, bottom - top);
    const scale = side > 0 ? (ENCODED_SIDE - ENCODED_BRUSH) / side : 1;
    const { width, height } = this.hidden.canvas;
    const scaled = this.strokes.map((stroke) =>
      stroke.map(([x, y]) => [
        width / 2 + (x - (left + right) / 2) * scale,
        height / 2 + (y - (top + bottom) / 2) * scale,
      ]),
    );
    paintStrokes(this.hidden, scaled, ENCODED_BRUSH);
    const { data } = this.hidden.getImageData(0, 0, width, height);
    for (let i = 0; i < this.grey.length; i++) this.grey[i] = data[4 * i] / 255;
    return normalizeDrawing(this.grey, width, height);
  }

  encode() {
    this.image = this.example ?? this.normalized();
    this.posterior = this.image && this.encoder.encode(this.image);
    if (this.posterior) {
      this.y = this.decoder.decode(this.posterior.mu);
      this.plane.pin(this.posterior.mu); // zooming in is centred on the cross-hair
    }
    this.resample();
    this.show();
  }

  resample() {
    const { mu, sigma } = this.posterior ?? {};
    this.samples = mu ? this.sampleCanvases.map(() => mu.map((m, j) => m + sigma[j] * standardNormal())) : [];
    const blank = new Float32Array(784);
    this.sampleCanvases.forEach((canvas, i) => {
      paintDigit(canvas, mu ? this.decoder.decode(this.samples[i]) : blank);
    });
    this.plane.paintOver();
  }

  show() {
    const blank = new Float32Array(784);
    paintDigit(byId("drawn"), this.image ?? blank);
    paintDigit(byId("reconstruction"), this.image ? this.y : blank);
    if (!this.image) {
      byId("drawn-posterior").textContent = view.text("noInput");
      byId("drawn-loss").textContent = "";
      this.setBars([0, 0]);
      return;
    }
    const { mu, sigma, lnVar } = this.posterior;
    const kl = klPerDimension(mu, lnVar);
    const total = kl[0] + kl[1];
    const rec = bernoulliLoss(this.image, this.y);
    byId("drawn-posterior").textContent = view.text("posterior", pair(mu), pair(sigma, 3));
    byId("drawn-loss").textContent = view.text("loss", fixed(rec, 1), fixed(total, 1), fixed(rec + total, 1));
    this.setBars(kl);
  }

  mark(context) {
    if (byId("panel-draw").hidden || !this.posterior) return;
    this.plane.drawEllipses(context, this.posterior.mu, this.posterior.sigma);
    for (const z of this.samples) this.plane.drawDot(context, z, "#7c3aed", 2.5);
    this.plane.drawDot(context, this.posterior.mu, "#111", 2.5);
  }
}

// Paint white strokes on black. A stroke of one point becomes a dot.
function paintStrokes(context, strokes, brush) {
  const { width, height } = context.canvas;
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  Object.assign(context, { strokeStyle: "#fff", lineWidth: brush, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const [x, y] of stroke) context.lineTo(x + 0.01, y); // a zero-length line would not be drawn
    context.stroke();
  }
}
