"""Every figure of the article exists, is drawn completely, and shows what its caption says."""

import dataclasses
import functools
import json
import os
import re
import shutil
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from chainer_vae import Config, InputError, Run, encode, figures, graph, latent, load_model
from chainer_vae.datasets import DATA_DIR
from chainer_vae.figures import gallery, plane, style, tsne
from chainer_vae.figures.runner import draw
from chainer_vae.plane import principal_plane
from chainer_vae.runs import choose_run, describe_run, find_run, load_log
from chainer_vae.runs.models import MODELS_DIR

# The article's images in order: numbers, ID, file, and the model needed. Then further figures from
# its notebook, a learning curve, and what a seed decides.
INVENTORY = [
    ((1, 11), "interp-all-anim", "vae_all_9to9.gif", "z20"),
    ((2,), "autoencoder", "autoencoder.png", None),
    ((3,), "vae-overview", "vae_overview.png", None),
    ((4,), "reconstruction", "compare_reconstruction.png", "z20"),
    ((5,), "latent-scatter", "latent_scatter.png", "z2"),
    ((6,), "latent-arrow", "scatter_with_arrow.png", "z2"),
    ((7,), "interp-0-7-anim", "vae_0to7_dim_2.gif", "z2"),
    ((8,), "interp-0-7-frames", "frames_0to7.png", "z2"),
    ((9,), "manifold", "2dim_map.png", "z2"),
    ((10,), "latent-scatter-window", "scatter.png", "z2"),
    ((12,), "swiss-roll-anim", "swiss_roll.gif", None),
    ((13,), "swiss-roll-unrolled", "2D_swiss_roll.png", None),
    ((14,), "network", "network.png", "z20"),
    ((15,), "graphical-model", "graphical_model.png", None),
    ((16,), "encoder", "encoder.png", None),
    ((17,), "decoder", "decoder.png", None),
    ((18,), "vae-model", "vae_model.png", None),
    ((19,), "eq-elbo", "eq_elbo.png", None),
    ((20,), "elbo-gap-unknown", "elbo_gap_unknown.png", None),
    ((21,), "eq-gap", "eq_gap.png", None),
    ((22,), "elbo-gap-kl", "elbo_gap_kl.png", None),
    ((23,), "eq-elbo-kl", "eq_elbo_kl.png", None),
    ((24,), "eq-kl-three", "eq_kl_three.png", None),
    ((25,), "eq-substitute", "eq_substitute.png", None),
    ((26,), "eq-two-terms", "eq_two_terms.png", None),
    ((27,), "eq-bernoulli", "eq_bernoulli.png", None),
    ((28,), "eq-latent", "eq_latent.png", None),
    ((29,), "reparameterization", "reparameterization.png", None),
    ((30,), "embedding", "embedding.gif", "z20"),
    ((), "digits", "reconstruct_0to9.png", "z20"),
    ((), "interp-0-9-frames", "frames_0to9.png", "z20"),
    ((), "interp-0-9-anim", "vae_0to9.gif", "z20"),
    ((), "learning-curve", "learning_curve.png", "z20"),
    ((), "seeds", "seeds.png", None),
]
# Width, height, number of frames, milliseconds per frame, and the size of the original in bytes, if
# known.
ANIMATIONS = {
    "interp-all-anim": (600, 628, 80, 100, 2_882_638),
    "interp-0-7-anim": (256, 256, 81, 80, 444_190),
    "swiss-roll-anim": (768, 640, 36, 200, 2_979_050),
    "interp-0-9-anim": (256, 256, 81, 80, 444_190),
    "embedding": (820, 440, 36, 150, None),
}
RUNS = {"z20": "z20", "z2": "z2"}
SPECS = {spec.id: spec for spec in figures.all_figures()}
STILLS = [id for id, spec in SPECS.items() if not spec.animated]


