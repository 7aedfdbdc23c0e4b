// The latent spaces of the plain autoencoder and of the VAE, side by side. Returns both planes.

function setUpComparison(plain, variational) {
  const [plainPlane, variationalPlane] = [
    ["plain", plain],
    ["variational", variational],
  ].map(([name, { bounds, points, decoder }]) => {
    const plane = new Plane(byId(`plane-${name}`), bounds, points, decoder, () => {});
    plane.name = `${name}Plane`;
    plane.moved = (z, image) => {
      paintDigit(byId(`${name}-image`), image);
      byId(`${name}-image`).setAttribute("aria-label", plane.describe());
    };
    const axes = [0, 1].map((j) => points.latents.filter((_, i) => i % 2 === j));
    const means = axes.map((axis) => d3.mean(axis));
    const deviations = axes.map((axis) => d3.deviation(axis));
    view.onLanguage(() => {
      byId(`${name}-spread`).textContent = view.text("spread", pair(means), pair(deviations));
      plane.moved(plane.z, plane.image);
      plane.paintOver();
    });
    plane.pin([points.latents[0], points.latents[1]]);
    return plane;
  });
  byId("comparison-random").addEventListener("click", () => {
    const z = [standardNormal(), standardNormal()];
    for (const plane of [plainPlane, variationalPlane]) plane.pin(z);
  });
  setUpPrior({ plain: plainPlane, variational: variationalPlane });
  return [plainPlane, variationalPlane];
}
