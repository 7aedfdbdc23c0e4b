// Linear interpolation between the latent vectors of two digits.

const DURATION = 4000; // milliseconds from t = 0 to 1
const N_STRIP = 11; // images in a strip

class Interpolation {
  // `means2` and `means20`: the latent mean of each digit's first test image, by label. `decoder20` and
  // `means20` are null if the page has no larger model.
  constructor(plane, decoder, means2, decoder20, means20) {
    Object.assign(this, { plane, decoder, means2, decoder20, means20 });
    const labels = Object.keys(means2);
    this.ends = [labels[0], labels[Math.min(7, labels.length - 1)]]; // the article's 0 and 7
    this.here = [[0, 0], [0, 0]]; // positions of the cross-hair chosen as ends
    for (const id of ["interpolation-strip", "interpolation-strip20"]) {
      Object.assign(byId(id), { width: N_STRIP * shape.width, height: shape.height });
    }
    this.choosers = ["interpolation-start", "interpolation-end"].map((id, end) => {
      const choose = digitButtons(byId(id), labels, (label) => this.choose(end, label));
      const here = document.createElement("button");
      here.type = "button";
      here.className = "wide";
      view.onLanguage(() => (here.textContent = view.text("crossHair")));
      here.addEventListener("click", () => {
        this.here[end] = plane.pinned;
        this.choose(end, "here");
      });
      byId(id).append(here);
      return (chosen) => {
        choose(chosen);
        here.setAttribute("aria-pressed", chosen === "here");
      };
    });
    this.slider = byId("interpolation-t");
    this.slider.addEventListener("input", () => {
      this.play(false);
      this.show();
    });
    this.button = byId("interpolation-play");
    this.button.addEventListener("click", () => this.play(!this.playing));
    plane.marks.push((context) => this.mark(context));
    this.playing = false;
    this.choosers.forEach((choose, end) => choose(this.ends[end]));
    view.onLanguage(() => {
      this.play(this.playing);
      this.changed();
    });
  }

  choose(end, label) {
    this.ends[end] = label;
    this.choosers[end](label);
    this.changed();
  }

  // By its name in an address: a label, or a position of the plane as 0.5_-1.25.
  chooseNamed(end, name) {
    const z = name?.split("_").map(numberIn);
    if (Object.hasOwn(this.means2, name)) this.choose(end, name);
    else if (z?.length === 2 && !z.includes(null)) {
      this.here[end] = z;
      this.choose(end, "here");
    }
  }

  nameOf(end) {
    return this.ends[end] === "here" ? this.here[end].map((value) => value.toFixed(3)).join("_") : this.ends[end];
  }

  get t() {
    return Number(this.slider.value);
  }

  moveTo(t) {
    this.slider.value = t; // which keeps it from 0 to 1
    this.show();
  }

  changed() {
    const both = this.means20 && this.ends.every((label) => label !== "here");
    byId("interpolation-z20-figure").hidden = byId("interpolation-strip20").hidden = !both;
    this.ends20 = both ? this.ends.map((label) => this.means20[label]) : null;
    for (let i = 0; i < N_STRIP; i++) {
      const t = i / (N_STRIP - 1);
      paintDigit(byId("interpolation-strip"), this.decoder.decode(this.latentAt(t)), shape.width * i);
      if (both) paintDigit(byId("interpolation-strip20"), this.decoder20.decode(interpolate(this.ends20, t)), shape.width * i);
    }
    this.show();
  }

  endLatents() {
    return this.ends.map((label, end) => (label === "here" ? this.here[end] : this.means2[label]));
  }

  latentAt(t) {
    return interpolate(this.endLatents(), t);
  }

  play(playing) {
    const begins = playing && !this.playing;
    this.playing = playing;
    this.button.textContent = view.text(playing ? "pause" : "play");
    if (!playing) cancelAnimationFrame(this.frame);
    if (!begins) return;
    let phase = Number(this.slider.value); // 0 to 1: forward; 1 to 2: back
    let last = performance.now();
    const frame = (now) => {
      phase = (phase + Math.max(0, now - last) / DURATION) % 2;
      last = now;
      this.slider.value = phase < 1 ? phase : 2 - phase;
      this.show();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  show() {
    const { t } = this;
    byId("interpolation-t-value").textContent = `t = ${t.toFixed(2)}`;
    const [a, b] = this.ends.map((label) => (label === "here" ? view.text("crossHair") : classes.name(label)));
    for (const [id, n] of [["interpolation-z2", 2], ["interpolation-z20", this.ends20?.[0].length]]) {
      byId(id).setAttribute("aria-label", view.text("interpolationLabel", n, a, b, t.toFixed(2)));
    }
    for (const [id, n] of [["interpolation-strip", 2], ["interpolation-strip20", this.ends20?.[0].length]]) {
      byId(id).setAttribute("aria-label", view.text("interpolationStrip", n, a, b));
    }
    paintDigit(byId("interpolation-z2"), this.decoder.decode(this.latentAt(t)));
    this.slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    if (this.ends20) paintDigit(byId("interpolation-z20"), this.decoder20.decode(interpolate(this.ends20, t)));
    this.plane.paintOver();
  }

  mark(context) {
    if (byId("panel-interpolate").hidden) return;
    const [start, end] = this.endLatents();
    context.strokeStyle = view.color("path");
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(...this.plane.toPixels(start));
    context.lineTo(...this.plane.toPixels(end));
    context.stroke();
    this.plane.drawDot(context, start, view.color("path"));
    this.plane.drawDot(context, end, view.color("path"));
    this.plane.drawDot(context, this.latentAt(this.t), view.color("mark"), 6);
  }
}

// (1 - t) z_A + t z_B
function interpolate([start, end], t) {
  return start.map((value, j) => (1 - t) * value + t * end[j]);
}