@pytest.fixture(scope="module")
def few_points():
    """Fewer points for t-SNE, the slowest step of all figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tsne, "N_POINTS", 300)
        yield


@pytest.fixture(scope="module", params=("en", "ja"))
def drawn(request, few_points, tmp_path_factory):
    """All figures, drawn into a folder: the language, the folder, and the results by ID."""
    lang = request.param
    folder = tmp_path_factory.mktemp(lang)
    context = figures.Context(lang, RUNS)
    results = list(figures.draw_figures(SPECS.values(), context, folder))
    return lang, folder, {result.spec.id: result for result in results}


def context(lang="en", **runs):
    return figures.Context(lang, {**RUNS, **runs})


def test_registry_is_the_inventory():
    found = [(spec.numbers, spec.id, spec.file, spec.needs) for spec in figures.all_figures()]
    assert found == INVENTORY
    numbers = sorted(number for spec in SPECS.values() for number in spec.numbers)
    assert numbers == list(range(1, 31))
    for spec in SPECS.values():
        assert set(spec.caption) == {"en", "ja"}
        assert re.search("[ぁ-んァ-ヶ一-龠]", spec.caption["ja"]), spec.id
        assert spec.caption["en"].isprintable() and spec.caption["en"].endswith((".", ".)", "?")), (
            spec.id
        )
        assert bool(spec.original) == bool(spec.numbers)


@pytest.mark.slow
def test_everything_is_written(drawn):
    _, folder, results = drawn
    assert [result.error for result in results.values()] == [None] * len(INVENTORY)
    for _, id, file, _ in INVENTORY:
        assert results[id].files[0] == folder / file
        with Image.open(folder / file) as image:
            image.load()
            assert image.format == ("GIF" if file.endswith(".gif") else "PNG")
            if image.format == "PNG":
                # At most twice the width of the article's column; the graph is wider.
                assert image.width <= (1900 if id == "network" else 1500)
    assert (folder / "network.dot").read_text().startswith("digraph")
    assert (folder / "embedding" / "projector_config.pbtxt").is_file()
    assert not list(folder.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("id", ANIMATIONS)
def test_animations(drawn, id):
    _, folder, _ = drawn
    file = folder / SPECS[id].file
    width, height, n_frames, duration, original = ANIMATIONS[id]
    with Image.open(file) as image:
        assert image.size == (width, height)
        assert image.info["loop"] == 0  # endless
        durations = []
        for i in range(image.n_frames):
            image.seek(i)
            durations.append(image.info["duration"])
    assert durations == [duration] * n_frames
    assert original is None or file.stat().st_size <= original


@pytest.mark.slow
def test_the_same_pixels_twice(drawn, tmp_path):
    """The same models give the same files, byte for byte."""
    lang, folder, results = drawn
    again = list(figures.draw_figures(SPECS.values(), context(lang), tmp_path))
    assert len(again) == len(results)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) >= len(INVENTORY) + 4
    for file in files:
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


@pytest.fixture(scope="module")
def still():
    """A function that draws a figure, or gives the one that it has drawn before."""

    @functools.cache
    def drawn(id, lang):
        with matplotlib.rc_context(style.settings(lang)):
            return draw(SPECS[id], context(lang))

    return drawn


@pytest.mark.parametrize("lang", (pytest.param("en", marks=pytest.mark.slow), "ja"))
@pytest.mark.parametrize("id", STILLS)
def test_nothing_is_clipped(id, lang, still):
    fig = still(id, lang)
    with matplotlib.rc_context(style.settings(lang)):
        assert fig.get_figwidth() <= (9 if id == "network" else style.WIDTH)
        needed = fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer())
        pixel = 0.01
        assert min(needed.x0, needed.y0) >= -pixel
        assert needed.x1 <= fig.get_figwidth() + pixel
        assert needed.y1 <= fig.get_figheight() + pixel


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ("svg", "pdf"))
def test_other_formats(suffix, tmp_path):
    stills = [SPECS[id] for id in ("eq-gap", "network", "latent-arrow")]

    def draw_all(specs, lang, folder):
        results = figures.draw_figures(specs, context(lang), tmp_path / folder, suffix)
        assert [result.error for result in results] == [None] * len(specs)

    draw_all(stills, "en", "en")
    draw_all([*stills, SPECS["interp-0-7-anim"]], "ja", "ja")
    draw_all(stills, "ja", "again")
    for spec in stills:
        file = f"{Path(spec.file).stem}.{suffix}"
        content = (tmp_path / "ja" / file).read_bytes()
        assert content.startswith(b"<?xml" if suffix == "svg" else b"%PDF-")
        assert content == (tmp_path / "again" / file).read_bytes()
    assert (tmp_path / "ja" / "vae_0to7_dim_2.gif").is_file()


def test_japanese_letters_have_their_font(still):
    """The font contains all Japanese letters of the labels; otherwise boxes would be drawn."""
    from matplotlib.ft2font import FT2Font

    letters = set(FT2Font(str(style.japanese_font())).get_charmap())
    with matplotlib.rc_context(style.settings("ja")):
        assert matplotlib.rcParams["font.family"][0] == "IPAexGothic"
        n_japanese = 0
        for id in STILLS:
            for text in still(id, "ja").findobj(Text):
                japanese = re.findall("[ぁ-んァ-ヶ一-龠]", text.get_text())
                n_japanese += len(japanese)
                assert letters.issuperset(map(ord, japanese)), text
                if japanese:
                    assert text.get_fontname() == "IPAexGothic", text
    assert n_japanese > 200


# What the figures show


def drawn_figure(id):
    fig = draw(SPECS[id], context())
    assert isinstance(fig, Figure)
    return fig


@pytest.fixture(scope="module")
def trained(mnist):
    """For each model: the model, and the latent mean of the first test image of each digit."""
    result = {}
    for name in RUNS:
        model, _ = load_model(name)
        indices = [int(np.argmax(mnist.test_labels == digit)) for digit in range(10)]
        result[name] = model, encode(model, mnist.test_images[indices])[0]
    return result


def test_reconstruction_shows_inputs_and_outputs(mnist, trained):
    axes = drawn_figure("reconstruction").axes
    assert len(axes) == 20
    model, _ = trained["z20"]
    for i in range(10):
        left, right = (axes[2 * i + j].images[0].get_array() for j in range(2))
        np.testing.assert_array_equal(left.ravel(), mnist.test_images[i])
        expected = model(mnist.test_images[i : i + 1]).array
        np.testing.assert_allclose(right.ravel()[None], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("id", "name", "end"), (("interp-0-7-frames", "z2", 7), ("interp-0-9-frames", "z20", 9))
)
def test_frames_go_from_digit_to_digit(trained, id, name, end):
    axes = drawn_figure(id).axes
    assert len(axes) == 81
    titles = [each.get_title() for each in axes]
    assert titles[0] == "t=0.000" and titles[40] == "t=0.500" and titles[80] == "t=1.000"
    model, means = trained[name]
    middle = (means[0] + means[end]) / 2
    for index, z in ((0, means[0]), (40, middle), (80, means[end])):
        shown = axes[index].images[0].get_array().ravel()
        np.testing.assert_allclose(shown, model.decode(z[None]).array[0], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_all_to_all_has_each_pair_in_its_cell(trained):
    frames = draw(SPECS["interp-all-anim"], context()).frames
    assert len(frames) == 80
    model, means = trained["z20"]

    def cell(frame, start, end):
        found = frames[frame][60 + 56 * start : 116 + 56 * start, 32 + 56 * end :][:, :56]
        assert (found == found[::2, ::2].repeat(2, 0).repeat(2, 1)).all()  # sharp
        return found[::2, ::2] / 255

    for start, end in ((0, 9), (9, 0), (3, 3), (7, 2)):
        for frame, z in ((0, means[start]), (40, means[end])):
            expected = model.decode(z[None]).array.reshape(28, 28)
            np.testing.assert_allclose(cell(frame, start, end), expected, atol=0.008)
    z = means[7] + (means[2] - means[7]) / 4
    expected = model.decode(z[None]).array.reshape(28, 28)
    for frame in (10, 70):
        np.testing.assert_allclose(cell(frame, 7, 2), expected, atol=0.008)


@pytest.mark.parametrize(
    ("id", "name", "end"), (("interp-0-7-anim", "z2", 7), ("interp-0-9-anim", "z20", 9))
)
def test_animations_go_from_digit_to_digit(trained, id, name, end):
    """Each frame shows its decoded image, enlarged 8 times, and has a title of its own."""
    frames = draw(SPECS[id], context()).frames
    model, means = trained[name]
    for index, z in ((0, means[0]), (80, means[end])):
        shown = frames[index][28:252:8, 16:240:8] / 255
        expected = model.decode(z[None]).array.reshape(28, 28)
        np.testing.assert_allclose(shown, expected, atol=0.008)
    titles = {frame[:26].tobytes() for frame in frames}
    assert len(titles) == 81


def test_digits_shows_reconstructions_in_order(trained):
    model, means = trained["z20"]
    axes = drawn_figure("digits").axes[:10]
    for digit, each in enumerate(axes):
        assert each.get_title() == str(digit)
        expected = model.decode(means[digit : digit + 1]).array.reshape(28, 28)
        np.testing.assert_allclose(each.images[0].get_array(), expected, rtol=1e-4, atol=1e-5)


def test_arrow_points_from_the_0_to_the_7():
    axes = drawn_figure("latent-arrow").axes[0]
    arrow = next(text for text in axes.texts if not text.get_text())
    assert arrow.arrow_patch.get_arrowstyle().arrow == "-|>"


def test_embedding_draws_a_digit_at_its_position_in_its_colour():
    blank = np.full((tsne.PANEL, tsne.PANEL, 3), 255, np.uint8)
    image, color = np.ones((1, 28, 28)), np.array(style.DIGIT_COLORS(3)[:3])
    tsne.draw_sprites(blank, np.array([[0.5, 0.9, 1.0]]), image, color[None])
    rows, columns = np.nonzero((blank != 255).any(axis=2))
    middle = tsne.PANEL / 2
    assert abs(rows.mean() - (middle - 0.9 * tsne.REACH)) < 1  # upwards
    assert abs(columns.mean() - (middle + 0.5 * tsne.REACH)) < 1
    np.testing.assert_allclose(blank[rows, columns], 255 * color[None].repeat(len(rows), 0), atol=1)


def test_embedding_shows_the_farthest_points_whole():
    """In any direction: t-SNE's result differs between processors."""
    angle = np.deg2rad(np.arange(0, 360, 3))
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(120)], axis=1)
    image, color = np.ones((1, 28, 28), np.float32), np.array([[1.0, 0.0, 0.0]])
    for point in tsne.project(np.concatenate([circle, circle[:, [0, 2, 1]]]), azimuth=0.4):
        panel = np.full((tsne.PANEL, tsne.PANEL, 3), 255, np.uint8)
        tsne.draw_sprites(panel, point[None], image, color)
        inked = (panel != 255).any(axis=2).sum()
        assert inked == round(tsne.SPRITE * point[2]) ** 2


