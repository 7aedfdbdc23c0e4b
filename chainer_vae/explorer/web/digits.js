// Images: painting them on canvases, and making them from drawings.

const shape = { height: 28, width: 28 }; // of all images
const FILLED = 20 / 28; // of both sides, by a normalized drawing
let BLANK;

// Set the images' size, that of the canvases for one image, too, and what the style sheet makes of it.
function setShape([height, width]) {
  Object.assign(shape, { height, width });
  BLANK = new Float32Array(height * width);
  for (const canvas of document.querySelectorAll("canvas.digit, canvas.error")) Object.assign(canvas, { height, width });
  const most = Math.max(height, width);
  const { style } = document.documentElement;
  style.setProperty("--wide", width / most);
  style.setProperty("--tall", height / most);
  for (const id of ["pad", "flow-pad"]) {
    const pad = byId(id);
    const side = Math.max(pad.width, pad.height);
    Object.assign(pad, { height: (side * height) / most, width: (side * width) / most });
  }
}

// Paint an image (height * width values in [0, 1]) on a canvas, with its upper left corner at pixel (x, y).
function paintDigit(canvas, image, x = 0, y = 0) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(shape.width, shape.height);
  for (let i = 0; i < image.length; i++) {
    const grey = Math.round(255 * image[i]);
    pixels.data[4 * i] = pixels.data[4 * i + 1] = pixels.data[4 * i + 2] = grey;
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, x, y);
}

function digitCanvas(className) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, shape);
  canvas.className = className;
  return canvas;
}

// Normalize a drawing like an MNIST digit: scale it to 20/28 of the image's sides, and centre its centre of
// mass.  `grey`: width x height values in [0, 1].  Returns null if nothing is drawn.
function normalizeDrawing(grey, width, height) {
  let left = width, right = -1, top = height, bottom = -1, mass = 0, sumX = 0, sumY = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const value = grey[i];
      if (value < 0.1) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  }
  if (mass === 0) return null;
  // Pixels of the drawing per pixel of the image.
  const scale = Math.max((right - left + 1) / (shape.width * FILLED), (bottom - top + 1) / (shape.height * FILLED));
  // Put the centre of mass at the centre of the middle pixel, but keep the whole drawing inside.
  const origin = (centre, first, last, side) => {
    const start = centre - (Math.floor(side / 2) + 0.5) * scale;
    return Math.min(Math.max(start, last + 1 - side * scale), first);
  };
  const originX = origin(sumX / mass, left, right, shape.width);
  const originY = origin(sumY / mass, top, bottom, shape.height);
  const image = new Float32Array(shape.height * shape.width);
  for (let v = 0; v < shape.height; v++) {
    for (let u = 0; u < shape.width; u++) {
      image[v * shape.width + u] = meanOver(
        grey, width, height, originX + u * scale, originY + v * scale, scale);
    }
  }
  return image;
}

// The mean of `grey` over a square with its upper left corner at (x, y). Outside, `grey` is 0.
function meanOver(grey, width, height, x, y, side) {
  let sum = 0;
  for (let row = Math.max(0, Math.floor(y)); row < Math.min(height, y + side); row++) {
    const tall = Math.min(row + 1, y + side) - Math.max(row, y);
    for (let column = Math.max(0, Math.floor(x)); column < Math.min(width, x + side); column++) {
      const wide = Math.min(column + 1, x + side) - Math.max(column, x);
      sum += grey[row * width + column] * tall * wide;
    }
  }
  return sum / (side * side);
}

// The reconstruction error -ln p(x|z) of each pixel, given the pixel probabilities y, in nats.
function bernoulliLosses(x, y) {
  return Float32Array.from(x, (value, i) => {
    const p = Math.min(Math.max(y[i], 1e-7), 1 - 1e-7);
    return -(value * Math.log(p) + (1 - value) * Math.log(1 - p));
  });
}

// Their sum.
function bernoulliLoss(x, y) {
  return d3.sum(bernoulliLosses(x, y));
}
