// The image x that all parts of the page show, and what the encoder says of it.

class Subject {
  // `examples`: {images, labels, numbers} of test images, in bytes; a number is the place in the data set, from 0.
  constructor(encoder, examples) {
    Object.assign(this, { encoder, examples });
    this.labels = [...new Set(examples.labels)];
    this.listeners = [];
    this.image = null; // values in [0, 1], or null if there is none
    this.label = null; // the class, if it is a test image
    this.number = null; // the same
    this.posterior = null; // {mu, sigma, lnVar} of q(z|x)
  }

  // `listener` is called whenever the image changes.
  onChange(listener) {
    this.listeners.push(listener);
  }

  set(image, label = null, number = null) {
    Object.assign(this, { image, label, number });
    this.posterior = image && this.encoder.encode(image);
    for (const listener of this.listeners) listener();
  }

  // What it shows, in words.
  describe() {
    if (!this.image) return view.text("noInput");
    return view.text(this.label === null ? "drawingOfYours" : "testImageOf", classes.name(this.label));
  }

  // Take a test image of a class: the one of this number among them, or a random one.
  take(label, number = null) {
    const { labels } = this.examples;
    const indices = [...labels.keys()].filter((i) => labels[i] === label);
    this.show(indices[number ?? Math.floor(Math.random() * indices.length)]);
  }

  // Take the test image of this number in the data set. Returns whether it is an example.
  takeNumber(number) {
    const i = this.examples.numbers.indexOf(number);
    if (i >= 0) this.show(i);
    return i >= 0;
  }

  show(i) {
    const { images, labels, numbers } = this.examples;
    const size = shape.height * shape.width;
    const image = Float32Array.from(images.subarray(size * i, size * (i + 1)), (grey) => grey / 255);
    this.set(image, labels[i], numbers[i]);
  }
}