@pytest.mark.slow
def test_embedding_s_folder_and_frames(drawn, mnist):
    _, folder, _ = drawn
    lines = (folder / "embedding" / "metadata.tsv").read_text().splitlines()[1:]
    assert [int(line.split("\t")[0]) for line in lines] == mnist.test_labels.tolist()
    with Image.open(folder / "embedding.gif") as image:
        shown = set()
        for i in range(image.n_frames):
            image.seek(i)
            shown.add(image.convert("RGB").crop((0, 36, 400, 436)).tobytes())
    assert len(shown) == 36


def test_network_draws_every_node_and_edge_of_the_graph(mnist):
    fig = drawn_figure("network")
    loss = load_model("z20")[0].get_loss_func()(mnist.test_images[:100])
    parsed = graph.parse(graph.dump(loss))
    axes = fig.axes[0]
    words = sorted(text.get_text() for text in axes.texts)
    assert words == sorted(w for node in parsed.nodes.values() for w in node.label.split(": "))
    edges = [patch for patch in axes.patches if type(patch).__name__ == "PathPatch"]
    assert len(edges) == len(parsed.edges)
    # One patch per node, and a line and a head per edge.
    assert len(axes.patches) == len(parsed.nodes) + 2 * len(parsed.edges)


def test_map_has_its_corners_and_the_arrow_its_ends(trained):
    axes = drawn_figure("manifold").axes[0]
    image = axes.images[0]
    model, means = trained["z2"]
    pixels = image.get_array()
    assert pixels.shape == (700, 700)
    left, right, bottom, top = image.get_extent()
    for z in ((-2, 2), (2, 2), (-2, -2), (2, -2), (0, 0)):
        # The pixels of the tile centred at z.
        column = (z[0] - left) / (right - left) * 700 - 14
        row = (top - z[1]) / (top - bottom) * 700 - 14
        assert column == pytest.approx(round(column)) and row == pytest.approx(round(row))
        tile = pixels[round(row) : round(row) + 28, round(column) : round(column) + 28]
        expected = model.decode(np.array([z], np.float32)).array.reshape(28, 28)
        np.testing.assert_allclose(tile, expected, rtol=1e-4, atol=1e-5)
    for id in ("manifold", "latent-arrow"):
        axes = drawn_figure(id).axes[0]
        arrow = next(text for text in axes.texts if not text.get_text())
        np.testing.assert_allclose(arrow.xyann, means[0], rtol=1e-5)
        np.testing.assert_allclose(arrow.xy, means[7], rtol=1e-5)


