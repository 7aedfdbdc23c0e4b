"""The plane of codes: the model with 2 latent units."""

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.digits import frames_in_a_grid, frames_one_by_one, line_of_digits
from chainer_vae.figures.registry import SIDE, Animation, Context, Trained, figure
from chainer_vae.latent import N_CLASSES, class_means, grid, montage, spread

N_SCATTER = 5000  # test images in the scatter plots
START, END = 0, 7  # the digits that the arrow joins
LIMIT = 2.0  # the map shows -2 <= z1, z2 <= 2
N_MAP = 25  # digits along a side of the map


def scatter(axes: Axes, z2: Trained, width: float) -> Collection:
    """The codes of test images, one colour for each digit, its name at their mean.

    ``width`` is about that of the axes, in the units of the codes.
    """
    codes = z2.codes[:N_SCATTER]
    labels = z2.data.test_labels[:N_SCATTER]
    norm = BoundaryNorm(np.arange(N_CLASSES + 1) - 0.5, N_CLASSES)
    points = axes.scatter(
        codes[:, 0], codes[:, 1],
        c=labels, cmap=style.DIGIT_COLORS, norm=norm, s=16, alpha=0.6, linewidths=0,
    )  # fmt: skip
    means = class_means(codes, labels)
    # A name that would cover another stands beside its mean, joined to it by a line.
    for digit, (mean, place) in enumerate(zip(means, spread(means, 0.045 * width))):
        if np.isfinite(mean).all():
            name = axes.annotate(
                str(digit), mean, place, ha="center", va="center",
                size=18, weight="bold", family="DejaVu Sans", zorder=4,
                arrowprops=dict(arrowstyle="-", color=style.INK, shrinkA=0, shrinkB=0),
            )  # fmt: skip
            name.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground="white")])
    axes.grid(True)
    name_axes(axes)
    return points


def name_axes(axes: Axes) -> None:
    axes.set_xlabel("$z_1$", size=14, labelpad=0)
    axes.set_ylabel("$z_2$", size=14, rotation=0, labelpad=4)


def whole_scatter(context: Context) -> tuple[Figure, Axes]:
    """The scatter of all codes, with a bar of the digits' colours."""
    fig = Figure(figsize=(style.WIDTH, 6.6))
    axes = fig.add_axes((0.08, 0.075, 0.79, 0.915))
    z2 = context.trained("z2")
    points = scatter(axes, z2, np.ptp(z2.codes[:N_SCATTER], axis=0).max())
    axes.set_aspect("equal", adjustable="datalim")
    colors = ScalarMappable(points.norm, points.cmap)  # without the points' transparency
    bar_axes = fig.add_axes((0.9, 0.075, 0.025, 0.915))
    bar = fig.colorbar(colors, cax=bar_axes, ticks=range(N_CLASSES))
    bar.ax.tick_params(which="both", length=0)
    bar.outline.set_visible(False)
    bar.set_label(context.text("digit", "数字"))
    return fig, axes


def ends(z2: Trained) -> np.ndarray:
    """Where the arrow starts and ends: the codes of the two digits, shape (2, 2)."""
    return z2.codes[[z2.first(START), z2.first(END)]]


def draw_arrow(axes: Axes, z2: Trained, color: str) -> None:
    start, end = ends(z2)
    arrow = dict(arrowstyle="-|>,head_width=0.45,head_length=0.8", color=color, lw=3)
    line = axes.annotate("", end, start, arrowprops=dict(arrow, shrinkA=0, shrinkB=0), zorder=3)
    assert line.arrow_patch is not None
    line.arrow_patch.set_path_effects([patheffects.withStroke(linewidth=6, foreground="white")])
    axes.plot(start[0], start[1], "o", color=color, markersize=8, markeredgecolor="white", zorder=3)


