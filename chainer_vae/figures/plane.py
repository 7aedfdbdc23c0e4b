"""The latent plane: the VAE with 2 latent dimensions."""

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.digits import frames_in_a_grid, frames_one_by_one, interpolated_images
from chainer_vae.figures.registry import SIDE, Animation, Context, Trained, figure
from chainer_vae.latent import class_means, grid, montage, spread

N_SCATTER = 5000  # test images in the scatter plots
MANY = 20  # classes: with more, labels are smaller
START, END = 0, 7  # the digits that the arrow connects
LIMIT = 2.0  # the map shows -2 <= z1, z2 <= 2
N_MAP = 25  # digits along each side of the map


def scatter(axes: Axes, z2: Trained, width: float) -> Collection:
    """Plot the latent means of test images: one colour per class, and its label at the class mean.

    Args:
        axes: Where to draw.
        z2: The model with 2 latent dimensions.
        width: The approximate width of the axes, in the units of z.

    Returns:
        Collection: The points.
    """
    latents = z2.latent_means[:N_SCATTER]
    labels = z2.data.test_labels[:N_SCATTER]
    n = len(z2.classes)
    norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
    points = axes.scatter(
        latents[:, 0], latents[:, 1], c=np.searchsorted(z2.classes, labels),
        cmap=style.class_colors(n), norm=norm, s=16, alpha=0.6, linewidths=0,
    )  # fmt: skip
    means = class_means(latents, labels)
    # A label that would cover another one is moved aside, and joined to its mean by a line.
    for digit, (mean, position) in enumerate(zip(means, spread(means, 0.045 * width))):
        if np.isfinite(mean).all():
            label = axes.annotate(
                str(digit), mean, position, ha="center", va="center",
                size=18 if n <= MANY else 12, weight="bold", family="DejaVu Sans", zorder=4,
                arrowprops=dict(arrowstyle="-", color=style.INK, shrinkA=0, shrinkB=0),
            )  # fmt: skip
            label.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground="white")])
    axes.grid(True)
    label_axes(axes)
    return points


def label_axes(axes: Axes) -> None:
    """Label the axes z1 and z2."""
    axes.set_xlabel("$z_1$", size=14, labelpad=0)
    axes.set_ylabel("$z_2$", size=14, rotation=0, labelpad=4)


def whole_scatter(context: Context) -> tuple[Figure, Axes]:
    """A scatter plot of all latent means, with a colour bar of the classes."""
    fig = Figure(figsize=(style.WIDTH, 6.6))
    axes = fig.add_axes((0.08, 0.075, 0.79, 0.915))
    z2 = context.trained("z2")
    points = scatter(axes, z2, np.ptp(z2.latent_means[:N_SCATTER], axis=0).max())
    axes.set_aspect("equal", adjustable="datalim")
    colors = ScalarMappable(points.norm, points.cmap)  # opaque, unlike the points
    bar_axes = fig.add_axes((0.9, 0.075, 0.025, 0.915))
    bar = fig.colorbar(colors, cax=bar_axes)
    bar.set_ticks(range(len(z2.classes)), labels=list(map(str, z2.classes)))
    bar.ax.tick_params(which="both", length=0)
    if len(z2.classes) > MANY:
        bar.ax.tick_params(labelsize=min(11, 380 / len(z2.classes)))
    bar.outline.set_visible(False)
    of_digits = z2.config.dataset is None
    bar.set_label(context.text("digit", "数字") if of_digits else context.text("class", "クラス"))
    # A narrow range, as of a few images, has tick labels of many digits.
    lacking = -fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer()).x0 / style.WIDTH
    if lacking > 0:
        axes.set_position((0.08 + lacking, 0.075, 0.79 - lacking, 0.915))
    return fig, axes


def ends(z2: Trained) -> np.ndarray:
    """The start and end of the arrow: the latent means of the two digits, shape (2, 2)."""
    return z2.latent_means[[z2.first(START), z2.first(END)]]


def draw_arrow(axes: Axes, z2: Trained, color: str) -> None:
    """Draw the arrow of the interpolation."""
    start, end = ends(z2)
    arrow = dict(arrowstyle="-|>,head_width=0.45,head_length=0.8", color=color, lw=3)
    # The end may lie outside, as that of a model of few epochs: what is inside is drawn.
    line = axes.annotate(
        "", end, start, arrowprops=dict(arrow, shrinkA=0, shrinkB=0), zorder=3,
        annotation_clip=False,
    )  # fmt: skip
    assert line.arrow_patch is not None
    line.arrow_patch.set_clip_path(axes.patch)
    line.arrow_patch.set_path_effects([patheffects.withStroke(linewidth=6, foreground="white")])
    axes.plot(start[0], start[1], "o", color=color, markersize=8, markeredgecolor="white", zorder=3)


