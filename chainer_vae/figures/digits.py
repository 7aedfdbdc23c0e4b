"""Reconstructions and interpolations of the VAE with 20 latent dimensions."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.output import pixels
from chainer_vae.figures.registry import Animation, Context, figure
from chainer_vae.latent import interpolate, montage, there_and_back

FLATTEST = 0.25  # an image that is flatter, or as much taller, gets a margin
N_FRAMES = 81  # frames of an interpolation between two digits, both ends included


def pixel_figure(width: int, height: int) -> Figure:
    """An empty figure for animation frames of ``width`` x ``height`` pixels."""
    # Add a little: matplotlib truncates the size, and 8.2 inches may be 819.99... pixels.
    return Figure(figsize=((width + 0.01) / 100, (height + 0.01) / 100), dpi=100)


def pixel_axes(fig: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Axes that cover exactly these pixels of a :func:`pixel_figure`.

    Args:
        fig: The figure.
        left, top: The upper left corner in pixels, from the upper left corner of the figure.
        width, height: The size in pixels.
    """
    whole_width, whole_height = fig.get_size_inches() * 100
    bottom = whole_height - top - height
    return fig.add_axes(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )


def tile_size(image_shape: Sequence[int], side: float) -> tuple[int, int]:
    """Height and width in pixels to show an image at: its longer side about ``side``.

    An enlarged image keeps its pixels square and of one size.
    """
    scale = side / max(image_shape)
    if scale >= 1:
        scale = round(scale)
    height, width = (max(1, round(size * scale)) for size in image_shape)
    return height, width


def aspect(image_shape: Sequence[int]) -> float:
    """The height of an image as a multiple of its width, within what a figure has room for."""
    height, width = image_shape
    return min(max(height / width, FLATTEST), 1 / FLATTEST)


def show_digit(axes: Axes, image: np.ndarray) -> None:
    """Show a digit, shape (height, width) in [0, 1], white on black, without ticks."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


@figure(
    "interp-all-anim", (1, 11), "intro", "vae_all_9to9.gif", "vae_all_9to9.gif",
    en="Interpolations from every digit (row) to every digit (column). The images are decoded from"
    " points on the straight line between the two digits in the latent space.",
    ja="各数字から各数字への補間。行が始点、列が終点の数字です。潜在空間で2点を結ぶ直線に沿って"
    "画像を生成しています。",
    needs="z20",
)  # fmt: skip
def interp_all_anim(context: Context) -> Animation:
    z20 = context.trained("z20")
    n = len(z20.classes)
    ends = z20.latent_means[[z20.first(digit) for digit in z20.classes]]
    t = there_and_back(40)
    # A point for each pair of digits and each t: (start, end, t, n_latent).
    lines = np.stack([interpolate(start, end, t[:41]) for start in ends for end in ends])

    names = [z20.class_name(label) for label in z20.classes]
    longest = max(map(style.width_of, names))
    # Room for a label beside each tile, and for the title.
    least = 24 / max(FLATTEST, min(aspect(z20.image_shape), 1 / aspect(z20.image_shape)))
    height, width = tile_size(z20.image_shape, max(560 / n, 28, least))
    upright = 11 * longest > width  # pixels of a letter
    margin = max(32, 9 + 11 * longest)
    top = 60 + (11 * longest - 13 if upright else 0)
    fig_width = max(margin + n * width + 8, 320)
    fig = pixel_figure(fig_width, top + n * height + 8)
    left = margin + (fig_width - margin - n * width - 8) // 2
    axes = pixel_axes(fig, left, top, n * width, n * height)
    shown = axes.imshow(
        np.zeros((n, n)), cmap="gray", vmin=0, vmax=1, aspect="auto", extent=(0, n, n, 0),
        interpolation="antialiased",
    )  # fmt: skip
    ticks = np.arange(n) + 0.5
    axes.set_xticks(ticks, names, fontsize=13, rotation=90 if upright else 0)
    axes.set_yticks(ticks, names, fontsize=13)
    axes.tick_params(length=0, pad=6, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    title = axes.text(
        0.5, 1 + (top - 26) / (n * height), "", transform=axes.transAxes, ha="center", fontsize=13
    )
    label = context.text("   (row: start, column: end)", "（行：始点、列：終点）")
    frames = []
    for index in range(41):
        tiles = z20.decode(lines[:, index]).reshape(n, n, *z20.image_shape)
        shown.set_data(montage(tiles))
        title.set_text(f"t = {t[index]:.2f}{label}")
        frames.append(pixels(fig)[:, :, 0])
    return Animation([*frames, *frames[39:0:-1]], 100, colors=12)


@figure(
    "reconstruction", (4,), "1-2", "compare_reconstruction.png", "compare_reconstruction.png",
    en="The first test images (left), up to ten, and their reconstructions from the latent means"
    " (right).",
    ja="最初のテスト画像（左、最大10枚）と、それぞれの潜在変数の平均から再構成した画像（右）。",
    needs="z20",
)  # fmt: skip
def reconstruction(context: Context) -> Figure:
    z20 = context.trained("z20")
    inputs = z20.data.test_images[:10].reshape(-1, *z20.image_shape)
    n = len(inputs)
    outputs = z20.decode(z20.latent_means[:n])
    height = 1.52 * n * aspect(z20.image_shape)
    fig = Figure(figsize=(3.2, height))
    top, bottom = 1 - 0.304 / height, 0.076 / height
    grid = fig.subplots(
        n,
        2,
        squeeze=False,
        gridspec_kw=dict(left=0.02, right=0.98, top=top, bottom=bottom, hspace=0.05, wspace=0.05),
    )
    for row, input, output in zip(grid, inputs, outputs):
        show_digit(row[0], input)
        show_digit(row[1], output)
    grid[0, 0].set_title(context.text("Input", "入力"))
    grid[0, 1].set_title(context.text("Reconstruction", "再構成"))
    return fig


@figure(
    "digits", (), "notebook", "reconstruct_0to9.png", "",
    en="The first test image of each digit, reconstructed from its latent mean. The interpolations"
    " start and end at these images.",
    ja="各数字の最初のテスト画像を潜在変数の平均から再構成したもの。補間の始点と終点になります。",
    needs="z20",
)  # fmt: skip
def digits(context: Context) -> Figure:
    z20 = context.trained("z20")
    images = z20.decode(z20.latent_means[[z20.first(digit) for digit in z20.classes]])
    columns = min(len(images), 5)
    rows = math.ceil(len(images) / columns)
    share = columns / 5  # of the width
    stretch = aspect(z20.image_shape)
    height = (0.35 + 1.4 * stretch) * rows
    fig = Figure(figsize=(style.WIDTH * share, height))
    top, bottom = 1 - 0.28 / height, 0.07 / height
    left, right = 0.01 / share, 1 - 0.09 / share
    hspace = 0.16 / stretch  # for the titles, which are of the same height
    grid = fig.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw=dict(
            left=left, right=right, top=top, bottom=bottom, hspace=hspace, wspace=0.06
        ),
    )
    for axes, digit, image in zip(grid.flat, z20.classes, images):
        show_digit(axes, image)
        axes.set_title(z20.class_name(digit))
    for axes in grid.flat[len(images) :]:
        axes.remove()
    bar_axes = fig.add_axes((1 - 0.07 / share, 0.105 / height, 0.018 / share, 1 - 0.42 / height))
    bar = fig.colorbar(grid[0, 0].images[0], cax=bar_axes)
    bar.set_ticks([0, 0.5, 1])
    bar.outline.set_visible(False)
    return fig


def interpolated_images(
    context: Context, name: str, start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate between the latent means of the test images of two digits.

    Args:
        context: Provides the model.
        name: The name of the model, a key of SHIPPED.
        start, end: The digits, as for :meth:`Trained.ends`.

    Returns:
        tuple: t from 0 to 1, shape (81,), and the decoded images in [0, 1], shape
        (81, height, width).

    Raises:
        InputError: The model cannot be used.
    """
    trained = context.trained(name)
    t = np.linspace(0, 1, N_FRAMES)
    z_start, z_end = trained.latent_means[trained.ends(start, end)]
    return t, trained.decode(interpolate(z_start, z_end, t))


