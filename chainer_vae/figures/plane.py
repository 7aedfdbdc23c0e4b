"""The latent plane: the VAE with 2 latent dimensions, or the first two principal components."""

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainer_vae.figures import style
from chainer_vae.figures.digits import (
    aspect,
    frames_in_a_grid,
    frames_one_by_one,
    interpolated_images,
)
from chainer_vae.figures.registry import Animation, Context, Trained, figure
from chainer_vae.latent import class_means, grid, montage, spread

N_SCATTER = 5000  # test images in the scatter plots
MANY, LABELLED = 20, 62  # classes: with more, labels are smaller, or would hide the points
START, END = 0, 7  # the digits that the arrow connects
LIMIT = 2.0  # the map shows -2 <= z1, z2 <= 2
N_MAP = 25  # digits along each side of the map


def scatter(axes: Axes, context: Context, width: float, clear: bool = False) -> Collection:
    """Plot the latent means of test images: one colour per class, and its label at the class mean.

    Args:
        axes: Where to draw.
        context: Provides the model and the colours.
        width: The approximate width of the axes, in the units of z.
        clear: Whether the labels leave the arrow clear.

    Returns:
        Collection: The points.
    """
    z2 = context.trained("z2")
    latents = z2.plane.project(z2.latent_means[:N_SCATTER])
    classes = np.searchsorted(z2.classes, z2.data.test_labels[:N_SCATTER])
    n = len(z2.classes)
    norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
    points = axes.scatter(
        latents[:, 0], latents[:, 1], c=classes,
        cmap=context.class_colors(n), norm=norm, s=16, alpha=0.6, linewidths=0,
    )  # fmt: skip
    means = class_means(latents, classes)[: n if n <= LABELLED else 0]
    names = [z2.class_name(label) for label in z2.classes]
    longest = max(map(style.width_of, names))
    large = n <= MANY and longest <= 3
    # A label that would cover another one is moved aside, and joined to its mean by a line.
    positions = spread(means, 0.045 * width, 1 if large else max(1, 0.4 * longest))
    if clear:
        positions = beside(positions, ends(z2), 0.035 * width)
    for name, mean, position in zip(names, means, positions):
        if np.isfinite(mean).all():
            label = axes.annotate(
                name, mean, position, ha="center", va="center",
                size=18 if large else 12, zorder=4,
                arrowprops=dict(arrowstyle="-", color=style.INK, shrinkA=0, shrinkB=0),
                **style.label_font(name),
            )  # fmt: skip
            label.set_path_effects([patheffects.withStroke(linewidth=3.5, foreground="white")])
    axes.grid(True)
    return points


def beside(positions: np.ndarray, line: np.ndarray, distance: float) -> np.ndarray:
    """Move points away from a line, straight to its nearer side.

    Args:
        positions: Shape (number, 2).
        line: Its ends, shape (2, 2).
        distance: Between the line and the points, at least.

    Returns:
        numpy.ndarray: A new array of the same shape.
    """
    start, along = line[0], line[1] - line[0]
    length = np.hypot(*along)
    if length == 0:
        return positions
    normal = np.array([-along[1], along[0]]) / length
    away = (positions - start) @ normal
    share = (positions - start) @ along / length**2
    near = (share > -distance / length) & (share < 1 + distance / length) & (abs(away) < distance)
    moved = np.where(away < 0, -distance, distance) - away
    return positions + np.where(near, moved, 0)[:, None] * normal


def label_axes(axes: Axes, context: Context) -> None:
    """Label the axes z1 and z2, or as the principal components that they are."""
    shares = context.trained("z2").plane.shares
    if shares is None:
        axes.set_xlabel("$z_1$", size=14, labelpad=0)
        axes.set_ylabel("$z_2$", size=14, rotation=0, labelpad=4)
        return
    names = [
        context.text(
            f"principal component {i} ({share:.0%})",
            f"第{i}主成分（寄与率{share:.0%}）",
        )
        for i, share in enumerate(shares, 1)
    ]
    size = 11 if axes.bbox.width > 300 else 8  # of a map of narrow images
    axes.set_xlabel(names[0], labelpad=0, size=size)
    axes.set_ylabel(names[1], labelpad=0, size=size)


def whole_scatter(context: Context, clear: bool = False) -> tuple[Figure, Axes]:
    """A scatter plot of all latent means, with a colour bar of the classes."""
    fig = Figure(figsize=(style.WIDTH, 6.6))
    axes = fig.add_axes((0.08, 0.075, 0.79, 0.915))
    z2 = context.trained("z2")
    shown = z2.plane.project(z2.latent_means[:N_SCATTER])
    points = scatter(axes, context, np.ptp(shown, axis=0).max(), clear)
    label_axes(axes, context)
    axes.set_aspect("equal", adjustable="datalim")
    colors = ScalarMappable(points.norm, points.cmap)  # opaque, unlike the points
    bar_axes = fig.add_axes((0.9, 0.075, 0.025, 0.915))
    bar = fig.colorbar(colors, cax=bar_axes)
    bar.set_ticks(range(len(z2.classes)), labels=list(map(z2.class_name, z2.classes)))
    bar.ax.tick_params(which="both", length=0)
    if len(z2.classes) > MANY:
        bar.ax.tick_params(labelsize=min(11, 380 / len(z2.classes)))
    bar.outline.set_visible(False)
    if not z2.data.class_names:
        of_digits = z2.config.dataset is None
        word = context.text("digit", "数字") if of_digits else context.text("class", "クラス")
        if context.lang == "ja":  # upright, one letter below the other
            bar.set_label("\n".join(word), rotation=0, ha="left", va="center")
        else:
            bar.set_label(word)
    # A narrow range, as of a few images, has tick labels of many digits; classes have long names.
    left, right = style.overhang(fig)
    if left + right > 0:
        axes.set_position((0.08 + left, 0.075, 0.79 - left - right, 0.915))
        bar_axes.set_position((0.9 - right, 0.075, 0.025, 0.915))
    return fig, axes


