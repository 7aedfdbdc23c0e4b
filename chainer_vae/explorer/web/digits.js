// 28 x 28 pixel images: painting them on canvases, and making them from drawings.

const SIDE = 28;

// Paint an image (784 values in [0, 1]) on a canvas, with its left edge at pixel x.
function paintDigit(canvas, image, x = 0) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < image.length; i++) {
    const grey = Math.round(255 * image[i]);
    pixels.data[4 * i] = pixels.data[4 * i + 1] = pixels.data[4 * i + 2] = grey;
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, x, 0);
}

function digitCanvas(className) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.className = className;
  return canvas;
}

// Normalize a drawing like an MNIST digit: scale its longer side to 20 pixels and centre its centre of
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
  const scale = Math.max(right - left + 1, bottom - top + 1) / 20; // pixels of the drawing per pixel of the image
  // Put the centre of mass at the centre of pixel 14 (from 0), but keep the whole drawing inside.
  const origin = (centre, first, last) => {
    const start = centre - (SIDE / 2 + 0.5) * scale;
    return Math.min(Math.max(start, last + 1 - SIDE * scale), first);
  };
  const originX = origin(sumX / mass, left, right);
  const originY = origin(sumY / mass, top, bottom);
  const image = new Float32Array(SIDE * SIDE);
  for (let v = 0; v < SIDE; v++) {
    for (let u = 0; u < SIDE; u++) {
      image[v * SIDE + u] = meanOver(
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

// The reconstruction error -ln p(x|z), given the pixel probabilities y, in nats.
function bernoulliLoss(x, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const p = Math.min(Math.max(y[i], 1e-7), 1 - 1e-7);
    sum -= x[i] * Math.log(p) + (1 - x[i]) * Math.log(1 - p);
  }
  return sum;
}