def test_scatter_has_5000_latent_means_in_the_digits_colours(mnist, trained):
    model, _ = trained["z2"]
    latents = encode(model, mnist.test_images[:5000])[0]
    for id in ("latent-scatter", "latent-scatter-window"):
        axes = drawn_figure(id).axes[0]
        points = axes.collections[0]
        np.testing.assert_allclose(points.get_offsets(), latents, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(points.get_array(), mnist.test_labels[:5000])
        names = {text.get_text(): text.xy for text in axes.texts if text.get_text()}
        for digit, mean in enumerate(latent.class_means(latents, mnist.test_labels[:5000])):
            np.testing.assert_allclose(names[str(digit)], mean, rtol=1e-5)
    window, map_axes = axes, drawn_figure("manifold").axes[0]
    assert window.get_xlim() == map_axes.get_xlim() and window.get_ylim() == map_axes.get_ylim()
    assert window.get_position().bounds == map_axes.get_position().bounds


def test_learning_curve_has_the_recorded_losses():
    axes = drawn_figure("learning-curve").axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    # results/README.md and the author's logs, at epoch 100.
    ends = {
        "this run, test": 97.083, "this run, training": 93.949,
        "article, run 1, test": 97.193, "article, run 2, training": 93.964,
    }  # fmt: skip
    for label, loss in ends.items():
        assert len(lines[label]) == 100
        assert lines[label][-1] == pytest.approx(loss, abs=6e-4)


def test_what_a_seed_decides_is_as_recorded():
    record = json.loads((DATA_DIR / "seeds.json").read_text())
    kl, loss = drawn_figure("seeds").axes
    runs = {run["seed"]: run for run in record["runs"] if run["dimz"] == 20}
    curves = {line.get_label(): list(line.get_ydata()) for line in kl.lines}
    for seed, run in runs.items():
        assert curves[f"seed {seed}"] == sorted(run["kl"], reverse=True)
        assert sum(value > 0.1 for value in run["kl"]) == run["active_by_kl"]
    points = {text.get_text(): text.xy for text in loss.texts}
    assert points.keys() == {str(seed) for seed in runs}
    for seed, run in runs.items():
        x, y = points[str(seed)]
        assert round(x) == run["active_by_kl"] and y == run["losses"]["100"]["test"]
    authors = [line.get_ydata()[0] for line in loss.lines if len(set(line.get_ydata())) == 1]
    assert {round(value, 3) for value in authors} >= {97.193, 97.12}


@pytest.mark.parametrize("n", (1, 2, 30, 130))
def test_learning_curve_of_another_length(monkeypatch, n):
    """It shows all epochs of the run, and all losses of a short one, with the article's."""
    log = [{"epoch": 1 + i, "main/loss": 170.0 / (1 + i), "validation/main/loss": 140.0 / (1 + i)}
           for i in range(n)]  # fmt: skip
    shared = context()
    monkeypatch.setitem(vars(shared.trained("z20")), "log", log)
    axes = draw(SPECS["learning-curve"], shared).axes[0]
    assert axes.get_xlim() == (0, n if n > 1 else 1.05)
    bottom, top = axes.get_ylim()
    for line in axes.lines:
        losses = line.get_ydata()[n // 40 : n]
        assert len(losses) > 0 and bottom < min(losses) and max(losses) < top


# The result of each equation, written independently of the code.
RESULTS = {
    "eq-elbo": [r"\log p(X)", "=", r"\geq", r"\mathcal{L}(X,z)"],
    "eq-gap": ["=", r"D_{\mathrm{KL}}\left[q(z|X)\,\|\,p(z|X)\right]", r"\geq", "0"],
    "eq-elbo-kl": ["=", r"\log p(X)", "-", r"q_\phi(z|X)\,\|\,p_\theta(z|X)"],
    "eq-kl-three": [
        r"D_{\mathrm{KL}}\left[q(z|X)\,\|\,p(z)\right]", "-",
        r"E_{q(z|X)}\left[\log p(X|z)\right]", "+", r"\log p(X)",
    ],
    "eq-substitute": [
        "-", r"D_{\mathrm{KL}}\left[q(z|X)\,\|\,p(z)\right]", "+",
        r"E_{q(z|X)}\left[\log p(X|z)\right]",
    ],
    "eq-two-terms": [
        r"\mathcal{L}(X,z)", "=", "-", r"D_{\mathrm{KL}}\left[q(z|X)\,\|\,p(z)\right]", "+",
        r"E_{q(z|X)}\left[\log p(X|z)\right]",
    ],
    "eq-bernoulli": [r"\sum_{i=1}^{D}", r"x_i\,\log y_i + (1 - x_i)\,\log (1 - y_i)"],
    "eq-latent": [
        r"\dfrac{1}{2} \sum_{j=1}^{J}\,"
        r"\left(1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2\right)"
    ],
}  # fmt: skip
RELATIONS = {  # the relation signs of the lines, from the top
    "eq-elbo": ["=", "=", r"\geq", "="],
    "eq-gap": ["=", "=", "=", "=", "=", r"\geq"],
    "eq-elbo-kl": ["="],
    "eq-kl-three": ["=", "=", "=", "="],
    "eq-substitute": ["=", "=", "="],
    "eq-two-terms": ["="],
    "eq-bernoulli": ["=", "=", "=", "="],
    "eq-latent": ["=", "=", "=", "="],
}


@pytest.mark.parametrize("id", RESULTS)
def test_equations_come_to_their_results(id):
    texts = drawn_figure(id).axes[0].texts
    formulas = [text.get_text().strip("$") for text in texts if text.get_text()[0] == "$"]
    relations = [formula for formula in formulas if formula in ("=", r"\geq", r"\leq")]
    assert relations == RELATIONS[id]
    index = 0
    for expected in reversed(RESULTS[id]):  # from the end: each comes before the next one
        found = [i for i, formula in enumerate(formulas) if expected in formula]
        found = [i for i in found if index == 0 or i < index]
        assert found, expected
        index = found[-1]


# What can go wrong


def test_learning_curve_of_no_epoch(monkeypatch):
    shared = context()
    monkeypatch.setitem(vars(shared.trained("z20")), "log", [])
    with pytest.raises(InputError, match="has not finished an epoch"):
        draw(SPECS["learning-curve"], shared)


def test_wrong_models(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        context(z20=tmp_path).trained("z20")


def test_one_latent_dimension(tmp_path):
    """What shows no plane is drawn."""
    run = Run.start(Config(dimz=1, dim_h=8, epoch=1, test=True), tmp_path / "run")
    list(run.train())
    context = figures.Context("en", {"z2": run.folder, "z20": run.folder})
    chosen = ("learning-curve", "digits", "reconstruction", "interp-0-7-frames", "latent-scatter")
    drawn = figures.draw_figures([SPECS[id] for id in chosen], context, tmp_path)
    *others, scatter = [result.error for result in drawn]
    assert others == [None] * 4 and isinstance(scatter, InputError)
    assert re.match("the latent plane needs 2 latent dim.*, but .* has 1; .*--run-z2", str(scatter))


def test_a_figure_that_fails_does_not_stop_the_others(tmp_path):
    chosen = [SPECS[id] for id in ("digits", "latent-arrow", "manifold", "eq-elbo-kl")]
    results = list(figures.draw_figures(chosen, context(z2=tmp_path), tmp_path))
    assert [result.error is None for result in results] == [True, False, False, True]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "eq_elbo_kl.png", "reconstruct_0to9.png",
    ]  # fmt: skip


def test_no_font(monkeypatch, tmp_path):
    """Figures with Japanese labels fail with one line; the others, and English ones, do not."""
    monkeypatch.setattr(style, "FONT_PACKAGE", "no_such_package")
    chosen = [SPECS[id] for id in ("digits", "latent-scatter", "eq-elbo")]
    results = list(figures.draw_figures(chosen, context("ja"), tmp_path))
    assert [result.error is None for result in results] == [True, False, False]
    assert "pip install matplotlib-fontja" in str(results[1].error)
    results = list(figures.draw_figures(chosen, context("en"), tmp_path))
    assert [result.error for result in results] == [None] * 3


def test_no_renderer(monkeypatch, tmp_path):
    """The .dot file is written all the same."""
    monkeypatch.setattr("chainer_vae.graph.graphviz", lambda: None)
    (result,) = figures.draw_figures([SPECS["network"]], context(), tmp_path)
    assert "pip install graphviz-pure" in str(result.error)
    assert result.files == [tmp_path / "network.dot"]
    assert (tmp_path / "network.dot").is_file()


def test_settings_of_the_caller_do_not_matter(tmp_path):
    plain = tmp_path / "plain"
    changed = tmp_path / "changed"
    chosen = [SPECS["eq-elbo"], SPECS["learning-curve"]]
    assert all(r.error is None for r in figures.draw_figures(chosen, context(), plain))
    matplotlib.get_backend()  # this fixes the backend
    before = matplotlib.rcParams.copy()
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}):
        assert all(r.error is None for r in figures.draw_figures(chosen, context(), changed))
    for file in plain.iterdir():
        assert file.read_bytes() == (changed / file.name).read_bytes()
    assert matplotlib.rcParams == before


