"""Every figure, from data sets of any number of classes and images: drawn, or one line says why."""

import warnings
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from conftest import write_idx_folder
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from chainer_vae import Config, InputError, Run, figures
from chainer_vae.figures import digits, registry, style, tsne
from chainer_vae.figures.runner import draw

SPECS = {spec.id: spec for spec in figures.all_figures()}
OF_DATA = [id for id, spec in SPECS.items() if spec.needs]
FEW = [((3,), 1), ((0,), 2)]
MORE = [
    ((0, 7), 3), ((200, 201, 255), 5), (range(7), 40), (range(11), 31), (range(47), 70_000),
]  # fmt: skip


def len_of(value):
    return str(value if isinstance(value, int) else len(value))


@pytest.fixture
def make(tmp_path, mnist):
    """A function that trains a little on MNIST's images, relabelled and cut, or of another shape
    and with other latent dimensions."""

    def make(classes, n_images, image_shape=(28, 28), dims=(2, 20)):
        rows, columns = (np.arange(size) * 28 // size for size in image_shape)
        images = mnist.test_images.reshape(-1, 28, 28)[:, rows[:, None], columns]
        images = np.resize(images.reshape(len(images), -1), (n_images, np.prod(image_shape)))
        labels = np.resize(np.array(classes), n_images)
        data = mnist._replace(
            train_images=images[:500], train_labels=labels[:500],
            test_images=images, test_labels=labels, image_shape=image_shape,
        )  # fmt: skip
        folder = write_idx_folder(tmp_path / "data", data, min(500, n_images), n_images, False)
        runs = {}
        for name, dimz in zip(("z2", "z20"), dims):
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
    context = figures.Context("en", make(classes, n_images))
    chosen = [SPECS[id] for id in OF_DATA]
    results = {r.spec.id: r for r in figures.draw_figures(chosen, context, tmp_path / "f")}
    assert list(results) == OF_DATA
    for id, result in results.items():
        if id == "embedding" and n_images < 4:
            verb = "is 1" if n_images == 1 else f"are {n_images}"
            assert str(result.error) == f"t-SNE needs at least 4 images, but there {verb}"
        else:
            assert result.error is None, id
        assert isinstance(result.error, (InputError, type(None)))
    assert figures.write_index(tmp_path / "f", "en") == sum(
        r.error is None for r in results.values()
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([5, 2, 7, 0, 7, 0], [3, 2]),  # the first 0, and the first 7
        ([5, 2, 3, 0, 2, 0], [3, 0]),  # without a 7: the last class is 5
        ([4, 4, 4], [0, 2]),
    ],
)
def test_the_ends_of_the_way_from_0_to_7(labels, expected, mnist):
    trained = registry.Trained("z2", "z2")
    trained.data = mnist._replace(test_labels=np.array(labels))
    assert trained.ends(0, 7) == expected


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
    assert bar.get_ylabel() == context.text("class", "ク\nラ\nス")
    assert [text.get_text() for text in scatter.texts] == names
    (points,) = scatter.collections
    assert points.get_array().tolist() == [i % len(names) for i in range(n_images)]
    assert len(np.unique(points.to_rgba(range(len(names))), axis=0)) == len(names)
    titles = [axes.get_title() for axes in figs["digits"].axes]
    assert titles == [*names, ""]  # and the bar
    assert len(figs["reconstruction"].axes) == 2 * min(n_images, 10)


@pytest.mark.parametrize("n", (1, 2, 14, pytest.param(47, marks=pytest.mark.slow)))
def test_all_to_all_has_each_pair_of_classes(n, make):
    frames = draw(SPECS["interp-all-anim"], figures.Context("en", make(range(n), n))).frames
    scale = max(1, round(20 / n))
    assert len(frames) == 80
    assert all(np.array_equal(frames[40 - i], frames[40 + i]) for i in range(40))
    assert frames[0].shape == (n * 28 * scale + 68, n * 28 * scale + 40)


SHAPES = [((56, 14), (3, 2)), ((14, 56), (2, 3)), ((64, 64), (5, 8)), ((3, 12), (2, 2))]


@pytest.mark.parametrize(
    ("image_shape", "dims"),
    [SHAPES[0], *(pytest.param(*each, marks=pytest.mark.slow) for each in SHAPES[1:])],
    ids=str,
)
def test_images_of_any_shape_and_any_latent_dimensions(
    image_shape, dims, make, tmp_path, monkeypatch
):
    monkeypatch.setattr(tsne, "N_FRAMES", 3)
    context = figures.Context("en", make(range(10), 30, image_shape, dims))
    drawn = figures.draw_figures([SPECS[id] for id in OF_DATA], context, tmp_path / "f")
    assert [result.error for result in drawn] == [None] * len(OF_DATA)
    stretch = min(max(image_shape[0] / image_shape[1], 0.25), 4)
    with matplotlib.rc_context(style.settings("en")):
        for id in ("manifold", "latent-scatter-window", "reconstruction", "digits"):
            fig = draw(SPECS[id], context)
            needed = fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer())
            assert min(needed.x0, needed.y0) >= -0.01
            assert needed.x1 <= fig.get_figwidth() + 0.01
            assert needed.y1 <= fig.get_figheight() + 0.01
            box = fig.axes[0].get_window_extent()
            if id in ("manifold", "latent-scatter-window"):
                assert box.height / box.width == pytest.approx(stretch)
    frame = digits.frames_one_by_one(np.zeros(1), np.zeros((1, *image_shape))).frames[0]
    dark = frame < 128  # the image at the bottom; above it stands t
    width = dark[250].sum()
    height = (dark.sum(axis=1) == width).sum()
    assert height / width == pytest.approx(image_shape[0] / image_shape[1], rel=0.2)


