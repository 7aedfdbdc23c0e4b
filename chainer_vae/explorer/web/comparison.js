// The latent spaces of the plain autoencoder and of the VAE, side by side.

function setUpComparison(plain, variational) {
  const planes = [
    ["plain", plain],
    ["variational", variational],
  ].map(([name, { bounds, points, decoder }]) => {
    const show = (z) => paintDigit(byId(`${name}-image`), decoder.decode(z));
    const plane = new Plane(byId(`plane-${name}`), bounds, points, decoder, show);
    const axes = [0, 1].map((j) => points.latents.filter((_, i) => i % 2 === j));
    const means = axes.map((axis) => d3.mean(axis));
    const deviations = axes.map((axis) => d3.deviation(axis));
    view.onLanguage(() => {
      byId(`${name}-spread`).textContent = view.text("spread", pair(means), pair(deviations));
      plane.paintOver();
    });
    plane.pin([points.latents[0], points.latents[1]]);
    return plane;
  });
  byId("comparison-random").addEventListener("click", () => {
    const z = [standardNormal(), standardNormal()];
    for (const plane of planes) plane.pin(z);
  });
}