def test_choose_run(tmp_path):
    """The user's last trained run of the required sizes; otherwise the shipped model."""
    runs = tmp_path / "runs"
    assert choose_run("z20", runs) == "package:z20"
    for name, model, age in (("a", "z20", 30), ("b", "z20", 20), ("c", "z2", 10)):
        shutil.copytree(MODELS_DIR / model, runs / name)
        file = next((runs / name).glob("*.model"))
        stamp = file.stat().st_mtime - age
        for each in (runs / name).iterdir():
            each.chmod(0o644)
        os.utime(file, (stamp, stamp))
    # Newer, but trained on only 100 images, or on other images.
    for name, old, new in (("quick", '"test": false', '"test": true'), ("big", "784", "1024")):
        shutil.copytree(runs / "b", runs / name)
        config = (runs / name / "config.json").read_text()
        assert old in config
        (runs / name / "config.json").write_text(config.replace(old, new))
        (runs / name / "mlp_20.model").touch()
    for name, text in (("untrained", "[]"), ("cut", "["), ("logless", None)):
        shutil.copytree(runs / "b", runs / name)
        (runs / name / "log").unlink()
        if text is not None:
            (runs / name / "log").write_text(text)
        (runs / name / "mlp_20.model").touch()
    (runs / "broken").mkdir()
    (runs / "broken" / "mlp_20.model").write_bytes(b"")
    assert choose_run("z20", runs) == runs / "b"
    assert choose_run("z2", runs) == runs / "c"
    assert describe_run(runs / "b") == f"{runs / 'b'} (seed 0, 100 epochs)"
    assert "comes with chainer-vae" in describe_run("z20") == describe_run(choose_run("z20", "no"))
    (tmp_path / "file").write_text("")
    assert choose_run("z20", tmp_path / "file") == "package:z20"


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.figures, self.images, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "figure":
            self.figures.append(attributes["id"])
        elif tag == "img":
            self.images.append(attributes)
        elif tag == "a":
            self.links.append(attributes["href"])


