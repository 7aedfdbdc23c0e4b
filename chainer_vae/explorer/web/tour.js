// A guided tour: steps that show something and ask a question before they answer it. The panel stands in the
// page beside what it speaks of, so that it covers nothing.

class Tour {
  // `tools`: {flow, tabs, interpolation, layers, labels}; `layers(points, map)` shows these in the plane.
  constructor(tools) {
    const { flow, tabs, interpolation, layers, labels } = tools;
    const [first, second, third] = [4, 9, 1].map((label, i) => (labels.includes(label) ? label : labels[i % labels.length]));
    const strip = { before: ".flow-strip", top: "#tour" };
    const plane = { before: "[role=tablist]", top: "#stage-section" };
    // Where the panel stands, what is at the top of the screen, what is asked, and what answers.
    this.steps = [
      { ...strip, ask: () => flow.gradient(null), answer() {} },
      {
        ...strip,
        ask() {
          flow.gradient(null);
          flow.play(false);
        },
        answer: () => (reducedMotion() ? flow.draw() : flow.play(true)),
      },
      {
        ...plane,
        ask() {
          tabs.choose("decode");
          layers(false, false);
        },
        answer: () => layers(true, false),
      },
      {
        ...plane,
        ask() {
          tabs.choose("decode");
          layers(true, false);
        },
        answer: () => layers(false, true),
      },
      {
        before: "#interpolation-pictures",
        top: "#tour",
        ask() {
          tabs.choose("interpolate");
          layers(true, false);
          [first, second].forEach((label, end) => interpolation.chooseNamed(end, String(label)));
          interpolation.moveTo(0);
        },
        answer: () => interpolation.moveTo(0.5),
      },
      { ...strip, ask: () => flow.gradient("draw"), answer: () => flow.gradient("trick") },
    ];
    this.names = [first, second, third].map(classes.name);
    this.flow = flow;
    this.layers = layers;
    this.panel = byId("tour");
    this.step = null; // from 1, while the tour is open
    const clicked = {
      "tour-start": () => this.open(1),
      "tour-leave": () => this.leave(),
      "tour-back": () => this.open(this.step - 1),
      "tour-answer": () => this.answer(),
      "tour-next": () => (this.step === this.steps.length ? this.leave() : this.open(this.step + 1)),
    };
    for (const [id, act] of Object.entries(clicked)) byId(id).addEventListener("click", act);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.step) this.leave();
    });
    view.onLanguage(() => this.show());
  }

  // Ask the question of a step. What is no step is ignored.
  open(step) {
    if (!this.steps[step - 1]) return;
    if (this.step === null) this.played = this.flow.playing;
    this.step = step;
    document.body.dataset.asked = step;
    const { before, ask } = this.steps[step - 1];
    ask();
    const place = document.querySelector(before);
    place.parentElement.insertBefore(this.panel, place);
    this.turn(false, "tour-title");
  }

  answer() {
    delete document.body.dataset.asked;
    this.steps[this.step - 1].answer();
    this.turn(true, "tour-next"); // the button that was pressed is gone
  }

  turn(answered, focused) {
    this.answered = answered;
    this.show();
    document.querySelector(this.steps[this.step - 1].top).scrollIntoView();
    byId(focused).focus({ preventScroll: true });
  }

  leave() {
    const section = this.panel.closest("main > section");
    this.step = null;
    delete document.body.dataset.asked;
    this.layers(true, false);
    this.flow.play(this.played);
    this.show();
    section.focus({ preventScroll: true });
  }

  show() {
    const { step, steps, answered } = this;
    this.panel.hidden = !step;
    if (!step) return;
    byId("tour-title").textContent = view.text("tourTitle", step, steps.length);
    const [question, answer] = view.text("tourSteps", shape.height * shape.width, ...this.names)[step - 1];
    byId("tour-question").textContent = question;
    byId("tour-said").textContent = answered ? answer : "";
    byId("tour-answer").hidden = answered;
    byId("tour-back").disabled = step === 1;
    byId("tour-next").textContent = view.text(step === steps.length ? "tourEnd" : "tourNext");
  }
}
