"""The swiss roll, in space and unrolled: a sheet of two dimensions that a camera sees in three."""

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
    """Points of a swiss roll, in space and unrolled, all lengths in the same unit."""

    points: np.ndarray  # (n, 3): the roll winds around the second axis
    flat: np.ndarray  # (n, 2): the same points on the sheet, laid flat without stretching
    segment: np.ndarray  # (n,): 0 to 5 from the inside out, of equal lengths of the sheet


def swiss_roll(n: int = 1500, seed: int = 0) -> SwissRoll:
    """Points at random on a swiss roll, (t cos t, y, t sin t) with 3/2 pi <= t <= 9/2 pi.

    Unrolled, a point lies at the length of the spiral from its inner end to it,

        s(t) = 1/2 (t sqrt(1 + t^2) + asinh t),  minus s(3/2 pi),

    so that distances along the sheet stay what they were.
    """
    from sklearn.datasets import make_swiss_roll  # here, since it takes long to import

    points, t = make_swiss_roll(n, random_state=seed)
    inner, outer = _length(np.array([1.5, 4.5]) * np.pi)
    along = _length(t) - inner
    segment = (along / (outer - inner) * N_SEGMENTS).astype(int).clip(0, N_SEGMENTS - 1)
    return SwissRoll(points, np.stack([along, points[:, 1]], axis=1), segment)


def _length(t: np.ndarray) -> np.ndarray:
    """Of the spiral r = t from its centre to t."""
    return (t * np.sqrt(1 + t**2) + np.arcsinh(t)) / 2


def deceptive_pair(roll: SwissRoll) -> tuple[int, int]:
    """Two points, near in space and far along the sheet: of the largest ratio of the two."""
    space = np.linalg.norm(roll.points[:, None] - roll.points, axis=-1)
    sheet = np.linalg.norm(roll.flat[:, None] - roll.flat, axis=-1)
    np.fill_diagonal(space, np.inf)
    first, second = np.unravel_index(np.argmax(sheet / space), space.shape)
    return int(first), int(second)


@figure(
    "swiss-roll-anim", (12,), "1-3", "swiss_roll.gif", "3次元中の２次元多様体としてのスイスロール",
    en="A swiss roll: points in three dimensions that lie on a sheet of two. The two black points"
    " are near each other in space, by the black line, and far apart along the sheet.",
    ja="スイスロール。3次元の中にあるが、点は2次元の面の上にしかない。"
    "黒い線で結んだ2点は空間では近いが、面に沿うと遠い。",
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
    en="The points of the swiss roll, unrolled and laid flat, with the same colours and the same"
    " two black points. The dotted line is the long way along the sheet.",
    ja="スイスロールの点を、同じ色のまま面に沿って2次元に展開したもの。黒い2点も同じで、"
    "点線は面に沿った遠い道。",
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
