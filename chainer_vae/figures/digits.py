"""Reconstructions and interpolations of the VAE with 20 latent dimensions."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.output import pixels
from chainer_vae.figures.registry import SIDE, Animation, Context, figure
from chainer_vae.latent import interpolate, montage, there_and_back

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


def show_digit(axes: Axes, image: np.ndarray) -> None:
    """Show a digit, shape (28, 28) in [0, 1], white on black, without ticks."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


@figure(
    "interp-all-anim", (1, 11), "intro", "vae_all_9to9.gif", "vae_all_9to9.gif",
    en="Interpolations from every digit (row) to every digit (column). The images are decoded from"
    " points on the straight line between the two digits in the 20-dimensional latent space.",
    ja="各数字から各数字への補間。行が始点、列が終点の数字です。20次元の潜在空間で2点を結ぶ直線に沿って"
    "画像を生成しています。",
    needs="z20",
)  # fmt: skip
def interp_all_anim(context: Context) -> Animation:
    z20 = context.trained("z20")
    n = len(z20.classes)
    ends = z20.latent_means[[z20.first(digit) for digit in z20.classes]]
    t = there_and_back(40)
    # One image for each pair of digits and each t: (start, end, t, 28, 28).
    lines = [interpolate(start, end, t[:41]) for start in ends for end in ends]
    tiles = z20.decode(np.concatenate(lines)).reshape(n, n, 41, SIDE, SIDE)

    scale, top = max(1, round(20 / n)), 60
    margin = 32 if z20.classes[-1] < 100 else 42
    side = n * SIDE * scale
    fig = pixel_figure(margin + side + 8, top + side + 8)
    axes = pixel_axes(fig, margin, top, side, side)
    shown = axes.imshow(np.zeros((side, side)), cmap="gray", vmin=0, vmax=1)
    ticks = (np.arange(n) + 0.5) * SIDE * scale - 0.5
    axes.set_xticks(ticks, map(str, z20.classes), fontsize=13)
    axes.set_yticks(ticks, map(str, z20.classes), fontsize=13)
    axes.tick_params(length=0, pad=6, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    title = axes.text(0.5, 1 + 34 / side, "", transform=axes.transAxes, ha="center", fontsize=13)
    label = context.text("   (row: start, column: end)", "（行：始点、列：終点）")
    frames = []
    for index, t_i in zip([*range(41), *range(39, 0, -1)], t):
        shown.set_data(np.kron(montage(tiles[:, :, index]), np.ones((scale, scale))))
        title.set_text(f"t = {t_i:.2f}{label}")
        frames.append(pixels(fig)[:, :, 0])
    return Animation(frames, 100, colors=12)


@figure(
    "reconstruction", (4,), "1-2", "compare_reconstruction.png", "compare_reconstruction.png",
    en="The first test images (left), up to ten, and their reconstructions from the 20-dimensional"
    " latent means (right).",
    ja="最初のテスト画像（左、最大10枚）と、それぞれの20次元の潜在変数の平均から再構成した画像（右）。",
    needs="z20",
)  # fmt: skip
def reconstruction(context: Context) -> Figure:
    z20 = context.trained("z20")
    inputs = z20.data.test_images[:10].reshape(-1, SIDE, SIDE)
    n = len(inputs)
    outputs = z20.decode(z20.latent_means[:n])
    fig = Figure(figsize=(3.2, 1.52 * n))
    top, bottom = 1 - 0.2 / n, 0.05 / n
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
    en="The first test image of each digit, reconstructed from its 20-dimensional latent mean. The"
    " interpolations start and end at these images.",
    ja="各数字の最初のテスト画像を20次元の潜在変数の平均から再構成したもの。補間の始点と終点になります。",
    needs="z20",
)  # fmt: skip
def digits(context: Context) -> Figure:
    z20 = context.trained("z20")
    images = z20.decode(z20.latent_means[[z20.first(digit) for digit in z20.classes]])
    rows = math.ceil(len(images) / 5)
    height = 1.75 * rows
    fig = Figure(figsize=(style.WIDTH, height))
    top, bottom = 1 - 0.28 / height, 0.07 / height
    grid = fig.subplots(
        rows,
        5,
        squeeze=False,
        gridspec_kw=dict(left=0.01, right=0.91, top=top, bottom=bottom, hspace=0.16, wspace=0.06),
    )
    for axes, digit, image in zip(grid.flat, z20.classes, images):
        show_digit(axes, image)
        axes.set_title(str(digit))
    for axes in grid.flat[len(images) :]:
        axes.remove()
    bar_axes = fig.add_axes((0.93, 0.105 / height, 0.018, 1 - 0.42 / height))
    bar = fig.colorbar(grid[0, 0].images[0], cax=bar_axes)
    bar.set_ticks([0, 0.5, 1])
    bar.outline.set_visible(False)
    return fig