@pytest.mark.slow
def test_index(drawn):
    lang, folder, _ = drawn
    assert figures.write_index(folder, lang) == len(INVENTORY)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert len(text) < 50_000 and text.count("<script") == 1
    page = _Page()
    page.feed(text)
    assert page.figures == [id for _, id, _, _ in INVENTORY]
    files = [file for *_, file, _ in INVENTORY]
    assert [image["src"] for image in page.images] == files * 2
    for image in page.images[len(files) :]:  # the first are the thumbnails
        with Image.open(folder / image["src"]) as file:
            assert (
                0.99 < int(image["width"]) / int(image["height"]) / file.width * file.height < 1.01
            )
        assert image["alt"]
    ids = [f"#{id}" for id in page.figures]
    assert [link for link in page.links if link[0] == "#"] == ids + ["#contents"] * len(ids)
    for link in page.links:
        assert link.startswith(("https://", "#")) or (folder / link).exists()
    for id, spec in SPECS.items():
        command = f"chainer-vae figures --only {id}{'' if lang == 'en' else ' --lang ja'}"
        assert f"<code>{command}</code>" in text
        assert spec.original in text


def test_commands_are_copied(tmp_path, browser):
    (tmp_path / SPECS["manifold"].file).write_bytes(b"")
    figures.write_index(tmp_path, "en")
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto((tmp_path / "index.html").as_uri())
        page.click("text=Copy")
        page.wait_for_selector("text=Copied")
        command = "chainer-vae figures --only manifold"
        assert page.evaluate("navigator.clipboard.readText()") == command
        assert page.evaluate("getSelection().toString()") == command
        page.click("nav a")
        assert page.url.endswith("#manifold")
    with browser.new_context() as context:  # where it is refused
        page = context.new_page()
        page.goto((tmp_path / "index.html").as_uri())
        page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject('no'))")
        page.click("text=Copy")
        assert page.evaluate("getSelection().toString()") == command


ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "lang", "folder"),
    [("README.md", "en", "results/figures"), ("README.ja.md", "ja", "results/figures/ja")],
)
def test_readme_gallery_is_up_to_date(name, lang, folder):
    """scripts/update_gallery.py would change nothing."""
    readme = (ROOT / name).read_text(encoding="utf-8")
    part = re.search("<!-- gallery -->\n(.*)<!-- end of gallery -->", readme, re.DOTALL)
    assert part and part.group(1) == gallery.selection(folder, lang)
    there = {file.name for file in (ROOT / folder).iterdir() if file.is_file()}
    assert there == {SPECS[id].file for id in gallery.SELECTION}


