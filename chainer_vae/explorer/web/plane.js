// A 2-dimensional latent space: the latent vectors of test images, a map of decoded images, and a cross-hair.

const TILE = 64; // maximum size in pixels of a digit on the map; the minimum is half of it
const MAX_TILES = 1500; // in the cache
const BUDGET = 6; // milliseconds per frame for decoding the map
const REST = 150; // milliseconds without zooming, after which dots are round again
const N_NEAR = 15; // test images that say which class a place has
const N_TRIED = 25; // test images of a class that its name may be written at
const NEAR_PIXELS = 14; // so far from a test image, the cross-hair is at it
const SIGMAS = [1, 2, 3]; // of the prior's circles
const INSET = 72; // pixels: the image at the finger

class Plane {
  // `bounds`: {low, high} of the visible range.  `points`: {latents, labels, lnVar?} of test images.
  // `moved` is called whenever the cross-hair moves, with z and the image decoded from it.
  constructor(parent, bounds, points, decoder, moved) {
    Object.assign(this, { parent, bounds, points, decoder, moved });
    this.base = document.createElement("canvas");
    this.over = document.createElement("canvas");
    this.over.className = "over";
    this.over.tabIndex = 0;
    this.over.setAttribute("role", "application");
    parent.append(this.base, this.over);
    this.name = "latentSpace"; // in text.js
    this.rested = () => {}; // called when the cross-hair has been put somewhere
    this.showPoints = true;
    this.showMap = false;
    this.showCircles = false;
    this.z = [0, 0]; // the cross-hair's position
    this.image = decoder.decode(this.z);
    this.pinned = this.z; // where the cross-hair returns to when the mouse leaves
    this.fingers = new Set(); // touching the plane
    this.pinching = false;
    this.showCross = true;
    this.marks = []; // functions that draw on top, given the context
    this.tile = digitCanvas("");
    this.tiles = new Map(); // decoded digits of the map, by zoom level and position
    this.tree = d3.quadtree(
      Array.from(points.labels, (label, i) => i),
      (i) => points.latents[2 * i],
      (i) => points.latents[2 * i + 1],
    );
    this.names = this.placeNames();
    this.paintBase = onNextFrame(() => this.drawBase());
    this.paintOver = onNextFrame(() => this.drawOver());
    const repaint = () => {
      this.paintBase();
      this.paintOver();
    };
    view.onTheme(repaint);
    classes.onIsolate(() => {
      this.moved(this.z, this.image); // the nearest point may be hidden now
      repaint();
    });
    this.zoom = d3
      .zoom()
      .scaleExtent([1, 60])
      .filter((event) => this.zooms(event))
      .on("zoom", ({ transform }) => {
        this.transform = transform;
        this.zooming = true;
        clearTimeout(this.rest);
        this.rest = setTimeout(() => {
          this.zooming = false;
          this.paintBase();
        }, REST);
        this.moved(this.z, this.image); // the nearest point depends on the scale
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
        if (this.fingers.delete(event.pointerId)) this.paintOver();
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

  // Zoom so far in that an ellipse of the standard deviations is easy to see.
  zoomTo({ mu, sigma }) {
    const unzoomed = this.side / (this.bounds.high[0] - this.bounds.low[0]);
    const k = Math.min(60, this.side / 10 / (Math.max(...sigma) * unzoomed));
    this.pin(mu);
    d3.select(this.over).call(this.zoom.scaleTo, k).call(this.zoom.translateTo, ...this.unzoomed(mu));
  }

  // Pixels per unit of z.
  get scale() {
    return (this.side * this.transform.k) / (this.bounds.high[0] - this.bounds.low[0]);
  }

  toPixels(z) {
    return this.transform.apply(this.unzoomed(z));
  }

  // In pixels of the whole plane, before zooming.
  unzoomed([z1, z2]) {
    const { low, high } = this.bounds;
    const x = ((z1 - low[0]) / (high[0] - low[0])) * this.side;
    const y = ((high[1] - z2) / (high[1] - low[1])) * this.side;
    return [x, y];
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
    this.image = this.decoder.decode(this.z);
    this.moved(this.z, this.image);
    this.paintOver();
  }

  // Move the cross-hair to z and keep it there.
  pin(z) {
    this.moveTo(z);
    this.pinned = this.z;
    this.rested();
  }

  // What is decoded, and where, in words.
  describe() {
    const near = this.side && this.nearest(this.z);
    return view.text("decodedAt", pair(this.z), near ? classes.name(this.classesAround(this.z)[0][0]) : null);
  }

  distance(index, [z1, z2]) {
    const { latents } = this.points;
    return Math.hypot(latents[2 * index] - z1, latents[2 * index + 1] - z2);
  }

  // The nearest test image that is shown, within some pixels, {index, label, distance}, or null.
  nearest(z) {
    const { labels } = this.points;
    const [index] = this.neighbours(z, 1, (i) => classes.shows(labels[i]));
    const distance = index === undefined ? Infinity : this.distance(index, z);
    return distance * this.scale < NEAR_PIXELS ? { index, label: labels[index], distance } : null;
  }

  // The classes of the nearest N_NEAR test images, [class, number] each, most frequent first.
  classesAround(z) {
    const counts = d3.rollup(this.neighbours(z, N_NEAR), (group) => group.length, (i) => this.points.labels[i]);
    return [...counts].sort((a, b) => b[1] - a[1]);
  }

  // The indices of the k nearest test images, of those that `has` is true of, nearest first.
  neighbours([z1, z2], k, has = () => true) {
    const { latents } = this.points;
    const found = []; // [squared distance, index]
    this.tree.visit((node, left, low, right, high) => {
      const reach = found.length < k ? Infinity : found[k - 1][0];
      const [dx, dy] = [Math.max(left - z1, 0, z1 - right), Math.max(low - z2, 0, z2 - high)];
      if (dx * dx + dy * dy > reach) return true; // all of its points are farther
      if (node.length) return false;
      for (let leaf = node; leaf; leaf = leaf.next) {
        const i = leaf.data;
        if (!has(i)) continue;
        const distance = (latents[2 * i] - z1) ** 2 + (latents[2 * i + 1] - z2) ** 2;
        if (found.length === k && distance >= found[k - 1][0]) continue;
        found.splice(d3.bisector(([d]) => d).right(found, distance), 0, [distance, i]);
        if (found.length > k) found.pop();
      }
      return false;
    });
    return found.map(([, i]) => i);
  }

  // Where to write the name of each class: at the test image of it that is nearest to their mean, of
  // those with mostly this class around; if there are none, with as much of it as possible.
  placeNames() {
    const { latents, labels } = this.points;
    const at = (i) => [latents[2 * i], latents[2 * i + 1]];
    const groups = d3.group(labels.keys(), (i) => labels[i]);
    return [...groups].map(([label, all]) => {
      const mean = [0, 1].map((j) => d3.mean(all, (i) => latents[2 * i + j]));
      const tried = all.filter((_, n) => n % Math.ceil(all.length / N_TRIED) === 0);
      const best = d3.least(tried, (i) => {
        const [z1, z2] = at(i);
        const others = d3.sum(this.neighbours(at(i), 2 * N_NEAR), (near) => labels[near] !== label);
        const away = Math.hypot(z1 - mean[0], z2 - mean[1]) / (this.bounds.high[0] - this.bounds.low[0]);
        return Math.max(others, N_NEAR * 0.6) + away;
      });
      return { label, name: classes.name(label), z: at(best) };
    });
  }

  drawBase() {
    const context = this.base.getContext("2d");
    context.fillStyle = view.color(this.showMap ? "blank" : "paper");
    context.fillRect(0, 0, this.side, this.side);
    if (this.showMap) this.drawMap(context);
    this.drawAxes(context);
    if (this.showPoints) this.drawPoints(context);
    if (this.showCircles) this.drawCircles(context);
    if (this.showPoints) this.drawNames(context);
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
        context.drawImage(tile, ...fitted(x, y, size));
      }
    }
    if (missing) this.paintBase();
  }

  // Where the prior N(0, I) has 1, 2 and 3 standard deviations.
  drawCircles(context) {
    const [x, y] = this.toPixels([0, 0]);
    const color = view.color("latent");
    for (const sigma of SIGMAS) {
      const radius = sigma * this.scale;
      for (const [lineWidth, strokeStyle] of [[4, view.color("halo")], [2, color]]) {
        Object.assign(context, { lineWidth, strokeStyle });
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.stroke();
      }
    }
    Object.assign(context, { font: "bold 13px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    for (const sigma of SIGMAS) {
      const out = (sigma * this.scale) / Math.SQRT2;
      const last = sigma === SIGMAS[SIGMAS.length - 1];
      if (last || this.scale > 20) this.write(context, `${sigma}σ`, x + out, y - out);
    }
  }

  drawAxes(context) {
    const { low, high } = this.bounds;
    const [left, top] = this.toLatent([0, 0]);
    const [right, bottom] = this.toLatent([this.side, this.side]);
    context.strokeStyle = view.color(this.showMap ? "grid-on-map" : "grid");
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
    for (const z2 of ys) {
      const y = this.toPixels([0, z2])[1];
      if (y < this.side - 26) this.write(context, tick(z2), 5, y); // not on top of the other axis's
    }
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
    context.strokeStyle = view.color("halo");
    context.strokeText(text, x, y);
    context.fillStyle = view.color("mark");
    context.fillText(text, x, y);
  }

  drawPoints(context) {
    const { latents, labels } = this.points;
    const radius = Math.min(6, (this.side < 250 ? 1.4 : 2.2) * this.transform.k ** 0.4);
    context.globalAlpha = this.showMap ? 0.75 : 0.6;
    // Thousands of round dots take longer than a frame without a graphics card; squares of their area do not.
    const side = Math.sqrt(Math.PI) * radius;
    const addDot = this.zooming
      ? (x, y) => context.fillRect(x - side / 2, y - side / 2, side, side)
      : (x, y) => {
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      };
    for (const label of classes.labels.filter(classes.shows)) {
      context.fillStyle = classes.color(label);
      context.beginPath();
      for (let i = 0; i < labels.length; i++) {
        if (labels[i] !== label) continue;
        const [x, y] = this.toPixels([latents[2 * i], latents[2 * i + 1]]);
        if (x < -9 || y < -9 || x > this.side + 9 || y > this.side + 9) continue;
        addDot(x, y);
      }
      context.fill();
    }
    context.globalAlpha = 1;
  }

  drawNames(context) {
    const size = this.side < 250 ? 14 : 20;
    context.font = `bold ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.namePlaces = spreadNames(context, this.names, this.names.map(({ z }) => this.toPixels(z)), size);
    this.names.forEach(({ label, name }, i) => {
      if (classes.isNamed(label)) this.write(context, name, ...this.namePlaces[i]);
    });
  }

  drawOver() {
    if (!this.side) return;
    const context = this.over.getContext("2d");
    context.clearRect(0, 0, this.side, this.side);
    for (const mark of this.marks) mark(context);
    this.over.setAttribute("aria-label", view.text("planeLabel", view.text(this.name), pair(this.z)));
    if (this.showCross) this.drawCross(context);
    if (this.fingers.size === 1) this.drawInset(context);
  }

  drawCross(context) {
    const [x, y] = this.toPixels(this.z);
    context.lineWidth = 4;
    context.strokeStyle = view.color("halo");
    for (let pass = 0; pass < 2; pass++) {
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 7 * dx, y + 7 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.stroke();
      context.lineWidth = 2;
      context.strokeStyle = view.color("mark");
    }
  }

  // The decoded image above the finger that covers its place; beside it where there is no room above.
  drawInset(context) {
    const [x, y] = this.toPixels(this.z);
    const gap = 28;
    const above = y > INSET + gap + 4;
    const left = above ? x - INSET / 2 : x < this.side / 2 ? x + gap : x - gap - INSET;
    const top = above ? y - gap - INSET : y - INSET / 2;
    const inside = (p) => Math.min(Math.max(p, 4), this.side - INSET - 4);
    this.drawImage(context, this.image, inside(left), inside(top), INSET, view.color("mark"));
  }

  // An image in a frame.
  drawImage(context, image, x, y, side, color) {
    paintDigit(this.tile, image);
    const [left, top, width, height] = fitted(x, y, side);
    context.fillStyle = color;
    context.fillRect(left - 3, top - 3, width + 6, height + 6);
    context.drawImage(this.tile, left, top, width, height);
  }

  // A flag that nobody overlooks: the image of a posterior, tied to its mean by a line, a ring around
  // the mean, and its ellipses.
  drawFlag(context, image, { mu, sigma }) {
    const [x, y] = this.toPixels(mu);
    const color = view.color("flag");
    const side = this.side < 250 ? 28 : 44;
    const left = x + side + 34 < this.side ? x + 24 : x - 24 - side;
    const top = Math.min(Math.max(y - side - 18, 4), this.side - side - 4);
    for (const [width, style] of [[6, view.color("halo")], [3, color]]) {
      Object.assign(context, { lineWidth: width, strokeStyle: style });
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(left + side / 2, top + side / 2);
      context.moveTo(x + 13, y);
      context.arc(x, y, 13, 0, 2 * Math.PI);
      context.stroke();
    }
    this.drawImage(context, image, left, top, side, color);
    this.drawEllipses(context, mu, sigma);
    this.drawDot(context, mu, color, 4);
  }

  // Ellipses at one and two standard deviations.
  drawEllipses(context, mu, sigma) {
    const [x, y] = this.toPixels(mu);
    for (const [width, style] of [[4, view.color("halo")], [2, view.color("mark")]]) {
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
    context.strokeStyle = view.color("halo");
    context.lineWidth = 1.5;
    context.stroke();
  }
}

// The place of an image that is as large as fits into a square: [left, top, width, height].
function fitted(x, y, side) {
  const scale = side / Math.max(shape.width, shape.height);
  const [width, height] = [scale * shape.width, scale * shape.height];
  return [x + (side - width) / 2, y + (side - height) / 2, width, height];
}

// Places of names, of letters of a size, moved apart until no name lies on another.
function spreadNames(context, names, places, size) {
  const width = d3.max(names, ({ name }) => context.measureText(name).width);
  if (width <= size) return spread(places, size);
  const flat = size / width; // in which a name is as wide as it is high; corners must not meet either
  return spread(places.map(([x, y]) => [flat * x, y]), Math.SQRT2 * size).map(([x, y]) => [x / flat, y]);
}

// Move places apart until every pair is at least a distance apart, each as little as needed, as spread of
// chainer_vae/latent.py does.
function spread(places, distance) {
  let moved = places;
  for (let round = 0; round < 100; round++) {
    let close = false;
    moved = moved.map(([x, y], i) => {
      const move = [0, 0];
      moved.forEach(([otherX, otherY], j) => {
        const gap = Math.hypot(x - otherX, y - otherY);
        if (i === j || gap >= distance || gap === 0) return;
        close = true;
        const by = (0.51 * (distance - gap)) / gap;
        move[0] += by * (x - otherX);
        move[1] += by * (y - otherY);
      });
      return [x + move[0], y + move[1]];
    });
    if (!close) break;
  }
  return moved;
}