def map_axes(fig: Figure) -> Axes:
    """Axes for what lies in the window of the map: the same place in the figure for all."""
    axes = fig.add_axes((0.075, 0.068, 0.915, 0.915))
    # A tile's centre stands at its code, so half a tile lies beyond the outermost.
    edge = LIMIT * N_MAP / (N_MAP - 1)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xticks(np.linspace(-LIMIT, LIMIT, 5))
    axes.set_yticks(np.linspace(-LIMIT, LIMIT, 5))
    return axes


@figure(
    "latent-scatter", (5,), "1-2", "latent_scatter.png", "Encoder",
    en="Where the encoder puts 5,000 test images with 2 latent units; a number stands at the mean"
    " of its digit. No label was used in training, and yet images of one digit lie together.",
    ja="テスト画像5,000枚をEncoderで2次元の潜在変数に写したもの。数字は各クラスの平均の位置。"
    "教師なしなのに、同じ数字が近くに集まる。",
    needs="z2",
)  # fmt: skip
def latent_scatter(context: Context) -> Figure:
    return whole_scatter(context)[0]


@figure(
    "latent-arrow", (6,), "1-2", "scatter_with_arrow.png", "scatter_with_arrow",
    en="The codes of the test images, and the path from a 0 to a 7 that the next figures decode.",
    ja="潜在変数の散布図。矢印は、次の図で画像を生成する0から7への経路。",
    needs="z2",
)  # fmt: skip
def latent_arrow(context: Context) -> Figure:
    fig, axes = whole_scatter(context)
    draw_arrow(axes, context.trained("z2"), style.LOSS)
    return fig


@figure(
    "interp-0-7-anim", (7,), "1-2", "vae_0to7_dim_2.gif", "vae_0to7_dim_2.gif",
    en="What the decoder makes of the points along the arrow, from the 0 to the 7.",
    ja="矢印に沿った点からDecoderが生成した画像。0から7へ変化する。",
    needs="z2",
)  # fmt: skip
def interp_0_7_anim(context: Context) -> Animation:
    return frames_one_by_one(*line_of_digits(context, "z2", START, END))


@figure(
    "interp-0-7-frames", (8,), "1-2", "frames_0to7.png", "download-2.png",
    en="From the 0 to the 7 along the arrow, picture by picture: it passes through the digits that"
    " lie between.",
    ja="矢印に沿った0から7への変化を一コマずつ。間にある数字を経由する。",
    needs="z2",
)  # fmt: skip
def interp_0_7_frames(context: Context) -> Figure:
    return frames_in_a_grid(*line_of_digits(context, "z2", START, END))


@figure(
    "manifold", (9,), "1-2", "2dim_map.png", "2dim_map.png",
    en="The plane, decoded: 25 x 25 codes from -2 to 2. In red, the arrow from the 0 to the 7.",
    ja="潜在空間 −2≤z₁≤2、−2≤z₂≤2 を25×25点でDecoderに入力した結果。"
    "赤い矢印は0から7への移動の軌跡。",
    needs="z2",
)  # fmt: skip
def manifold(context: Context) -> Figure:
    z2 = context.trained("z2")
    codes = grid(N_MAP, LIMIT)
    tiles = z2.decode(codes.reshape(-1, 2)).reshape(N_MAP, N_MAP, SIDE, SIDE)
    fig = Figure(figsize=(style.WIDTH, style.WIDTH))
    axes = map_axes(fig)
    extent = (*axes.get_xlim(), *axes.get_ylim())
    axes.imshow(montage(tiles), vmin=0, vmax=1, extent=extent)
    draw_arrow(axes, z2, "#EF4444")
    name_axes(axes)
    return fig


@figure(
    "latent-scatter-window", (10,), "1-2", "scatter.png", "scatter.png",
    en="The codes of the test images in the window of the map, to be laid beside it.",
    ja="Decoderの図と同じ範囲に切り取った散布図。並べると位置関係がほぼ一致する。",
    needs="z2",
)  # fmt: skip
def latent_scatter_window(context: Context) -> Figure:
    fig = Figure(figsize=(style.WIDTH, style.WIDTH))
    scatter(map_axes(fig), context.trained("z2"), 2 * LIMIT)
    return fig
