// Draw an image: its posterior q(z|x), its reconstruction, and samples.

const N_SAMPLES = 5;
const BRUSH = 24 / 280; // of the pad's shorter side
// Whatever its size, a digit is encoded with strokes as wide as MNIST's: 2.8 of 28 pixels.
const ENCODED_BRUSH = 1 / 10; // of the shorter side
const THINNEST = 1.5; // pixels of an image: a thinner stroke would be grey

class Drawing {
  // `pads`: canvases to draw on; all show the same strokes.
  constructor(pads, subject, plane, decoder) {
    Object.assign(this, { pads, subject, plane, decoder });
    const hidden = document.createElement("canvas");
    Object.assign(hidden, { width: pads[0].width, height: pads[0].height });
    this.hidden = hidden.getContext("2d", { willReadFrequently: true });
    this.grey = new Float32Array(hidden.width * hidden.height);
    this.strokes = [];
    this.sampleCanvases = Array.from({ length: N_SAMPLES }, () => digitCanvas("digit small"));
    byId("samples").append(...this.sampleCanvases);
    this.setBars = klBars(byId("drawn-kl"), [1, 2]);
    this.samples = [];
    this.drawn = false; // whether the strokes are newer than the image
    this.update = onNextFrame(() => this.drawn && subject.set(this.normalized()));
    this.markExample = digitButtons(byId("examples"), subject.labels, (label) => subject.take(label));
    for (const pad of pads) {
      pad.addEventListener("pointerdown", (event) => this.begin(event, pad));
      pad.addEventListener("pointermove", (event) => {
        if (pad.hasPointerCapture(event.pointerId)) this.extendStroke(event, pad);
      });
    }
    byId("clear").addEventListener("click", () => this.clear());
    byId("resample").addEventListener("click", () => this.resample());
    plane.marks.push((context) => this.mark(context));
    subject.onChange(() => this.changed());
    view.onLanguage(() => this.show());
  }

  toPad({ clientX, clientY }, pad) {
    const box = pad.getBoundingClientRect();
    return [
      ((clientX - box.left) / box.width) * pad.width,
      ((clientY - box.top) / box.height) * pad.height,
    ];
  }

  begin(event, pad) {
    if (!event.isPrimary || event.button) return;
    pad.setPointerCapture(event.pointerId);
    this.strokes.push([this.toPad(event, pad)]);
    this.paintStrokes();
  }

  extendStroke(event, pad) {
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const stroke = this.strokes[this.strokes.length - 1];
    if (!stroke) return; // another finger has cleared the pad, or chosen a test image
    for (const part of coalesced.length ? coalesced : [event]) stroke.push(this.toPad(part, pad));
    this.paintStrokes();
  }

  paintStrokes() {
    for (const pad of this.pads) paintStrokes(pad.getContext("2d"), this.strokes, BRUSH * Math.min(pad.width, pad.height));
    this.drawn = true;
    this.update();
  }

  clear() {
    this.strokes = [];
    this.paintStrokes();
  }

  // The strokes as an image, or null if there are none.
  normalized() {
    if (this.strokes.length === 0) return null;
    const points = this.strokes.flat();
    const [left, right] = d3.extent(points, ([x]) => x);
    const [top, bottom] = d3.extent(points, ([, y]) => y);
    const { width, height } = this.hidden.canvas;
    const brush = Math.max(ENCODED_BRUSH, THINNEST / Math.min(shape.width, shape.height)) * Math.min(width, height);
    const scales = [[width, right - left], [height, bottom - top]]
      .filter(([, extent]) => extent > 0).map(([side, extent]) => (FILLED * side - brush) / extent);
    const scale = d3.min(scales) ?? 1;
    const scaled = this.strokes.map((stroke) =>
      stroke.map(([x, y]) => [
        width / 2 + (x - (left + right) / 2) * scale,
        height / 2 + (y - (top + bottom) / 2) * scale,
      ]),
    );
    paintStrokes(this.hidden, scaled, brush);
    const { data } = this.hidden.getImageData(0, 0, width, height);
    for (let i = 0; i < this.grey.length; i++) this.grey[i] = data[4 * i] / 255;
    return normalizeDrawing(this.grey, width, height);
  }

  changed() {
    const { image, label, posterior } = this.subject;
    this.markExample(label);
    this.drawn = false;
    if (label !== null) {
      // A test image, which the next stroke replaces.
      this.strokes = [];
      const small = digitCanvas("");
      paintDigit(small, image);
      for (const pad of this.pads) pad.getContext("2d").drawImage(small, 0, 0, pad.width, pad.height);
    }
    this.y = posterior && this.decoder.decode(posterior.mu);
    if (posterior) this.plane.pin(posterior.mu); // zooming in is centred on the cross-hair
    this.resample();
    this.show();
  }

  resample() {
    const { mu, sigma } = this.subject.posterior ?? {};
    this.samples = mu ? this.sampleCanvases.map(() => mu.map((m, j) => m + sigma[j] * standardNormal())) : [];
    this.sampleCanvases.forEach((canvas, i) => {
      paintDigit(canvas, mu ? this.decoder.decode(this.samples[i]) : BLANK);
    });
    this.nameSamples();
    this.plane.paintOver();
  }

  nameSamples() {
    this.sampleCanvases.forEach((canvas, i) => {
      const z = this.samples[i];
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", z ? view.text("sampleLabel", i + 1, N_SAMPLES, pair(z)) : view.text("noInput"));
    });
  }

  show() {
    const { image, posterior } = this.subject;
    document.querySelector("figcaption[data-text=input]").textContent = view.text("input", shape);
    this.nameSamples();
    byId("drawn").setAttribute("aria-label", this.subject.describe());
    byId("reconstruction").setAttribute(
      "aria-label", image ? view.text("reconstructionLabel", pair(posterior.mu)) : view.text("noInput"));
    paintDigit(byId("drawn"), image ?? BLANK);
    paintDigit(byId("reconstruction"), image ? this.y : BLANK);
    if (!image) {
      byId("drawn-posterior").textContent = view.text("noInput");
      byId("drawn-loss").textContent = "";
      this.setBars([0, 0]);
      return;
    }
    const { mu, sigma, lnVar } = posterior;
    const kl = klPerDimension(mu, lnVar);
    const total = kl[0] + kl[1];
    const rec = bernoulliLoss(image, this.y);
    byId("drawn-posterior").textContent = view.text("posterior", pair(mu), pair(sigma, 3));
    byId("drawn-loss").textContent = view.text("loss", fixed(rec, 1), fixed(total, 1), fixed(rec + total, 1));
    this.setBars(kl);
  }

  mark(context) {
    if (byId("panel-draw").hidden || !this.subject.posterior) return;
    for (const z of this.samples) this.plane.drawDot(context, z, view.color("latent"), 2.5);
  }
}

// Paint white strokes on black. A stroke of one point becomes a dot.
function paintStrokes(context, strokes, brush) {
  const { width, height } = context.canvas;
  context.fillStyle = "black";
  context.fillRect(0, 0, width, height);
  Object.assign(context, { strokeStyle: "white", lineWidth: brush, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    for (const [x, y] of stroke) context.lineTo(x + 0.01, y); // a zero-length line would not be drawn
    context.stroke();
  }
}
