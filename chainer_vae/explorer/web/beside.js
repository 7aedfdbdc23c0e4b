// The plain autoencoder's plane beside the VAE's.

function layBeside(plain, variational) {
  const planes = [
    ["plain", plain],
    ["variational", variational],
  ].map(([name, { ends, points, decoder }]) => {
    const show = (z) => paintDigit(byId(`${name}-image`), decoder.decode(z));
    const plane = new Plane(byId(`plane-${name}`), ends, points, decoder, show);
    const axes = [0, 1].map((j) => points.codes.filter((_, i) => i % 2 === j));
    const means = axes.map((axis) => d3.mean(axis));
    const deviations = axes.map((axis) => d3.deviation(axis));
    view.onLanguage(() => {
      byId(`${name}-spread`).textContent = view.text("spread", pair(means), pair(deviations));
      plane.paintOver();
    });
    plane.pin([points.codes[0], points.codes[1]]);
    return plane;
  });
  byId("beside-random").addEventListener("click", () => {
    const z = [standardNormal(), standardNormal()];
    for (const plane of planes) plane.pin(z);
  });
}
