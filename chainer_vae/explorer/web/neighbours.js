// The real test images: the one at the cross-hair with its nearest in latent space, and any by its number.

const N_NEIGHBOURS = 5;

class Neighbours {
  // `images`: the first test images, in `levels` of grey.
  constructor(plane, subject, images, levels) {
    Object.assign(this, { plane, subject, images, levels });
    this.n = images.length / (shape.height * shape.width);
    this.index = null; // of the test image at the cross-hair
    this.figures = Array.from({ length: 1 + N_NEIGHBOURS }, () => this.addFigure(byId("found")));
    byId("lookup").addEventListener("submit", (event) => {
      event.preventDefault();
      this.lookUp(byId("lookup-query").value);
    });
    byId("lookup-random").addEventListener("click", () => this.take(Math.floor(Math.random() * this.n)));
    plane.marks.push((context) => this.mark(context));
    classes.onIsolate(() => this.showAnew());
    view.onLanguage(() => {
      byId("lookup-hint").textContent = view.text("lookupHint", this.n.toLocaleString("en"), this.n - 1, classes.name(classes.labels[0]));
      this.say();
      this.showAnew();
    });
  }

  addFigure(parent) {
    const figure = document.createElement("figure");
    const canvas = digitCanvas("digit small");
    canvas.setAttribute("role", "img");
    const caption = document.createElement("figcaption");
    const parts = [document.createElement("b"), document.createElement("br"), document.createElement("span")];
    caption.append(...parts);
    figure.append(canvas, caption);
    parent.append(figure);
    return { figure, canvas, name: parts[0], number: parts[2] };
  }

  imageOf(index) {
    const size = shape.height * shape.width;
    return Float32Array.from(this.images.subarray(size * index, size * (index + 1)), (grey) => grey / (this.levels - 1));
  }

  // The nearest test images to the cross-hair, of those that the page has and shows.
  show() {
    const { plane } = this;
    if (!plane.side) return;
    const has = (i) => i < this.n && classes.shows(plane.points.labels[i]);
    const [index] = plane.neighbours(plane.z, 1, has);
    const close = index !== undefined && plane.distance(index, plane.z) * plane.scale < NEAR_PIXELS;
    if (close && index === this.index) return;
    this.index = close ? index : null;
    const { latents } = plane.points;
    this.near = close
      ? plane.neighbours(latents.subarray(2 * index, 2 * index + 2), N_NEIGHBOURS + 1, has).filter((i) => i !== index)
      : [];
    byId("found-hint").textContent = view.text(close ? "found" : "notFound");
    [this.index, ...this.near.slice(0, N_NEIGHBOURS)].forEach((i, place) => this.paint(this.figures[place], i));
    this.figures.slice(1 + this.near.length).forEach((figure) => this.paint(figure, null));
    plane.paintOver();
  }

  // The same again, in other words or with other neighbours.
  showAnew() {
    this.index = null;
    this.show();
  }

  paint({ figure, canvas, name, number }, index) {
    figure.hidden = index === null;
    canvas.setAttribute("aria-label", view.text("notFound")); // hidden, it has a name, too
    if (index === null) return;
    paintDigit(canvas, this.imageOf(index));
    name.textContent = classes.name(this.plane.points.labels[index]);
    number.textContent = view.text("numbered", index);
    canvas.setAttribute("aria-label", view.text("testImage", index, name.textContent));
  }

  // A test image by its number, or a random one of a class by its name.
  lookUp(query) {
    const text = query.normalize("NFKC").trim();
    if (/^\d+$/.test(text)) {
      if (Number(text) < this.n) this.take(Number(text));
      else this.say("noNumber", text, this.n - 1);
      return;
    }
    const named = text.replace(/^(class|クラス)\s*/i, "").toLowerCase();
    const of = (i) => classes.name(this.plane.points.labels[i]).toLowerCase() === named;
    const found = d3.range(this.n).filter(of);
    if (found.length) this.take(found[Math.floor(Math.random() * found.length)]);
    else this.say("noClass", text);
  }

  say(key, ...args) {
    byId("lookup-fault").textContent = key ? view.text(key, ...args) : "";
  }

  // Take the test image of this number, if the page has it.
  takeNumber(number) {
    if (d3.range(this.n).includes(number)) this.take(number);
  }

  // It becomes x, and the cross-hair goes there.
  take(index) {
    const { latents, labels } = this.plane.points;
    if (!classes.shows(labels[index])) classes.isolate(null);
    this.say();
    byId("lookup-query").value = index;
    this.subject.set(this.imageOf(index), labels[index], index);
    this.plane.pin(Array.from(latents.subarray(2 * index, 2 * index + 2)));
    this.plane.bringIntoView();
  }

  mark(context) {
    if (byId("panel-decode").hidden || this.index === null) return;
    const { latents } = this.plane.points;
    const at = (i) => Array.from(latents.subarray(2 * i, 2 * i + 2));
    for (const i of this.near) this.plane.drawDot(context, at(i), view.color("latent"));
    this.plane.drawDot(context, at(this.index), view.color("flag"), 5);
  }
}