def interpolated_images(
    context: Context, name: str, start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate between the latent means of the first test images of two digits.

    Args:
        context: Provides the model.
        name: The name of the model, a key of SHIPPED.
        start, end: The digits.

    Returns:
        tuple: t from 0 to 1, shape (81,), and the decoded images in [0, 1], shape (81, 28, 28).

    Raises:
        InputError: The model cannot be used, or there is no test image of a digit.
    """
    trained = context.trained(name)
    t = np.linspace(0, 1, N_FRAMES)
    z_start, z_end = trained.latent_means[[trained.first(start), trained.first(end)]]
    return t, trained.decode(interpolate(z_start, z_end, t))


def frames_in_a_grid(t: np.ndarray, images: np.ndarray) -> Figure:
    """The 81 images of an interpolation, shape (81, 28, 28), in a 9 x 9 grid with their t (81,)."""
    fig = Figure(figsize=(style.WIDTH, 8.6))
    grid = fig.subplots(
        9,
        9,
        gridspec_kw=dict(left=0.01, right=0.99, top=0.977, bottom=0.005, hspace=0.28, wspace=0.08),
    )
    for axes, t_i, image in zip(grid.flat, t, images):
        show_digit(axes, image)
        axes.set_title(f"t={t_i:.3f}", fontsize=8.5, pad=2.5)
    return fig


def frames_one_by_one(t: np.ndarray, images: np.ndarray) -> Animation:
    """The 81 images of an interpolation as an animation: 256 x 256 pixels, 80 ms per frame.

    Args:
        t: Shape (81,).
        images: In [0, 1], shape (81, 28, 28).
    """
    fig = pixel_figure(256, 256)
    side = SIDE * 8
    axes = pixel_axes(fig, (256 - side) // 2, 256 - side - 4, side, side)
    show_digit(axes, images[0])
    title = axes.text(0.5, 1 + 7 / side, "", transform=axes.transAxes, ha="center", fontsize=11)
    frames = []
    for t_i, image in zip(t, images):
        axes.images[0].set_data(image)
        title.set_text(f"t = {t_i:.3f}")
        frames.append(pixels(fig)[:, :, 0])
    return Animation(frames, 80, colors=64)


@figure(
    "interp-0-9-frames", (), "notebook", "frames_0to9.png", "",
    en="Interpolation from a 0 to a 9 in the 20-dimensional latent space. With so many dimensions,"
    " the path passes through hardly any other digit.",
    ja="20次元の潜在空間での0から9への補間。次元が高いため、途中で他の数字をほとんど経由しません。",
    needs="z20",
)  # fmt: skip
def interp_0_9_frames(context: Context) -> Figure:
    return frames_in_a_grid(*interpolated_images(context, "z20", 0, 9))


@figure(
    "interp-0-9-anim", (), "notebook", "vae_0to9.gif", "",
    en="Animated interpolation from a 0 to a 9 in the 20-dimensional latent space.",
    ja="20次元の潜在空間での0から9への補間のアニメーション。",
    needs="z20",
)  # fmt: skip
def interp_0_9_anim(context: Context) -> Animation:
    return frames_one_by_one(*interpolated_images(context, "z20", 0, 9))
