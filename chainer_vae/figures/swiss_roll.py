"""The swiss roll, a two-dimensional sheet in three dimensions: rolled up, and unrolled."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.digits import pixel_figure
from chainer_vae.figures.output import pixels
from chainer_vae.figures.registry import Animation, Context, figure

N_SEGMENTS = 6
COLORS = colormaps["turbo"](np.linspace(0.08, 0.92, N_SEGMENTS))
POINT: dict[str, Any] = dict(edgecolors="#404040", linewidths=0.5)
PAIR: dict[str, Any] = dict(
    color="black", marker="o", markersize=8, linewidth=2, markeredgecolor="white"
)


class SwissRoll(NamedTuple):
    """Points of a swiss roll, in space and unrolled, with all lengths in the same unit.

    Attributes:
        points (numpy.ndarray): In space, shape (n, 3): the roll winds around the second axis.
        flat (numpy.ndarray): The same points on the sheet, unrolled without stretching, shape
            (n, 2).
        segment (numpy.ndarray): Segments of equal length, 0 (inside) to 5 (outside), shape (n,).
    """

    points: np.ndarray
    flat: np.ndarray
    segment: np.ndarray


def swiss_roll(n: int = 1500, seed: int = 0) -> SwissRoll:
    """Random points on a swiss roll, (t cos t, y, t sin t) with 3/2 pi <= t <= 9/2 pi.

    Unrolled, the first coordinate of a point is the length of the spiral from its inner end, ::

        s(t) - s(3/2 pi),  where  s(t) = 1/2 (t sqrt(1 + t^2) + asinh t).

    Distances along the sheet are therefore preserved.

    Args:
        n: Number of points.
        seed: Seed of the random numbers.

    Returns:
        SwissRoll: The points in space and unrolled.

    Source:
        The article's section 1-3; scikit-learn's ``make_swiss_roll``.

    Example:
        >>> from chainer_vae.figures.swiss_roll import swiss_roll
        >>> roll = swiss_roll(n=100)
        >>> roll.points.shape, roll.flat.shape
        ((100, 3), (100, 2))
    """
    from sklearn.datasets import make_swiss_roll  # here, because the import is slow

    points, t = make_swiss_roll(n, random_state=seed)
    inner, outer = _length(np.array([1.5, 4.5]) * np.pi)
    along = _length(t) - inner
    segment = (along / (outer - inner) * N_SEGMENTS).astype(int).clip(0, N_SEGMENTS - 1)
    return SwissRoll(points, np.stack([along, points[:, 1]], axis=1), segment)


def _length(t: np.ndarray) -> np.ndarray:
    """The length of the spiral r = t from its centre to t."""
    return (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2


def deceptive_pair(roll: SwissRoll) -> tuple[int, int]:
    """The indices of two points that are close in space but far apart along the sheet.

    Of all pairs, they have the largest ratio of the distance along the sheet to that in space.

    Args:
        roll: The points.

    Returns:
        tuple of int: The two indices.
    """
    space = np.linalg.norm(roll.points[:, None] - roll.points, axis=-1)
    sheet = np.linalg.norm(roll.flat[:, None] - roll.flat, axis=-1)
    np.fill_diagonal(space, np.inf)
    first, second = np.unravel_index(np.argmax(sheet / space), space.shape)
    return int(first), int(second)


@figure(
    "swiss-roll-anim", (12,), "1-3", "swiss_roll.gif", "3次元中の２次元多様体としてのスイスロール",
    en="A swiss roll: points in three dimensions that lie on a two-dimensional sheet. The two black"
    " points are close in space (black line) but far apart along the sheet.",
    ja="スイスロール。3次元空間にありますが、点は2次元の面の上にしかありません。"
    "黒い線で結んだ2点は、空間では近く、面に沿うと遠く離れています。",
)  # fmt: skip
def swiss_roll_anim(context: Context) -> Animation:
    roll = swiss_roll()
    fig = pixel_figure(768, 640)
    axes: Any = fig.add_axes((-0.04, -0.06, 1.08, 1.14), projection="3d")
    x, y, z = roll.points.T
    axes.scatter(x, y, z, c=COLORS[roll.segment], s=34, depthshade=False, **POINT)
    axes.plot(*roll.points[[*deceptive_pair(roll)]].T, zorder=10, **PAIR)
    axes.set_box_aspect(np.ptp(roll.points, axis=0), zoom=0.95)
    frames = []
    for azimuth in range(-72, 288, 10):
        axes.view_init(elev=9, azim=azimuth)
        frames.append(pixels(fig))
    return Animation(frames, 200, colors=128)


@figure(
    "swiss-roll-unrolled", (13,), "1-3", "2D_swiss_roll.png",
    "スイスロールを2次元に展開してみるとこんな感じ",
    en="The points of the swiss roll unrolled into two dimensions, with the same colours and the"
    " same two black points. The dotted line is the long path between them along the sheet.",
    ja="スイスロールの点を、同じ色のまま面に沿って2次元に展開したもの。黒い2点も同じ点で、"
    "点線は2点を結ぶ、面に沿った長い経路です。",
)  # fmt: skip
def swiss_roll_unrolled(context: Context) -> Figure:
    roll = swiss_roll()
    fig = Figure(figsize=(style.WIDTH, 2.45))
    axes = fig.add_axes((0.085, 0.2, 0.905, 0.77))
    along, across = roll.flat.T
    axes.scatter(along, across, c=COLORS[roll.segment], s=17, **POINT)
    axes.plot(*roll.flat[[*deceptive_pair(roll)]].T, linestyle=":", **PAIR)
    axes.set_aspect("equal")
    axes.set_xlabel(
        context.text("along the roll, from its inner end", "巻きに沿った長さ（内側の端から）")
    )
    axes.set_ylabel(context.text("across", "幅"))
    return fig
