"""Chainer's computational graph of the loss, laid out by Graphviz."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Curve

from chainer_vae import graph
from chainer_vae.figures import style
from chainer_vae.figures.registry import Context, figure
from chainer_vae.random_numbers import numpy_random
from chainer_vae.runs.files import save_text

FONT = 8.5  # points
ARROW = 0.085  # inches
# Fill colours of variables, by the first letters of their names; W and b are parameters.
FILLS = {
    "enc_": "#DBEAFE",
    "z": "#EDE9FE",
    "dec_": "#FFEDD5",
    "reconstruction": "#FEE2E2",
    "latent loss": "#FEE2E2",
    "loss": "#FEE2E2",
    "x": "#D1FAE5",
    "W": "#FFFFFF",
    "b": "#FFFFFF",
}
NAMELESS = "#ECECEC"  # variables without a name
FUNCTION = "#9DBBF5"


@figure(
    "network", (14,), "2", "network.png", "network.png",
    en="The computational graph of the loss, as dumped by Chainer: functions (blue) and variables"
    " with their shapes. It contains the encoder, sampling, the decoder, and the two loss terms.",
    ja="Chainerが出力する損失の計算グラフ。青は関数、それ以外は変数とその形状（shape）です。"
    "エンコーダー、サンプリング、デコーダー、損失の2つの項からなります。",
    needs="z20",
)  # fmt: skip
def network(context: Context) -> Figure:
    z20 = context.trained("z20")
    batch = z20.model.xp.asarray(z20.data.test_images[:100])
    with numpy_random(np.random.RandomState(0)):
        text = graph.dump(z20.model.get_loss_func()(batch))
    context.attach("network.dot", lambda path: save_text(path, text))
    parsed = graph.parse(text)
    sizes = {name: node_size(lines(node.label)) for name, node in parsed.nodes.items()}
    layout = graph.lay_out(parsed, sizes)

    margin = 0.06
    width, height = layout.width + 2 * margin, layout.height + 2 * margin
    fig = Figure(figsize=(width, height))
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(-margin, width - margin), ylim=(-margin, height - margin))
    for _, _, points in layout.edges:
        draw_edge(axes, points)
    for name, node in parsed.nodes.items():
        draw_node(axes, node, layout.nodes[name], sizes[name])
    return fig


def lines(label: str) -> list[str]:
    """The lines of a node's label. A variable's name has a line of its own."""
    return label.split(": ")


def node_size(words: list[str]) -> tuple[float, float]:
    """The width and height in inches of a node with room for these lines."""
    letters = max(map(len, words))
    return 0.16 + letters * FONT * 0.6 / 72, 0.1 + len(words) * FONT * 1.35 / 72


def draw_edge(axes: Axes, points: np.ndarray) -> None:
    """Draw an edge along Bézier control points, in inches, shape (3 m + 1, 2), with its head."""
    codes = [Curve.MOVETO] + [Curve.CURVE4] * (len(points) - 1)
    axes.add_patch(PathPatch(Curve(points, codes), facecolor="none", edgecolor=style.INK, lw=0.9))
    end = points[-1]
    along = end - points[-2]
    along /= np.linalg.norm(along)
    across = np.array([-along[1], along[0]]) * ARROW * 0.38
    head = [end + along * ARROW, end + across, end - across]
    axes.add_patch(Polygon(head, facecolor=style.INK, edgecolor="none"))


def draw_node(
    axes: Axes, node: graph.Node, centre: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw a node with its label; ``centre`` (x, y) and ``size`` (width, height) are in inches."""
    (x, y), (width, height) = centre, size
    words = lines(node.label)
    edge: dict[str, Any] = dict(edgecolor="#555555", lw=0.8)
    if node.function:
        corner = x - width / 2, y - height / 2
        axes.add_patch(Rectangle(corner, width, height, facecolor=FUNCTION, **edge))
    else:
        named = words[0] if len(words) > 1 else ""
        fill = next((fill for name, fill in FILLS.items() if named.startswith(name)), NAMELESS)
        cut = 0.09
        a, b = width / 2, height / 2
        octagon = [
            (a - cut, b), (a, b - cut), (a, cut - b), (a - cut, -b),
            (cut - a, -b), (-a, cut - b), (-a, b - cut), (cut - a, b),
        ]  # fmt: skip
        axes.add_patch(Polygon(np.add(octagon, centre), facecolor=fill, **edge))
    font: dict[str, Any] = dict(size=FONT, family="DejaVu Sans", ha="center", va="center_baseline")
    pitch = FONT * 1.35 / 72
    for i, line in enumerate(words):
        weight = "bold" if i == 0 and len(words) > 1 else "normal"
        axes.text(x, y + (len(words) / 2 - 0.5 - i) * pitch, line, weight=weight, **font)