def map_axes(fig: Figure) -> Axes:
    """Axes with the range of the map, at the same position in every figure that uses them."""
    axes = fig.add_axes((0.075, 0.068, 0.915, 0.915))
    # The centre of a tile is at its z: half a tile extends beyond the outermost points.
    edge = LIMIT * N_MAP / (N_MAP - 1)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xticks(np.linspace(-LIMIT, LIMIT, 5))
    axes.set_yticks(np.linspace(-LIMIT, LIMIT, 5))
    return axes


@figure(
    "latent-scatter", (5,), "1-2", "latent_scatter.png", "Encoder",
    en=f"The encoder maps up to {N_SCATTER:,} test images to a 2-dimensional latent space. A number"
    " marks the mean of its digit. Training used no labels, yet images of the same digit lie close"
    " together.",
    ja=f"テスト画像（最大{N_SCATTER:,}枚）をエンコーダーで2次元の潜在空間に写したもの。数字は各クラスの平均の位置です。"
    "教師なし学習ですが、同じ数字の画像が近くに集まっています。",
    needs="z2",
)  # fmt: skip
def latent_scatter(context: Context) -> Figure:
    return whole_scatter(context)[0]


@figure(
    "latent-arrow", (6,), "1-2", "scatter_with_arrow.png", "scatter_with_arrow",
    en="The latent means of the test images, and the path from a 0 to a 7 that is decoded in the"
    " next figures.",
    ja="テスト画像の潜在変数の平均の散布図。矢印は0から7への経路で、次の図ではこの経路に沿って画像を生成します。",
    needs="z2",
)  # fmt: skip
def latent_arrow(context: Context) -> Figure:
    fig, axes = whole_scatter(context)
    draw_arrow(axes, context.trained("z2"), style.LOSS)
    return fig


@figure(
    "interp-0-7-anim", (7,), "1-2", "vae_0to7_dim_2.gif", "vae_0to7_dim_2.gif",
    en="Interpolation from the 0 to the 7: images that the decoder generates from points along the"
    " arrow.",
    ja="矢印に沿った0から7への補間。各点からデコーダーが生成した画像です。",
    needs="z2",
)  # fmt: skip
def interp_0_7_anim(context: Context) -> Animation:
    return frames_one_by_one(*interpolated_images(context, "z2", START, END))


@figure(
    "interp-0-7-frames", (8,), "1-2", "frames_0to7.png", "download-2.png",
    en="Interpolation from the 0 to the 7 along the arrow, frame by frame. It passes through the"
    " digits in between.",
    ja="矢印に沿った0から7への補間の全コマ。間にある数字を経由します。",
    needs="z2",
)  # fmt: skip
def interp_0_7_frames(context: Context) -> Figure:
    return frames_in_a_grid(*interpolated_images(context, "z2", START, END))


@figure(
    "manifold", (9,), "1-2", "2dim_map.png", "2dim_map.png",
    en="The latent plane from -2 to 2, decoded at 25 x 25 points. The red arrow is the path from"
    " the 0 to the 7.",
    ja="潜在空間 −2≤z₁≤2、−2≤z₂≤2 の25×25点をデコーダーに入力した結果。"
    "赤い矢印は0から7への経路です。",
    needs="z2",
)  # fmt: skip
def manifold(context: Context) -> Figure:
    z2 = context.trained("z2")
    z = grid(N_MAP, LIMIT)
    tiles = z2.decode(z.reshape(-1, 2)).reshape(N_MAP, N_MAP, SIDE, SIDE)
    fig = Figure(figsize=(style.WIDTH, style.WIDTH))
    axes = map_axes(fig)
    extent = (*axes.get_xlim(), *axes.get_ylim())
    axes.imshow(montage(tiles), vmin=0, vmax=1, extent=extent)
    draw_arrow(axes, z2, "#EF4444")
    label_axes(axes)
    return fig


@figure(
    "latent-scatter-window", (10,), "1-2", "scatter.png", "scatter.png",
    en="The latent means of the test images, in the same range as the decoded plane. The positions"
    " of the digits nearly match.",
    ja="デコーダーの図と同じ範囲の散布図。2つの図を並べると、数字の位置関係がほぼ一致します。",
    needs="z2",
)  # fmt: skip
def latent_scatter_window(context: Context) -> Figure:
    fig = Figure(figsize=(style.WIDTH, style.WIDTH))
    scatter(map_axes(fig), context.trained("z2"), 2 * LIMIT)
    return fig