def ends(z2: Trained) -> np.ndarray:
    """The start and end of the arrow: the latent means of the two digits, shape (2, 2)."""
    return z2.plane.project(z2.latent_means[z2.ends(START, END)])


def draw_arrow(axes: Axes, z2: Trained, color: str, gap: float = 0) -> None:
    """Draw the arrow of the interpolation, ``gap`` points short of its ends; if 0, from a dot."""
    start, end = ends(z2)
    arrow = dict(arrowstyle="-|>,head_width=0.45,head_length=0.8", color=color, lw=3)
    # The end may lie outside, as that of a model of few epochs: what is inside is drawn.
    line = axes.annotate(
        "", end, start, arrowprops=dict(arrow, shrinkA=gap, shrinkB=gap), zorder=3,
        annotation_clip=False,
    )  # fmt: skip
    assert line.arrow_patch is not None
    line.arrow_patch.set_clip_path(axes.patch)
    line.arrow_patch.set_path_effects([patheffects.withStroke(linewidth=6, foreground="white")])
    if gap == 0:
        axes.plot(*start, "o", color=color, markersize=8, markeredgecolor="white", zorder=3)


def draw_ends(axes: Axes, z2: Trained, color: str) -> None:
    """Show the decoded ends of the arrow on the map, framed, each as large as a tile."""
    images = z2.decode(z2.latent_means[z2.ends(START, END)])
    half = LIMIT / (N_MAP - 1)
    for (x, y), image in zip(ends(z2), images):
        corners = (x - half, x + half, y - half, y + half)
        axes.imshow(image, vmin=0, vmax=1, extent=corners, aspect="auto", zorder=4)
        frame = Rectangle(
            (x - half, y - half), 2 * half, 2 * half, fill=False, edgecolor=color, lw=2, zorder=5
        )
        axes.add_patch(frame)


def map_figure(image_shape: Sequence[int]) -> tuple[Figure, Axes]:
    """A figure and its axes for the map, which has the shape of an image: with the same range and
    at the same position for each figure of a model."""
    stretch = aspect(image_shape)
    width, height = 1 / max(1, stretch), min(1, stretch)  # of a square's
    whole_width, whole_height = (1 - 0.915 * (1 - side) for side in (width, height))
    fig = Figure(figsize=(style.WIDTH * whole_width, style.WIDTH * whole_height))
    axes = fig.add_axes((
        0.075 / whole_width, 0.068 / whole_height,
        0.915 * width / whole_width, 0.915 * height / whole_height,
    ))  # fmt: skip
    # The centre of a tile is at its z: half a tile extends beyond the outermost points.
    edge = LIMIT * N_MAP / (N_MAP - 1)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xticks(np.linspace(-LIMIT, LIMIT, 5))
    axes.set_yticks(np.linspace(-LIMIT, LIMIT, 5))
    return fig, axes


@figure(
    "latent-scatter", (5,), "1-2", "latent_scatter.png", "Encoder",
    en=f"The encoder maps up to {N_SCATTER:,} test images to the latent plane. A number marks the"
    " mean of its digit. Training used no labels, yet images of the same digit lie close"
    " together.",
    ja=f"テスト画像（最大{N_SCATTER:,}枚）をエンコーダーで潜在平面に写したもの。数字は各クラスの平均の位置です。"
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
    fig, axes = whole_scatter(context, clear=True)
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
    " the 0 to the 7, which are framed.",
    ja="潜在空間 −2≤z₁≤2、−2≤z₂≤2 の25×25点をデコーダーに入力した結果。"
    "赤い矢印は0から7への経路で、枠の中がその両端の画像です。",
    needs="z2",
)  # fmt: skip
def manifold(context: Context) -> Figure:
    z2 = context.trained("z2")
    z = z2.plane.lift(grid(N_MAP, LIMIT).reshape(-1, 2))
    tiles = z2.decode(z).reshape(N_MAP, N_MAP, *z2.image_shape)
    fig, axes = map_figure(z2.image_shape)
    extent = (*axes.get_xlim(), *axes.get_ylim())
    axes.imshow(montage(tiles), vmin=0, vmax=1, extent=extent, aspect="auto")
    draw_arrow(axes, z2, "#EF4444", gap=15)
    draw_ends(axes, z2, "#EF4444")
    label_axes(axes, context)
    return fig


@figure(
    "latent-scatter-window", (10,), "1-2", "scatter.png", "scatter.png",
    en="The latent means of the test images, in the same range as the decoded plane. The positions"
    " of the digits nearly match.",
    ja="デコーダーの図と同じ範囲の散布図。2つの図を並べると、数字の位置関係がほぼ一致します。",
    needs="z2",
)  # fmt: skip
def latent_scatter_window(context: Context) -> Figure:
    z2 = context.trained("z2")
    fig, axes = map_figure(z2.image_shape)
    scatter(axes, context, 2 * LIMIT)
    label_axes(axes, context)
    return fig