def test_more_than_two_latent_dimensions_are_shown_by_their_principal_plane(make):
    context = figures.Context("ja", make(range(10), 50, dims=(5, 5)))
    z2 = context.trained("z2")
    with matplotlib.rc_context(style.settings("ja")):
        scatter = draw(SPECS["latent-scatter"], context).axes[0]
        plane = draw(SPECS["manifold"], context).axes[0]
    mu = z2.latent_means - z2.latent_means.mean(axis=0)
    _, lengths, _ = np.linalg.svd(mu, full_matrices=False)
    shares = lengths**2 / (lengths**2).sum()
    shown = scatter.collections[0].get_offsets()
    np.testing.assert_allclose((shown**2).sum(axis=0), lengths[:2] ** 2, rtol=1e-3)
    expected = [f"第{i}主成分（寄与率{share:.0%}）" for i, share in enumerate(shares[:2], 1)]
    for axes in (scatter, plane):
        assert [axes.get_xlabel(), axes.get_ylabel()] == expected
    corner = z2.plane.lift(np.float32([[-2, 2]]))  # the upper left tile
    tile = plane.images[0].get_array()[:28, :28]
    np.testing.assert_allclose(tile, z2.decode(corner)[0], atol=1e-5)


@pytest.mark.parametrize("lang", ("en", "ja"))
def test_classes_are_called_by_their_names(lang, tmp_path, monkeypatch):
    """By those of a folder of pictures; none is a formula, too long, or without its letters."""
    names = ["$x^2$", "a name as long as this", "boat", "りんご"]
    random = np.random.RandomState(0)
    for number, name in enumerate(names):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(10):
            pixels = random.randint(0, 60 * (number + 1), (6, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    config = Config(epoch=1, dimz=2, dim_h=8, dataset=str(tmp_path / "set"))
    run = Run.start(config, tmp_path / "run")
    list(run.train())
    context = figures.Context(lang, {"z2": run.folder, "z20": run.folder})
    shown = ["\\$x^2\\$", "a name as l…", "boat", "りんご"]
    with matplotlib.rc_context(style.settings(lang)), warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph")  # of letters that a font has not
        scatter = draw(SPECS["latent-scatter"], context)
        firsts = draw(SPECS["digits"], context)
        for fig in (scatter, firsts):
            needed = fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer())
            assert needed.x0 >= -0.01 and needed.x1 <= fig.get_figwidth() + 0.01
        frames = draw(SPECS["interp-all-anim"], context).frames
        rows = [tsne.label_classes(np.full((440, 820, 3), 255, np.uint8), np.eye(2), [n, n])
                for n in ("c", shown[3])]  # fmt: skip
    points, bar = scatter.axes
    assert [text.get_text() for text in points.texts] == shown
    assert [label.get_text() for label in bar.get_yticklabels()] == shown
    assert bar.get_ylabel() == ""
    assert [axes.get_title() for axes in firsts.axes[:4]] == shown
    assert frames[0][:, 2].min() > 200  # nothing is cut off on the left
    assert (rows[0] != rows[1]).any()
    renderer = FigureCanvasAgg(scatter).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in points.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_long_names_do_not_cover_each_other_in_the_embedding():
    """Each is surrounded by white, which would hide a part of another."""
    names = ["triangle", "rectangle"]

    def ink(*means):
        image = np.full((440, 820, 3), 255, np.uint8)
        return (tsne.label_classes(image, np.array(means), names) < 100).sum()

    one, other, nowhere = (0, 0), (0.03, 0.01), (np.nan, np.nan)
    # One on the other has 0.57 of the ink; a label at another place, 3 % more or less.
    assert ink(one, other) > 0.9 * (ink(one, nowhere) + ink(nowhere, other))


def test_the_author_s_losses_are_shown_beside_those_that_compare(make):
    ours = figures.Context("en", {"z20": "z20"})
    others = figures.Context("en", make(range(10), 30))
    curves = [draw(SPECS["learning-curve"], context).axes[0].lines for context in (ours, others)]
    assert [len(lines) for lines in curves] == [6, 2]


def test_the_article_s_layout_stays():
    """With MNIST's ten classes and enough images, as it was made for them."""
    context = figures.Context("en", {"z2": "z2", "z20": "z20"})
    firsts, reconstruction, scatter = (
        draw(SPECS[id], context) for id in ("digits", "reconstruction", "latent-scatter")
    )
    assert firsts.get_size_inches().tolist() == [7.5, 3.5]
    assert reconstruction.get_size_inches().tolist() == [3.2, 15.2]
    for fig, top, bottom in ((firsts, 0.92, 0.02), (reconstruction, 0.98, 0.005)):
        grid = fig.axes[0].get_gridspec()
        assert (grid.top, grid.bottom) == (pytest.approx(top), pytest.approx(bottom))
    assert firsts.axes[-1].get_position().bounds == pytest.approx((0.93, 0.03, 0.018, 0.88))
    assert scatter.axes[0].get_position(original=True).bounds == (0.08, 0.075, 0.79, 0.915)
    assert scatter.axes[1].get_ylabel() == "digit"
    colors = scatter.axes[0].collections[0].cmap
    assert np.array_equal(colors(range(10)), style.DIGIT_COLORS(range(10)))
    assert all(text.get_size() == 18 for text in scatter.axes[0].texts)
