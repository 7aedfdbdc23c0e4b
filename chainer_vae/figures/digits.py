"""Digits and what the model makes of them: the model with 20 latent units."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_vae.figures import style
from chainer_vae.figures.output import pixels
from chainer_vae.figures.registry import SIDE, Animation, Context, figure
from chainer_vae.latent import N_CLASSES, interpolate, montage, there_and_back

N_FRAMES = 81  # of an interpolation between two digits, both included


def pixel_figure(width: int, height: int) -> Figure:
    """An empty figure of that many pixels in an animation."""
    # A little more, since matplotlib drops fractions, and 8.2 inches may be 819.99... pixels.
    return Figure(figsize=((width + 0.01) / 100, (height + 0.01) / 100), dpi=100)


def pixel_axes(fig: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Axes that cover exactly these pixels of a :func:`pixel_figure`, from its upper left."""
    whole_width, whole_height = fig.get_size_inches() * 100
    bottom = whole_height - top - height
    return fig.add_axes(
        (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
    )


def show_digit(axes: Axes, image: np.ndarray) -> None:
    """Show a digit (28, 28), white on black, without ticks."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


@figure(
    "interp-all-anim", (1, 11), "intro", "vae_all_9to9.gif", "vae_all_9to9.gif",
    en="Every digit turning into every other: row = the digit that it starts from, column = the one"
    " that it ends at, decoded along the straight line between the two in 20 dimensions.",
    ja="各数字から各数字への変化。行が始点、列が終点の数字で、20次元の潜在空間で2点を結ぶ直線に沿って生成した。",
    needs="z20",
)  # fmt: skip
def interp_all_anim(context: Context) -> Animation:
    z20 = context.trained("z20")
    ends = z20.codes[[z20.first(digit) for digit in range(N_CLASSES)]]
    t = there_and_back(40)
    # One picture for each pair of digits and each t: (start, end, t, 28, 28).
    lines = [interpolate(start, end, t[:41]) for start in ends for end in ends]
    tiles = z20.decode(np.concatenate(lines)).reshape(N_CLASSES, N_CLASSES, 41, SIDE, SIDE)

    scale, margin, top = 2, 32, 60
    side = N_CLASSES * SIDE * scale
    fig = pixel_figure(margin + side + 8, top + side + 8)
    axes = pixel_axes(fig, margin, top, side, side)
    picture = axes.imshow(np.zeros((side, side)), cmap="gray", vmin=0, vmax=1)
    places = (np.arange(N_CLASSES) + 0.5) * SIDE * scale - 0.5
    axes.set_xticks(places, map(str, range(N_CLASSES)), fontsize=13)
    axes.set_yticks(places, map(str, range(N_CLASSES)), fontsize=13)
    axes.tick_params(length=0, pad=6, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    title = axes.text(0.5, 1 + 34 / side, "", transform=axes.transAxes, ha="center", fontsize=13)
    label = context.text("   (row: start, column: end)", "（行：始点、列：終点）")
    frames = []
    for index, t_i in zip([*range(41), *range(39, 0, -1)], t):
        picture.set_data(np.kron(montage(tiles[:, :, index]), np.ones((scale, scale))))
        title.set_text(f"t = {t_i:.2f}{label}")
        frames.append(pixels(fig)[:, :, 0])
    return Animation(frames, 100, colors=12)


@figure(
    "reconstruction", (4,), "1-2", "compare_reconstruction.png", "compare_reconstruction.png",
    en="The first ten test images (left), and what the decoder makes of their 20 numbers (right).",
    ja="最初のテスト画像10枚（左）と、それぞれの20次元の潜在変数から復元した画像（右）。",
    needs="z20",
)  # fmt: skip
def reconstruction(context: Context) -> Figure:
    z20 = context.trained("z20")
    n = 10
    inputs = z20.data.test_images[:n].reshape(n, SIDE, SIDE)
    outputs = z20.decode(z20.codes[:n])
    fig = Figure(figsize=(3.2, 15.2))
    grid = fig.subplots(
        n,
        2,
        gridspec_kw=dict(left=0.02, right=0.98, top=0.98, bottom=0.005, hspace=0.05, wspace=0.05),
    )
    for row, input, output in zip(grid, inputs, outputs):
        show_digit(row[0], input)
        show_digit(row[1], output)
    grid[0, 0].set_title(context.text("Input", "入力"))
    grid[0, 1].set_title(context.text("Reconstruction", "復元"))
    return fig


@figure(
    "digits", (), "notebook", "reconstruct_0to9.png", "",
    en="The first test image of each digit, reconstructed from its 20 latent units: the pictures"
    " that the interpolations start from and end at.",
    ja="各数字の最初のテスト画像を20次元の潜在変数から復元したもの。補間の始点と終点になる。",
    needs="z20",
)  # fmt: skip
def digits(context: Context) -> Figure:
    z20 = context.trained("z20")
    images = z20.decode(z20.codes[[z20.first(digit) for digit in range(N_CLASSES)]])
    fig = Figure(figsize=(style.WIDTH, 3.5))
    grid = fig.subplots(
        2,
        5,
        gridspec_kw=dict(left=0.01, right=0.91, top=0.92, bottom=0.02, hspace=0.16, wspace=0.06),
    )
    for digit, axes in enumerate(grid.flat):
        show_digit(axes, images[digit])
        axes.set_title(str(digit))
    bar = fig.colorbar(grid[0, 0].images[0], cax=fig.add_axes((0.93, 0.03, 0.018, 0.88)))
    bar.set_ticks([0, 0.5, 1])
    bar.outline.set_visible(False)
    return fig


def line_of_digits(
    context: Context, name: str, start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """The pictures between two digits: t (81,), and what the codes decode to (81, 28, 28).

    The line goes from the code of the first test image of ``start`` to that of ``end``.
    """
    trained = context.trained(name)
    t = np.linspace(0, 1, N_FRAMES)
    codes = interpolate(trained.codes[trained.first(start)], trained.codes[trained.first(end)], t)
    return t, trained.decode(codes)


def frames_in_a_grid(t: np.ndarray, images: np.ndarray) -> Figure:
    """All the pictures of a line, 9 x 9, each with its t."""
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
    """The pictures of a line as an animation, 256 x 256 pixels, 81 frames of 80 ms."""
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
    en="From a 0 to a 9 with 20 latent units: in so many dimensions the path passes hardly any"
    " other digit.",
    ja="潜在変数が20次元のときの0から9への変化。次元が高いので、途中で他の数字をほとんど経由しない。",
    needs="z20",
)  # fmt: skip
def interp_0_9_frames(context: Context) -> Figure:
    return frames_in_a_grid(*line_of_digits(context, "z20", 0, 9))


@figure(
    "interp-0-9-anim", (), "notebook", "vae_0to9.gif", "",
    en="From a 0 to a 9 with 20 latent units, one picture after another.",
    ja="潜在変数が20次元のときの0から9への変化のアニメーション。",
    needs="z20",
)  # fmt: skip
def interp_0_9_anim(context: Context) -> Animation:
    return frames_one_by_one(*line_of_digits(context, "z20", 0, 9))
