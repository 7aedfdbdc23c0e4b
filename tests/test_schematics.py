"""The article's diagrams."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch, Rectangle

from chainer_vae.evaluation import encode
from chainer_vae.figures import all_figures, schematics, style
from chainer_vae.figures.registry import Context
from chainer_vae.figures.runner import draw, draw_figures
from chainer_vae.latent import decode
from chainer_vae.runs import load_model

SPECS = {spec.id: spec for spec in all_figures() if spec.draw.__module__ == schematics.__name__}


@pytest.fixture(scope="module", params=("en", "ja"))
def context(request):
    if request.param == "ja" and style.japanese_font() is None:
        pytest.skip("there is no Japanese font: pip install matplotlib-fontja")
    return Context(request.param, {"z20": "z20", "z2": "z2"})


def test_numbers_and_captions():
    numbers = [number for spec in SPECS.values() for number in spec.numbers]
    assert sorted(numbers) == [2, 3, 15, 16, 17, 18, 20, 22, 29]
    assert all(spec.needs is None and set(spec.caption) == {"en", "ja"} for spec in SPECS.values())


@pytest.mark.parametrize("id", SPECS)
def test_every_text_is_inside_the_figure_and_overlaps_no_other(context, id):
    fig = draw(SPECS[id], context)
    renderer = FigureCanvasAgg(fig).get_renderer()
    texts = [text for text in fig.axes[0].texts if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    assert len(boxes) >= 3
    for text, box in boxes:
        assert box.x0 >= 4 and box.y0 >= 4, text
        assert box.x1 <= fig.bbox.width - 4 and box.y1 <= fig.bbox.height - 4, text
    for patch in fig.axes[0].patches:
        if isinstance(patch, FancyBboxPatch):
            outline = patch.get_window_extent(renderer)
            for text, box in boxes:
                if outline.contains(*box.get_points().mean(axis=0)):
                    assert outline.x0 < box.x0 and box.x1 < outline.x1, text
                    assert outline.y0 < box.y0 and box.y1 < outline.y1, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
    assert min(text.get_size() for text in texts) >= 11


@pytest.mark.slow
def test_files_are_the_same_every_time(context, tmp_path):
    first, second = [
        [
            drawn.files[0].read_bytes()
            for drawn in draw_figures(SPECS.values(), context, folder, "svg")
        ]
        for folder in (tmp_path / "first", tmp_path / "second")
    ]
    assert first == second


@pytest.mark.parametrize("end", [(300, 100), (100, 300), (250, 40)])
@pytest.mark.parametrize("bend", [0, 0.4])
def test_an_arrow_ends_where_the_shape_begins(end, bend):
    _, axes = schematics.canvas(400)
    start = schematics.node(axes, 100, 100, "", style.INK)
    target = schematics.node(axes, *end, "", style.INK, radius=30)
    schematics.arrow(axes, start, target, bend=bend)
    *_, line, head = axes.patches
    tail, tip = line.get_path().vertices[0], head.get_xy()[0]
    assert np.hypot(*(tail - start[:2])) == pytest.approx(21 + schematics.CLEARANCE, abs=1)
    assert np.hypot(*(tip - target[:2])) == pytest.approx(30 + schematics.CLEARANCE, abs=1)


@pytest.mark.parametrize("id", ["autoencoder", "vae-overview", "vae-model"])
def test_the_output_is_the_shipped_models_reconstruction_of_the_input(mnist, id):
    fig = draw(SPECS[id], Context("en", {}))
    x, reconstruction = [np.asarray(image.get_array()) for image in fig.axes[0].images]
    np.testing.assert_array_equal(x.ravel(), mnist.test_images[0])
    model, _ = load_model("z20")
    expected = decode(model, encode(model, mnist.test_images[:1])[0])
    np.testing.assert_array_equal(reconstruction.ravel(), expected[0])


@pytest.mark.parametrize("id", ["elbo-gap-unknown", "elbo-gap-kl"])
def test_the_bound_and_the_gap_add_up_to_the_evidence(id):
    fig = draw(SPECS[id], Context("en", {}))
    patches = fig.axes[0].patches
    evidence, bound, gap = [patch for patch in patches if isinstance(patch, Rectangle)]
    assert bound.get_height() > 0 and gap.get_height() > 0
    assert bound.get_height() + gap.get_height() == evidence.get_height()
    assert bound.get_y() == evidence.get_y()
    assert gap.get_y() == bound.get_y() + bound.get_height()


def test_both_gap_figures_differ_only_in_the_name_of_the_gap():
    texts = []
    for id in ("elbo-gap-unknown", "elbo-gap-kl"):
        axes = draw(SPECS[id], Context("en", {})).axes[0]
        texts.append([text.get_text() for text in axes.texts])
    unknown, named = texts
    assert unknown[:-1] == named[:-1]
    assert unknown[-1] == "?" and "KL" in named[-1]
