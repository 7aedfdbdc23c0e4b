// From digit to digit, in a straight line between their codes.

const THERE = 4000; // milliseconds from t = 0 to 1
const N_STRIP = 11;

class Walk {
  // `codes2` and `codes20`: the code of each digit, by its label; the latter may be null.
  constructor(plane, decoder, codes2, decoder20, codes20) {
    Object.assign(this, { plane, decoder, codes2, decoder20, codes20 });
    const labels = Object.keys(codes2);
    this.ends = [labels[0], labels[Math.min(7, labels.length - 1)]]; // the article's 0 and 7
    this.here = [[0, 0], [0, 0]]; // the points of the plane that were taken, where they were
    this.choosers = ["walk-start", "walk-end"].map((id, end) => {
      const choose = digitButtons(byId(id), labels, (label) => this.choose(end, label));
      const here = document.createElement("button");
      here.type = "button";
      here.className = "wide";
      view.onLanguage(() => (here.textContent = view.text("walkHere")));
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
    this.slider = byId("walk-t");
    this.slider.addEventListener("input", () => {
      this.play(false);
      this.show();
    });
    this.button = byId("walk-play");
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
    const both = this.codes20 && this.ends.every((label) => label !== "here");
    byId("walk-z20-figure").hidden = byId("walk-strip20").hidden = !both;
    this.ends20 = both ? this.ends.map((label) => this.codes20[label]) : null;
    for (let i = 0; i < N_STRIP; i++) {
      const t = i / (N_STRIP - 1);
      paintDigit(byId("walk-strip"), this.decoder.decode(this.codeAt(t)), SIDE * i);
      if (both) paintDigit(byId("walk-strip20"), this.decoder20.decode(between(this.ends20, t)), SIDE * i);
    }
    this.show();
  }

  endCodes() {
    return this.ends.map((label, end) => (label === "here" ? this.here[end] : this.codes2[label]));
  }

  codeAt(t) {
    return between(this.endCodes(), t);
  }

  play(playing) {
    const begins = playing && !this.playing;
    this.playing = playing;
    this.button.textContent = view.text(playing ? "pause" : "play");
    if (!playing) cancelAnimationFrame(this.frame);
    if (!begins) return;
    let phase = Number(this.slider.value); // 0 to 1 there, 1 to 2 back
    let last = performance.now();
    const frame = (now) => {
      phase = (phase + Math.max(0, now - last) / THERE) % 2;
      last = now;
      this.slider.value = phase < 1 ? phase : 2 - phase;
      this.show();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  show() {
    const t = Number(this.slider.value);
    byId("walk-t-value").textContent = `t = ${t.toFixed(2)}`;
    paintDigit(byId("walk-z2"), this.decoder.decode(this.codeAt(t)));
    this.slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    if (this.ends20) paintDigit(byId("walk-z20"), this.decoder20.decode(between(this.ends20, t)));
    this.plane.paintOver();
  }

  mark(context) {
    if (byId("panel-walk").hidden) return;
    const [start, end] = this.endCodes();
    context.strokeStyle = "#dc2626";
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(...this.plane.toPixels(start));
    context.lineTo(...this.plane.toPixels(end));
    context.stroke();
    this.plane.drawDot(context, start, "#dc2626");
    this.plane.drawDot(context, end, "#dc2626");
    this.plane.drawDot(context, this.codeAt(Number(this.slider.value)), "#111", 6);
  }
}

// (1 - t) z_A + t z_B
function between([start, end], t) {
  return start.map((value, j) => (1 - t) * value + t * end[j]);
}
