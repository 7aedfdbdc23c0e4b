// A 2-dimensional latent space: the latent vectors of test images, a map of decoded images, and a cross-hair.

const TILE = 64; // maximum size in pixels of a digit on the map; the minimum is half of it
const MAX_TILES = 1500; // in the cache
const BUDGET = 6; // milliseconds per frame for decoding the map

class Plane {
  // `bounds`: {low, high} of the visible range.  `points`: {latents, labels, lnVar?} of test images.
  // `moved` is called with z whenever the cross-hair moves.
  constructor(parent, bounds, points, decoder, moved) {
    Object.assign(this, { parent, bounds, points, decoder, moved });
    this.base = document.createElement("canvas");
    this.over = document.createElement("canvas");
    this.over.className = "over";
    this.over.tabIndex = 0;
    this.over.setAttribute("role", "application");
    parent.append(this.base, this.over);
    this.showPoints = true;
    this.showMap = false;
    this.z = [0, 0]; // the cross-hair's position
    this.pinned = this.z; // where the cross-hair returns to when the mouse leaves
    this.fingers = new Set(); // touching the plane
    this.pinching = false;
    this.showCross = true;
    this.marks = []; // functions that draw on top, given the context
    this.tiles = new Map(); // decoded digits of the map, by zoom level and position
    this.tree = d3.quadtree(
      Array.from(points.labels, (label, i) => i),
      (i) => points.latents[2 * i],
      (i) => points.latents[2 * i + 1],
    );
    this.means = meansOfClasses(points);
    this.paintBase = onNextFrame(() => this.drawBase());
    this.paintOver = onNextFrame(() => this.drawOver());
    this.zoom = d3
      .zoom()
      .scaleExtent([1, 60])
      .filter((event) => this.zooms(event))
      .on("zoom", ({ transform }) => {
        this.transform = transform;
        this.moved(this.z); // the nearest point depends on the scale
        this.paintBase();
        this.paintOver();
      });
    this.transform = d3.zoomIdentity;
    d3.select(this.over).call(this.zoom).on("dblclick.zoom", null);
    this.over.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") {
        if (this.fingers.size === 0) this.untouched = this.z;
        this.fingers.add(event.pointerId);
        if (this.fingers.size > 1 && !this.pinching) {
          this.pinching = true;
          this.pin(this.untouched); // undo the move by the first of the two fingers
        }
      }
      if (this.point(event)) this.pinned = this.z;
    });
    this.over.addEventListener("pointermove", (event) => this.point(event));
    for (const type of ["pointerup", "pointercancel"]) {
      window.addEventListener(type, (event) => {
        this.fingers.delete(event.pointerId);
        this.pinching &&= this.fingers.size > 0;
      });
    }
    this.over.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.moveTo(this.pinned);
    });
    this.over.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(parent);
  }

  // Whether an event zooms or pans the plane instead of moving the cross-hair.
  zooms(event) {
    if (event.type === "wheel") return event.ctrlKey || document.activeElement === this.over;
    if (event.type.startsWith("touch")) return event.touches.length > 1;
    return event.shiftKey && event.button === 0;
  }

  resize() {
    const side = this.parent.clientWidth;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    if (side === 0 || (side === this.side && ratio === this.ratio)) return;
    const before = this.side;
    for (const canvas of [this.base, this.over]) {
      canvas.width = canvas.height = Math.round(side * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.side = side;
    this.ratio = ratio;
    this.zoom.extent([[0, 0], [side, side]]).translateExtent([[0, 0], [side, side]]);
    if (before === undefined) this.reset();
    else {
      const { x, y, k } = this.transform;
      const same = d3.zoomIdentity.translate((x * side) / before, (y * side) / before).scale(k);
      d3.select(this.over).call(this.zoom.transform, same);
    }
  }

  // Zoom to the range of nearly all points.
  reset() {
    const sorted = Float32Array.from(this.points.latents, Math.abs).sort();
    const { low, high } = this.bounds;
    const centred = Math.abs(low[0] + high[0]) < 1e-6;
    const reach = sorted[Math.floor(0.999 * (sorted.length - 1))] * 1.08;
    const k = centred ? Math.max(1, high[0] / reach) : 1;
    const half = this.side / 2;
    d3.select(this.over).call(
      this.zoom.transform, d3.zoomIdentity.translate(half, half).scale(k).translate(-half, -half));
  }

  zoomBy(factor) {
    d3.select(this.over).call(this.zoom.scaleBy, factor, this.toPixels(this.z));
  }

  // Pixels per unit of z.
  get scale() {
    return (this.side * this.transform.k) / (this.bounds.high[0] - this.bounds.low[0]);
  }

  toPixels([z1, z2]) {
    const { low, high } = this.bounds;
    const x = ((z1 - low[0]) / (high[0] - low[0])) * this.side;
    const y = ((high[1] - z2) / (high[1] - low[1])) * this.side;
    return this.transform.apply([x, y]);
  }

  toLatent(pixels) {
    const { low, high } = this.bounds;
    const [x, y] = this.transform.invert(pixels);
    return [
      low[0] + (x / this.side) * (high[0] - low[0]),
      high[1] - (y / this.side) * (high[1] - low[1]),
    ];
  }

  // Move the cross-hair to the pointer. Returns false if the event pans the plane instead.
  point(event) {
    if ((event.shiftKey && event.buttons) || this.pinching || !event.isPrimary) return false;
    const box = this.over.getBoundingClientRect();
    this.moveTo(this.toLatent([event.clientX - box.left, event.clientY - box.top]));
    if (event.pointerType === "touch") this.pinned = this.z;
    return true;
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return; // a shortcut of the browser
    const step = (event.shiftKey ? 25 : 5) / this.scale;
    const [z1, z2] = this.z;
    const moves = {
      ArrowLeft: [z1 - step, z2], ArrowRight: [z1 + step, z2],
      ArrowUp: [z1, z2 + step], ArrowDown: [z1, z2 - step],
    };
    if (moves[event.key]) {
      this.pin(moves[event.key]);
      this.bringIntoView();
    } else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
    else if (event.key === "-") this.zoomBy(1 / 1.5);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
  }

  bringIntoView() {
    const [x, y] = this.toPixels(this.z);
    const margin = 20;
    const outside = (p) => Math.max(0, margin - p) + Math.min(0, this.side - margin - p);
    const [dx, dy] = [outside(x), outside(y)];
    if (dx || dy) {
      const { k } = this.transform;
      d3.select(this.over).call(this.zoom.translateBy, dx / k, dy / k);
    }
  }

  // Move the cross-hair to z, clamped to the bounds.
  moveTo(z) {
    const { low, high } = this.bounds;
    this.z = z.map((value, j) => Math.min(Math.max(value, low[j]), high[j]));
    this.moved(this.z);
    this.paintOver();
  }

  // Move the cross-hair to z and keep it there.
  pin(z) {
    this.moveTo(z);
    this.pinned = this.z;
  }

  // The nearest test image within some pixels, {index, label, distance}, or null.
  nearest(z, pixels = 14) {
    const index = this.tree.find(z[0], z[1], pixels / this.scale);
    if (index === undefined) return null;
    const { latents, labels } = this.points;
    const distance = Math.hypot(latents[2 * index] - z[0], latents[2 * index + 1] - z[1]);
    return { index, label: labels[index], distance };
  }

  drawBase() {
    const context = this.base.getContext("2d");
    context.fillStyle = this.showMap ? "#000" : "#fff";
    context.fillRect(0, 0, this.side, this.side);
    if (this.showMap) this.drawMap(context);
    this.drawAxes(context);
    if (this.showPoints) this.drawPoints(context);
  }

  drawMap(context) {
    const started = performance.now();
    const level = Math.floor(Math.log2(TILE / this.scale));
    const step = 2 ** level; // between neighbouring digits, in z
    const size = step * this.scale;
    const [left, top] = this.toLatent([0, 0]);
    const [right, bottom] = this.toLatent([this.side, this.side]);
    let missing = false;
    for (let j = Math.floor(bottom / step); j * step < top; j++) {
      for (let i = Math.floor(left / step); i * step < right; i++) {
        const key = `${level}:${i}:${j}`;
        let tile = this.tiles.get(key);
        if (!tile) {
          if (performance.now() - started > BUDGET) {
            missing = true;
            continue;
          }
          tile = digitCanvas("");
          paintDigit(tile, this.decoder.decode([(i + 0.5) * step, (j + 0.5) * step]));
          this.tiles.set(key, tile);
          if (this.tiles.size > MAX_TILES) this.tiles.delete(this.tiles.keys().next().value);
        }
        const [x, y] = this.toPixels([i * step, (j + 1) * step]);
        context.drawImage(tile, x, y, size, size);
      }
    }
    if (missing) this.paintBase();
  }

  drawAxes(context) {
    const { low, high } = this.bounds;
    const [left, top] = this.toLatent([0, 0]);
    const [right, bottom] = this.toLatent([this.side, this.side]);
    context.strokeStyle = this.showMap ? "rgba(255, 255, 255, 0.25)" : "#e5e7eb";
    context.lineWidth = 1;
    context.beginPath();
    const count = Math.max(2, Math.floor(this.side / 90));
    const xs = d3.ticks(Math.max(left, low[0]), Math.min(right, high[0]), count);
    const ys = d3.ticks(Math.max(bottom, low[1]), Math.min(top, high[1]), count);
    for (const z1 of xs) {
      const x = Math.round(this.toPixels([z1, 0])[0]) + 0.5;
      context.moveTo(x, 0);
      context.lineTo(x, this.side);
    }
    for (const z2 of ys) {
      const y = Math.round(this.toPixels([0, z2])[1]) + 0.5;
      context.moveTo(0, y);
      context.lineTo(this.side, y);
    }
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "bottom";
    const tick = (value) => String(Math.round(value * 1e6) / 1e6).replace("-", "−");
    for (const z1 of xs) this.write(context, tick(z1), this.toPixels([z1, 0])[0], this.side - 4);
    context.textAlign = "left";
    context.textBaseline = "middle";
    for (const z2 of ys) this.write(context, tick(z2), 5, this.toPixels([0, z2])[1]);
    context.font = "italic 15px Georgia, serif";
    context.textAlign = "right";
    this.write(context, "z₁", this.side - 6, this.side - 26);
    context.textAlign = "left";
    this.write(context, "z₂", 30, 14);
  }

  write(context, text, x, y) {
    const outside = (p) => p < 10 || p > this.side - 10;
    if (context.textAlign === "center" ? outside(x) : outside(y)) return; // would be cut off
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = "#fff";
    context.strokeText(text, x, y);
    context.fillStyle = "#222";
    context.fillText(text, x, y);
  }

  drawPoints(context) {
    const { latents, labels } = this.points;
    const radius = Math.min(6, (this.side < 250 ? 1.4 : 2.2) * this.transform.k ** 0.4);
    context.globalAlpha = this.showMap ? 0.75 : 0.6;
    for (let digit = 0; digit < COLORS.length; digit++) {
      context.fillStyle = COLORS[digit];
      context.beginPath();
      for (let i = 0; i < labels.length; i++) {
        if (labels[i] !== digit) continue;
        const [x, y] = this.toPixels([latents[2 * i], latents[2 * i + 1]]);
        if (x < -9 || y < -9 || x > this.side + 9 || y > this.side + 9) continue;
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.fill();
    }
    context.globalAlpha = 1;
    context.font = `bold ${this.side < 250 ? 14 : 20}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { label, mean } of this.means) this.write(context, label, ...this.toPixels(mean));
  }

  drawOver() {
    if (!this.side) return;
    const context = this.over.getContext("2d");
    context.clearRect(0, 0, this.side, this.side);
    for (const mark of this.marks) mark(context);
    this.over.setAttribute("aria-label", view.text("planeLabel", pair(this.z)));
    if (!this.showCross) return;
    const [x, y] = this.toPixels(this.z);
    context.lineWidth = 4;
    context.strokeStyle = "#fff";
    for (let pass = 0; pass < 2; pass++) {
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 7 * dx, y + 7 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.stroke();
      context.lineWidth = 2;
      context.strokeStyle = "#111";
    }
  }

  // Ellipses at one and two standard deviations.
  drawEllipses(context, mu, sigma) {
    const [x, y] = this.toPixels(mu);
    for (const [width, style] of [[4, "#fff"], [2, "#111"]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      for (const times of [1, 2]) {
        context.beginPath();
        const [rx, ry] = sigma.map((s) => times * s * this.scale);
        context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  drawDot(context, z, color, radius = 4) {
    const [x, y] = this.toPixels(z);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.strokeStyle = "#fff";
    context.lineWidth = 1.5;
    context.stroke();
  }
}

// The mean latent vector of each class.
function meansOfClasses({ latents, labels }) {
  const sums = Array.from({ length: 10 }, () => [0, 0, 0]);
  labels.forEach((label, i) => {
    sums[label][0] += latents[2 * i];
    sums[label][1] += latents[2 * i + 1];
    sums[label][2] += 1;
  });
  return sums
    .map(([z1, z2, n], label) => ({ label: String(label), mean: [z1 / n, z2 / n], n }))
    .filter(({ n }) => n > 0);
}
