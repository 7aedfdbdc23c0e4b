// Reads the arrays that chainer_vae/explorer/blob.py wrote into the page.

// In the order of their codes, the digits of base 116, as there.
const KEPT_OUT = [0x00, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1a, 0x1b, 0x26, 0x3c, 0x7f];
const BASE = 128 - KEPT_OUT.length;

// 7 characters are 6 bytes; the first 6 say how many follow.
function textToBytes(text) {
  const values = new Uint8Array(128);
  for (let code = 0, value = 0; code < 128; code++) if (!KEPT_OUT.includes(code)) values[code] = value++;
  const bytes = new Uint8Array((text.length / 7) * 6);
  for (let i = 0, j = 0; i < text.length; ) {
    let number = 0;
    for (let k = 0; k < 7; k++) number = number * BASE + values[text.charCodeAt(i++)];
    const high = Math.floor(number / 2 ** 24);
    const low = number - high * 2 ** 24;
    for (const half of [high, low]) {
      bytes[j++] = half >>> 16;
      bytes[j++] = half >>> 8;
      bytes[j++] = half;
    }
  }
  const length = bytes.subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0);
  return bytes.subarray(6, 6 + length);
}

// The bytes of a WebP file, as the address of a picture.
function pictureUrl(bytes) {
  return `data:image/webp;base64,${btoa(String.fromCharCode(...bytes))}`;
}

// Returns a function that reads the array an entry of the page's content refers to.
async function openBlob(text) {
  const stream = new Blob([textToBytes(text)]).stream();
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
    if (kind === "unsigned") return whole;
    const numbers = step === undefined ? whole : new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const signed = (whole[i] >>> 1) ^ -(whole[i] & 1); // zigzag encoding: 0, 1, 2, 3 ... are 0, -1, 1, -2 ...
      numbers[i] = signed * (step ?? 1);
    }
    return numbers;
  };
}
