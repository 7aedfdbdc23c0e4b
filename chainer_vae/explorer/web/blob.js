// Reads the arrays that chainer_vae/explorer/blob.py wrote into the page.

const BASE85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

function base85ToBytes(text) {
  const values = new Uint8Array(128);
  for (let i = 0; i < 85; i++) values[BASE85.charCodeAt(i)] = i;
  const length = Math.floor((text.length * 4) / 5);
  const bytes = new Uint8Array(length + 4);
  for (let i = 0, j = 0; i < text.length; i += 5, j += 4) {
    let number = 0;
    // Pad a short last group with the highest digit.
    for (let k = 0; k < 5; k++) {
      number = number * 85 + (i + k < text.length ? values[text.charCodeAt(i + k)] : 84);
    }
    bytes[j] = number >>> 24;
    bytes[j + 1] = number >>> 16;
    bytes[j + 2] = number >>> 8;
    bytes[j + 3] = number;
  }
  return bytes.subarray(0, length);
}

// Returns a function that reads the array an entry of the page's content refers to.
async function openBlob(text) {
  const stream = new Blob([base85ToBytes(text)]).stream();
  const inflated = stream.pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(inflated).arrayBuffer());
  return function read({ start, shape, width, kind, step }) {
    const n = shape.reduce((product, size) => product * size, 1);
    const whole = new Int32Array(n);
    for (let plane = 0; plane < width; plane++) {
      const from = start + plane * n;
      for (let i = 0; i < n; i++) whole[i] |= bytes[from + i] << (8 * plane);
    }
    if (kind === "float") return new Float32Array(whole.buffer);
    const numbers = step === undefined ? whole : new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const signed = (whole[i] >>> 1) ^ -(whole[i] & 1); // zigzag encoding: 0, 1, 2, 3 ... are 0, -1, 1, -2 ...
      numbers[i] = signed * (step ?? 1);
    }
    return numbers;
  };
}