def test_readme_gallery_has_short_captions():
    japanese = re.compile("[ぁ-んァ-ヶ一-龠]")
    for caption in gallery.SELECTION.values():
        assert japanese.search(caption["ja"]) and not japanese.search(caption["en"])
        assert len(caption["ja"]) <= 25 and len(caption["en"]) <= 50
    rows = re.findall("<tr>(.*?)</tr>", gallery.selection("here", "ja"), re.DOTALL)
    shown = re.findall(
        '(?s)<img src="here/(.*?)" alt=".+?"><br><sub>(.+?)</sub></td>', "".join(rows)
    )
    assert [row.count("<td") for row in rows] == [gallery.COLUMNS] * (len(shown) // 2)
    selected = gallery.SELECTION.items()
    assert shown == [(SPECS[id].file, caption["ja"]) for id, caption in selected]


def test_colours_of_an_animation(tmp_path):
    """Greys stay grey, colours nearly the same, and what stays the same is drawn once."""
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3).repeat(20, axis=0)
    colours = np.random.RandomState(0).randint(0, 256, (10, 3)).astype(np.uint8)
    frames = []
    for column in range(0, 200, 10):
        frame = ramp.copy()
        frame[5:15, column : column + 10] = colours
        frames.append(frame)
    figures.output.save(figures.Animation(frames, 50), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        for index, frame in enumerate(frames):
            image.seek(index)
            found = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(found - frame).max() <= 8
            assert (np.ptp(found, axis=2)[np.ptp(frame, axis=2) == 0] == 0).all()
    assert (tmp_path / "a.gif").stat().st_size < 10_000


def test_two_figures_of_one_id():
    with pytest.raises(ValueError, match="two figures have the ID manifold"):
        figures.registry.figure("manifold", (), "ours", "x.png", "", en="", ja="")(lambda c: None)


def test_what_one_figure_lacks_does_not_keep_the_others(tmp_path):
    """A package that is not installed; a file beside the figure that cannot be written."""

    def needs_more(context):
        raise ModuleNotFoundError("No module named 'lacking'", name="lacking")

    def attaches(context):
        def fail(path):
            raise InputError(f"cannot write {path}: No space left on device")

        context.attach("beside.txt", fail)
        return Figure()

    def is_wrong(context):
        context.attach("beside.txt", lambda path: 1 / 0)
        raise IndexError("index 10 is out of bounds\nfor axis 0 with size 10")

    spec = SPECS["eq-elbo"]
    specs = [
        dataclasses.replace(spec, file="a.png", draw=needs_more),
        dataclasses.replace(spec, file="b.png", draw=attaches),
        dataclasses.replace(spec, file="c.png", draw=is_wrong),
        dataclasses.replace(spec, file="d.png", draw=lambda context: Figure()),
    ]
    drawn = list(figures.draw_figures(specs, context(), tmp_path))
    assert str(drawn[0].error) == "lacking is not installed: pip install lacking"
    assert "No space left" in str(drawn[1].error)
    assert isinstance(drawn[2].error, IndexError)
    assert drawn[3].error is None
    names = [[file.name for file in result.files] for result in drawn]
    assert names == [[], ["b.png"], [], ["d.png"]]


def test_a_damaged_file_does_not_keep_the_page(tmp_path):
    (tmp_path / SPECS["manifold"].file).write_bytes(b"not a picture")
    assert figures.write_index(tmp_path, "en") == 1
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<img") == 2


def test_a_picture_of_terabytes_does_not_keep_the_page(tmp_path):
    """By its header; Pillow refuses it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / SPECS["manifold"].file).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    assert figures.write_index(tmp_path, "en") == 1


def test_an_arrow_that_leads_out_of_the_map_is_drawn_within():
    """As that of a model of few epochs."""
    fig, axes = plane.map_figure((28, 28))
    fig.set(figwidth=4, figheight=4, dpi=50)
    means = np.array([[-1.0, -1.0], [3.0, 3.0]])
    z2 = SimpleNamespace(
        latent_means=means, ends=lambda start, end: [0, 1], plane=principal_plane(means)
    )
    plane.draw_arrow(axes, z2, "red")
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    red = np.asarray(canvas.buffer_rgba())[..., :3] == (255, 0, 0)
    rows, columns = np.nonzero(red.all(axis=-1))
    box = axes.get_window_extent()
    assert columns.max() > box.x0 + 0.9 * box.width  # up to the edge
    assert columns.max() <= box.x1 + 1 and 200 - rows.min() <= box.y1 + 1


# A linear RGB colour as people without one kind of cone see it: G. M. Machado, M. M. Oliveira and
# L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency"
# (2009), severity 1.
COLOUR_BLIND = {
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def least_difference(colors, eye):
    """Between two of the colours, CIE76, as an eye sees them."""
    rgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    linear = (linear @ np.transpose(COLOUR_BLIND.get(eye, np.eye(3)))).clip(0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.transpose(to_xyz) / (0.9505, 1, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    return min(np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[:i])


@pytest.mark.parametrize("eye", ["usual", *COLOUR_BLIND])
def test_the_colour_blind_can_tell_the_digits_apart(eye):
    ours, rainbow = (style.class_colors(10, rainbow=r)(range(10)) for r in (False, True))
    assert least_difference(ours, eye) > 13 > least_difference(rainbow, "deuteranopia")


def test_class_colours_are_the_digits_or_the_articles_rainbow():
    assert style.class_colors(4).N == 4
    assert np.array_equal(style.class_colors(4)(range(4)), style.DIGIT_COLORS(range(4)))
    rainbow = matplotlib.colormaps["rainbow"].resampled(26)(range(26))
    assert np.array_equal(style.class_colors(26)(range(26)), rainbow)  # more than ten
    fig = draw(SPECS["latent-scatter"], figures.Context("en", RUNS, rainbow=True))
    shown = fig.axes[0].collections[0].cmap(range(10))
    assert np.array_equal(shown, matplotlib.colormaps["rainbow"].resampled(10)(range(10)))


def test_labels_leave_the_arrow_clear():
    fig = drawn_figure("latent-arrow")
    renderer = FigureCanvasAgg(fig).get_renderer()
    fig.draw(renderer)
    axes = fig.axes[0]
    arrow = next(text for text in axes.texts if not text.get_text())
    share = np.linspace(0, 1, 1000)[:, None]
    line = axes.transData.transform((1 - share) * arrow.xyann + share * arrow.xy)
    for label in axes.texts:
        if label.get_text():
            box = Text.get_window_extent(label, renderer)
            assert not any(box.contains(*point) for point in line), label.get_text()


def test_the_maps_arrow_stops_at_the_frames_of_its_ends(trained):
    axes = drawn_figure("manifold").axes[0]
    model, means = trained["z2"]
    for image, frame, digit in zip(axes.images[1:], axes.patches, (0, 7)):
        left, right, bottom, top = image.get_extent()
        assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx(tuple(means[digit]))
        assert frame.get_bbox().extents == pytest.approx((left, bottom, right, top))
        expected = model.decode(means[digit : digit + 1]).array.reshape(28, 28)
        np.testing.assert_allclose(image.get_array(), expected, rtol=1e-4, atol=1e-5)
    arrow = next(text for text in axes.texts if not text.get_text())
    assert arrow.arrowprops["shrinkA"] == arrow.arrowprops["shrinkB"] > 0


def test_learning_curve_says_where_it_ends():
    log = load_log(find_run("z20") / "log")[-1]
    words = [text.get_text() for text in drawn_figure("learning-curve").axes[0].texts]
    assert words == [f"{log['main/loss']:.2f}", f"{log['validation/main/loss']:.2f}"]


@pytest.mark.parametrize("last", [(192.92, 190.41), (1234.5, 1234.4), (93.9, 97.1)])
def test_learning_curve_s_last_losses_can_be_read(monkeypatch, last):
    """Within the picture, and not one on top of the other."""
    log = [
        {"epoch": 1 + i, "main/loss": (400 - 4 * i) + train, "validation/main/loss": test}
        for i, (train, test) in enumerate(100 * [last])
    ]
    shared = context()
    monkeypatch.setitem(vars(shared.trained("z20")), "log", log)
    fig = draw(SPECS["learning-curve"], shared)
    renderer = FigureCanvasAgg(fig).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in fig.axes[0].texts]
    assert len(boxes) == 2 and not boxes[0].overlaps(boxes[1])
    assert all(box.x1 <= fig.bbox.x1 and box.y0 >= 0 for box in boxes)


def test_a_colour_bar_s_japanese_is_upright():
    label = draw(SPECS["latent-scatter"], context("ja")).axes[1].yaxis.label
    assert (label.get_text(), label.get_rotation()) == ("数\n字", 0)


def test_a_point_on_the_line_moves_beside_it():
    line = np.array([[0.0, 0.0], [2.0, 0.0]])
    points = np.array([[1.0, 0.1], [1.0, -0.1], [1.0, 3.0], [-2.0, 0.0]])
    moved = plane.beside(points, line, 0.5)
    np.testing.assert_allclose(moved, [[1, 0.5], [1, -0.5], [1, 3], [-2, 0]])
    assert np.array_equal(plane.beside(points, line[[0, 0]], 0.5), points)  # no line at all
