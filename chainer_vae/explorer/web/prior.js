// Samples of the prior N(0, I), decoded by the plain autoencoder and by the VAE.

const N_ROWS = 4, N_COLUMNS = 5;

// `planes`: of both, by the names that their canvases have.
function setUpPrior(planes) {
  let samples = [];
  const draw = () => {
    samples = Array.from({ length: N_ROWS * N_COLUMNS }, () => [standardNormal(), standardNormal()]);
    for (const [name, plane] of Object.entries(planes)) {
      const canvas = byId(`${name}-samples`);
      Object.assign(canvas, { width: N_COLUMNS * shape.width, height: N_ROWS * shape.height });
      samples.forEach((z, i) => {
        paintDigit(canvas, plane.decoder.decode(z), (i % N_COLUMNS) * shape.width, Math.floor(i / N_COLUMNS) * shape.height);
      });
      plane.paintOver();
    }
  };
  for (const plane of Object.values(planes)) {
    plane.marks.push((context) => {
      for (const z of samples) plane.drawDot(context, z, view.color("mark"), 4);
    });
  }
  byId("new-samples").addEventListener("click", draw);
  view.onLanguage(() => {
    byId("new-samples").textContent = view.text("newSamples", N_ROWS * N_COLUMNS);
    byId("samples-help").textContent = view.text("samplesHelp", N_ROWS * N_COLUMNS);
  });
  draw();
}