def frames_in_a_grid(t: np.ndarray, images: np.ndarray) -> Figure:
    """The 81 images of an interpolation, shape (81, height, width), in a 9 x 9 grid with their t
    (81,)."""
    stretch = aspect(images.shape[1:])
    height = 1.9 + 6.7 * stretch  # of which the titles have 1.9
    fig = Figure(figsize=(style.WIDTH, height))
    top, bottom, hspace = 1 - 0.1978 / height, 0.043 / height, 0.28 / stretch
    grid = fig.subplots(
        9,
        9,
        gridspec_kw=dict(left=0.01, right=0.99, top=top, bottom=bottom, hspace=hspace, wspace=0.08),
    )
    for axes, t_i, image in zip(grid.flat, t, images):
        show_digit(axes, image)
        axes.set_title(f"t={t_i:.3f}", fontsize=8.5, pad=2.5)
    return fig


def frames_one_by_one(t: np.ndarray, images: np.ndarray) -> Animation:
    """The 81 images of an interpolation as an animation: 256 x 256 pixels, 80 ms per frame.

    Args:
        t: Shape (81,).
        images: In [0, 1], shape (81, height, width).
    """
    fig = pixel_figure(256, 256)
    height, width = tile_size(images.shape[1:], 224)
    axes = pixel_axes(fig, (256 - width) // 2, 256 - height - 4, width, height)
    show_digit(axes, images[0])
    title = axes.text(0.5, 1 + 7 / height, "", transform=axes.transAxes, ha="center", fontsize=11)
    frames = []
    for t_i, image in zip(t, images):
        axes.images[0].set_data(image)
        title.set_text(f"t = {t_i:.3f}")
        frames.append(pixels(fig)[:, :, 0])
    return Animation(frames, 80, colors=64)


@figure(
    "interp-0-9-frames", (), "notebook", "frames_0to9.png", "",
    en="Interpolation from a 0 to a 9 in the latent space. In 20 dimensions, the path passes"
    " through hardly any other digit.",
    ja="潜在空間での0から9への補間。20次元では、途中で他の数字をほとんど経由しません。",
    needs="z20",
)  # fmt: skip
def interp_0_9_frames(context: Context) -> Figure:
    return frames_in_a_grid(*interpolated_images(context, "z20", 0, 9))


@figure(
    "interp-0-9-anim", (), "notebook", "vae_0to9.gif", "",
    en="Animated interpolation from a 0 to a 9 in the latent space.",
    ja="潜在空間での0から9への補間のアニメーション。",
    needs="z20",
)  # fmt: skip
def interp_0_9_anim(context: Context) -> Animation:
    return frames_one_by_one(*interpolated_images(context, "z20", 0, 9))
