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
    view.onLanguage(() => this.play(this.playing));
    this.changed();
  }

  choose(end, label) {
    this.ends[end] = label;
    this.choosers[end](label);
    this.changed();
  }

  changed() {
    const both = this.means20 && this.ends.every((label) => label !== "here");
    byId("interpolation-z20-figure").hidden = byId("interpolation-strip20").hidden = !both;
    this.ends20 = both ? this.ends.map((label) => this.means20[label]) : null;
    for (let i = 0; i < N_STRIP; i++) {
      const t = i / (N_STRIP - 1);
      paintDigit(byId("interpolation-strip"), this.decoder.decode(this.latentAt(t)), SIDE * i);
      if (both) paintDigit(byId("interpolation-strip20"), this.decoder20.decode(interpolate(this.ends20, t)), SIDE * i);
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
    const t = Number(this.slider.value);
    byId("interpolation-t-value").textContent = `t = ${t.toFixed(2)}`;
    paintDigit(byId("interpolation-z2"), this.decoder.decode(this.latentAt(t)));
    this.slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    if (this.ends20) paintDigit(byId("interpolation-z20"), this.decoder20.decode(interpolate(this.ends20, t)));
    this.plane.paintOver();
  }

  mark(context) {
    if (byId("panel-interpolate").hidden) return;
    const [start, end] = this.endLatents();
    context.strokeStyle = "#dc2626";
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(...this.plane.toPixels(start));
    context.lineTo(...this.plane.toPixels(end));
    context.stroke();
    this.plane.drawDot(context, start, "#dc2626");
    this.plane.drawDot(context, end, "#dc2626");
    this.plane.drawDot(context, this.latentAt(Number(this.slider.value)), "#111", 6);
  }
}

// (1 - t) z_A + t z_B
function interpolate([start, end], t) {
  return start.map((value, j) => (1 - t) * value + t * end[j]);
}
