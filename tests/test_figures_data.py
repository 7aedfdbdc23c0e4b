"""Every figure, from data sets of any number of classes and images: drawn, or one line says why."""

import matplotlib
import numpy as np
import pytest
from conftest import write_idx_folder
from matplotlib.backends.backend_agg import FigureCanvasAgg

from chainer_vae import Config, InputError, Run, figures, latent
from chainer_vae.figures import digits, style, tsne
from chainer_vae.figures.runner import draw

SPECS = {spec.id: spec for spec in figures.all_figures()}
OF_DATA = [id for id, spec in SPECS.items() if spec.needs]
# Which figures show the way from one class to another.
ENDS = {
    "latent-arrow": (0, 7), "manifold": (0, 7), "interp-0-7-frames": (0, 7),
    "interp-0-7-anim": (0, 7), "interp-0-9-frames": (0, 9), "interp-0-9-anim": (0, 9),
}  # fmt: skip
FEW = [((3,), 1), ((0,), 2)]
MORE = [
    ((0, 7), 3), ((200, 201, 255), 5), (range(7), 40), (range(11), 31), (range(47), 70_000),
]  # fmt: skip


def len_of(value):
    return str(value if isinstance(value, int) else len(value))


@pytest.fixture
def make(tmp_path, mnist):
    """A function that trains a little on MNIST's images, relabelled and cut."""

    def make(classes, n_images):
        images = np.resize(mnist.test_images, (n_images, 784))
        labels = np.resize(np.array(classes), n_images)
        data = mnist._replace(
            train_images=images[:500], train_labels=labels[:500],
            test_images=images, test_labels=labels,
        )  # fmt: skip
        folder = write_idx_folder(tmp_path / "data", data, min(500, n_images), n_images, False)
        runs = {}
        for name, dimz in (("z2", 2), ("z20", 20)):
            config = Config(epoch=1, dimz=dimz, dim_h=8, dataset=str(folder))
            run = Run.start(config, tmp_path / "runs" / name)
            list(run.train())
            runs[name] = run.folder
        return runs

    return make


@pytest.mark.parametrize(
    ("classes", "n_images"),
    [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE)],
    ids=len_of,
)
def test_each_is_drawn_or_says_why_not(classes, n_images, make, tmp_path, monkeypatch):
    monkeypatch.setattr(tsne, "N_FRAMES", 3)
    monkeypatch.setattr(digits, "there_and_back", lambda n: latent.there_and_back(n)[:41])
    context = figures.Context("en", make(classes, n_images))
    chosen = [SPECS[id] for id in OF_DATA]
    results = {r.spec.id: r for r in figures.draw_figures(chosen, context, tmp_path / "f")}
    assert list(results) == OF_DATA
    for id, result in results.items():
        lacking = [digit for digit in ENDS.get(id, ()) if digit not in classes]
        if lacking:
            assert str(result.error) == f"there is no test image of class {lacking[0]}"
        elif id == "embedding" and n_images < 4:
            verb = "is 1" if n_images == 1 else f"are {n_images}"
            assert str(result.error) == f"t-SNE needs at least 4 images, but there {verb}"
        else:
            assert result.error is None, id
        assert isinstance(result.error, (InputError, type(None)))
    assert figures.write_index(tmp_path / "f", "en") == sum(
        r.error is None for r in results.values()
    )


@pytest.mark.parametrize("lang", ("en", "ja"))
@pytest.mark.parametrize(
    ("classes", "n_images"), [((3,), 1), ((200, 201, 255), 5), (range(47), 94)], ids=len_of
)
def test_stills_show_the_classes_and_nothing_is_clipped(classes, n_images, lang, make):
    context = figures.Context(lang, make(classes, n_images))
    names = [str(each) for each in classes]
    with matplotlib.rc_context(style.settings(lang)):
        figs = {
            id: draw(SPECS[id], context) for id in ("latent-scatter", "digits", "reconstruction")
        }
        for fig in figs.values():
            needed = fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer())
            assert min(needed.x0, needed.y0) >= -0.01
            assert needed.x1 <= fig.get_figwidth() + 0.01
            assert needed.y1 <= fig.get_figheight() + 0.01
    scatter, bar = figs["latent-scatter"].axes
    assert [label.get_text() for label in bar.get_yticklabels()] == names
    assert bar.get_ylabel() == context.text("class", "クラス")
    assert [text.get_text() for text in scatter.texts] == names
    (points,) = scatter.collections
    assert points.get_array().tolist() == [i % len(names) for i in range(n_images)]
    assert len(np.unique(points.to_rgba(range(len(names))), axis=0)) == len(names)
    titles = [axes.get_title() for axes in figs["digits"].axes]
    assert titles == [*names, ""]  # and the bar
    assert len(figs["reconstruction"].axes) == 2 * min(n_images, 10)


@pytest.mark.parametrize("n", (1, 2, 14, pytest.param(47, marks=pytest.mark.slow)))
def test_all_to_all_has_each_pair_of_classes(n, make, monkeypatch):
    monkeypatch.setattr(digits, "there_and_back", lambda n: latent.there_and_back(n)[:41])
    frames = draw(SPECS["interp-all-anim"], figures.Context("en", make(range(n), n))).frames
    scale = max(1, round(20 / n))
    assert len(frames) == 41
    assert frames[0].shape == (n * 28 * scale + 68, n * 28 * scale + 40)


def test_the_article_s_layout_stays():
    """With MNIST's ten classes and enough images, as it was made for them."""
    context = figures.Context("en", {"z2": "z2", "z20": "z20"})
    digits, reconstruction, scatter = (
        draw(SPECS[id], context) for id in ("digits", "reconstruction", "latent-scatter")
    )
    assert digits.get_size_inches().tolist() == [7.5, 3.5]
    assert reconstruction.get_size_inches().tolist() == [3.2, 15.2]
    for fig, top, bottom in ((digits, 0.92, 0.02), (reconstruction, 0.98, 0.005)):
        grid = fig.axes[0].get_gridspec()
        assert (grid.top, grid.bottom) == (pytest.approx(top), pytest.approx(bottom))
    assert digits.axes[-1].get_position().bounds == pytest.approx((0.93, 0.03, 0.018, 0.88))
    assert scatter.axes[0].get_position(original=True).bounds == (0.08, 0.075, 0.79, 0.915)
    assert scatter.axes[1].get_ylabel() == "digit"
    colors = scatter.axes[0].collections[0].cmap
    assert np.array_equal(colors(range(10)), style.DIGIT_COLORS(range(10)))
    assert all(text.get_size() == 18 for text in scatter.axes[0].texts)
