// Multilayer perceptrons: the same computation as encode and decode of chainer_vae/model.py.

const ACTIVATIONS = {
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  tanh: Math.tanh,
  relu: (a) => Math.max(a, 0),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
};

class Network {
  // `entry`: a network as content.py describes it. `read`: reads its arrays.
  constructor(entry, read) {
    this.pixels = read(entry.pixels); // indices of the input (or output) pixels
    const last = entry.layers.length - 1;
    this.layers = entry.layers.map(({ W, b, exponents }, i) => {
      const [rows, columns] = W.shape;
      const whole = read(W);
      const steps = read(exponents);
      const weights = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++) {
        const step = 2 ** steps[row];
        for (let j = row * columns; j < (row + 1) * columns; j++) weights[j] = whole[j] * step;
      }
      const act = i < last ? ACTIVATIONS[entry.act] : entry.sigmoid ? ACTIVATIONS.sigmoid : null;
      return { weights, biases: read(b), act, out: new Float64Array(rows) };
    });
  }

  // The output for one input. The next call overwrites it.
  run(input) {
    let h = input;
    for (const { weights, biases, act, out } of this.layers) {
      const n = h.length;
      for (let row = 0, j = 0; row < out.length; row++) {
        let sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0; // four independent sums run in parallel
        let i = 0;
        for (; i + 3 < n; i += 4, j += 4) {
          sum0 += weights[j] * h[i];
          sum1 += weights[j + 1] * h[i + 1];
          sum2 += weights[j + 2] * h[i + 2];
          sum3 += weights[j + 3] * h[i + 3];
        }
        for (; i < n; i++, j++) sum0 += weights[j] * h[i];
        const a = sum0 + sum1 + sum2 + sum3 + biases[row];
        out[row] = act ? act(a) : a;
      }
      h = out;
    }
    return h;
  }
}

// From a latent vector z to pixel probabilities.
class Decoder extends Network {
  decode(z) {
    const image = new Float32Array(shape.height * shape.width);
    const out = this.run(Float64Array.from(z));
    for (let i = 0; i < out.length; i++) image[this.pixels[i]] = out[i];
    return image;
  }
}

// From pixels in [0, 1] to mu and sigma of q(z|x).
class Encoder extends Network {
  encode(image) {
    const out = this.run(Float64Array.from(this.pixels, (pixel) => image[pixel]));
    const n = out.length / 2;
    const lnVar = Array.from(out.subarray(n));
    return { mu: Array.from(out.subarray(0, n)), sigma: lnVar.map((v) => Math.exp(v / 2)), lnVar };
  }
}

// D_KL[N(mu, sigma^2) || N(0, 1)] of each latent dimension, in nats.
function klPerDimension(mu, lnVar) {
  return mu.map((m, j) => (m * m + Math.exp(lnVar[j]) - lnVar[j] - 1) / 2);
}

// A sample from N(0, 1), by the Box-Muller transform.
function standardNormal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
