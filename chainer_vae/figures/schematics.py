"""The article's diagrams: the structure of an autoencoder and a VAE, and the gap of the bound.

Coordinates are pixels of the figure as the article shows it, 750 pixels wide, with y upwards.
Every part is a :class:`Shape`, and arrows run from outline to outline.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Optional

import numpy as np
from matplotlib import patches
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from numpy.typing import ArrayLike

from chainer_vae.datasets import MNIST_SHAPE
from chainer_vae.evaluation import encode
from chainer_vae.figures import style
from chainer_vae.figures.registry import Context, figure
from chainer_vae.latent import decode
from chainer_vae.model import VAE
from chainer_vae.runs import load_model

WIDTH = 100 * style.WIDTH
NAME = 14.0  # font size of the names of parts and variables
SMALL = 11.5  # font size of all other text
LINE = 1.6  # line width of outlines and arrows, in points
DASHES = (0, (4, 2.5))
OUTPUT = r"$X\hspace{-0.1}'$"
HEAD = 11.0  # length of an arrow's head
CLEARANCE = 2.0  # between an arrow and an outline
# Nodes in the layers of a drawn network. They change evenly, like the sides of its trapezoid.
LAYERS = (7, 5, 3)


class Shape(NamedTuple):
    """A part of a diagram: the point that arrows aim at, and the outline where they end."""

    x: float
    y: float
    patch: Optional[patches.Patch] = None

    def at(self, x: float) -> "Shape":
        """The same shape with another point to aim at, inside the outline."""
        return Shape(x, self.y, self.patch)


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure to draw on, ``height`` pixels high, without visible axes."""
    fig = Figure(figsize=(style.WIDTH, height / 100))
    axes = fig.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    return fig, axes


def tint(color: str, strength: float = 0.1) -> tuple[float, ...]:
    """The fill colour (RGB in [0, 1]) of a shape with an outline in ``color``."""
    return tuple(1 - strength * (1 - part) for part in to_rgb(color))


def write(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Write a text centred at (x, y), unless ``how`` says otherwise."""
    how = {"ha": "center", "size": NAME, **how}
    if "va" not in how:
        below = 0.5 * how["size"]  # half the height of a capital, in pixels; good for Japanese, too
        if text.startswith("$"):
            parsed = MathTextParser("path").parse(text, 100, FontProperties(size=how["size"]))
            # For a single letter such as mu, count only a part of its descender.
            below = max(parsed.height / 2 - parsed.depth, 0.24 * how["size"])
        y -= below
    axes.text(x, y, text, **{"va": "baseline", **how})


def box(
    axes: Axes, x: float, y: float, width: float, height: float, color: str,
    text: str = "", random: bool = False, face: Optional[str] = None,
) -> Shape:  # fmt: skip
    """A rectangle with round corners; dashed if ``random``, for what is sampled."""
    patch = patches.FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=9",
        facecolor=face or tint(color), edgecolor=color, lw=LINE,
        linestyle=DASHES if random else "-",
    )  # fmt: skip
    axes.add_patch(patch)
    write(axes, x, y, text, size=SMALL, color=color)
    return Shape(x, y, patch)


def node(
    axes: Axes, x: float, y: float, text: str, color: str,
    radius: float = 21, face: Optional[str] = None, size: float = NAME + 2, lw: float = LINE,
) -> Shape:  # fmt: skip
    """A variable or an operation in a circle."""
    patch = patches.Circle((x, y), radius, facecolor=face or tint(color), edgecolor=color, lw=lw)
    axes.add_patch(patch)
    write(axes, x, y, text, color=color, size=size)
    return Shape(x, y, patch)


def digit(axes: Axes, x: float, y: float, side: float, image: np.ndarray) -> Shape:
    """An image of a digit, shape (28, 28) in [0, 1], ``side`` pixels wide."""
    left, bottom = x - side / 2, y - side / 2
    axes.imshow(
        image, cmap="gray", vmin=0, vmax=1, aspect="auto",
        extent=(left, left + side, bottom, bottom + side),
    )  # fmt: skip
    patch = patches.Rectangle((left, bottom), side, side, fill=False, edgecolor=style.INK, lw=1)
    axes.add_patch(patch)
    return Shape(x, y, patch)


def network(
    axes: Axes, x: float, y: float, layers: Sequence[int], color: str,
    gap: float = 48, pitch: float = 23, upright: bool = False,
) -> Shape:  # fmt: skip
    """A network in a trapezoid, from left to right, or from bottom to top if ``upright``.

    Args:
        axes: Where to draw.
        x, y: The centre.
        layers: The number of nodes in each layer.
        color: The colour of nodes and outline.
        gap: The distance between two layers, in pixels.
        pitch: The distance between two nodes of a layer, in pixels.
        upright: Whether it runs from bottom to top.
    """

    def position(along: ArrayLike, across: ArrayLike) -> np.ndarray:
        pair = np.stack(np.broadcast_arrays(along, across), axis=-1)
        return (pair[..., ::-1] if upright else pair) + (x, y)

    half = gap * (len(layers) - 1) / 2
    steps = np.linspace(-half, half, len(layers))
    columns = [position(t, pitch * (np.arange(n) - (n - 1) / 2)) for t, n in zip(steps, layers)]
    # The outline has the same distance from all outermost nodes.
    end = half + 0.8 * pitch
    slope = pitch * (layers[-1] - layers[0]) / (4 * half)
    middle = pitch * (layers[0] + layers[-1] + 1.6) / 4
    first, last = middle - slope * end, middle + slope * end
    patch = patches.Polygon(
        position([-end, end, end, -end], [first, last, -last, -first]),
        facecolor=tint(color), edgecolor=color, lw=LINE, joinstyle="round",
    )  # fmt: skip
    axes.add_patch(patch)
    edges = [(a, b) for left, right in zip(columns, columns[1:]) for a in left for b in right]
    axes.add_collection(LineCollection(edges, colors=[tint(color, 0.45)], lw=0.7))
    nodes = np.concatenate(columns)
    axes.plot(nodes[:, 0], nodes[:, 1], "o", color=color, markersize=0.36 * pitch, zorder=3)
    return Shape(x, y, patch)


def latent_variables(
    axes: Axes, x: float, y: float, width: float, height: float, bell: bool
) -> Shape:
    """The latent variables in a box: a column of nodes, or with ``bell``, a normal distribution."""
    shape = box(axes, x, y, width, height, style.LATENT)
    if bell:
        t = np.linspace(-3, 3, 121)
        base, tall = y - 0.36 * height, 0.7 * height
        across, up = x + t / 3 * 0.42 * width, base + tall * np.exp(-(t**2) / 2)
        axes.fill_between(across, base, up, color=tint(style.LATENT, 0.3), lw=0)
        axes.plot(across, up, color=style.LATENT, lw=2)
        axes.plot(across[[0, -1]], [base, base], color=style.LATENT, lw=1)
    else:
        column = y + 23 * (np.arange(3) - 1)
        axes.plot(np.full(3, x), column, "o", color=style.LATENT, markersize=10)
    return shape


def arrow(
    axes: Axes, start: Shape, end: Shape, color: str = style.INK,
    aside: float = 0, bend: float = 0, dashed: bool = False,
) -> None:  # fmt: skip
    """An arrow from the outline of one shape to that of another.

    Args:
        axes: Where to draw.
        start, end: The shapes.
        color: The colour of the arrow.
        aside: Pixels to shift it to its right, to make room for an arrow in the other direction.
        bend: How much it curves to its right, relative to its length; negative: to its left.
        dashed: Whether its line is dashed.
    """
    ends = np.array([start[:2], end[:2]])
    along = ends[1] - ends[0]
    ends = ends + aside * along[::-1] * (1, -1) / np.hypot(*along)
    # Matplotlib would also dash the head of a dashed arrow: take only its path.
    path = patches.FancyArrowPatch(
        *ends, patchA=start.patch, patchB=end.patch,
        arrowstyle="-", connectionstyle=f"arc3,rad={bend}", transform=axes.transData,
        shrinkA=CLEARANCE, shrinkB=CLEARANCE + HEAD,
    ).get_path()  # fmt: skip
    dashes = DASHES if dashed else "-"
    axes.add_patch(patches.PathPatch(path, fill=False, edgecolor=color, lw=LINE, linestyle=dashes))
    before, base = np.asarray(path.vertices)[-2:]
    ahead = (base - before) / np.hypot(*(base - before))
    side = 0.42 * HEAD * ahead[::-1] * (1, -1)
    head = [base + HEAD * ahead, base + side, base - side]
    axes.add_patch(patches.Polygon(head, facecolor=color, edgecolor="none"))


def chain(axes: Axes, *shapes: Shape) -> None:
    """Draw arrows from each shape to the next."""
    for start, end in zip(shapes, shapes[1:]):
        arrow(axes, start, end)


def chain_with_gradient(axes: Axes, *shapes: Shape, dashed: bool = False) -> None:
    """Draw arrows from each shape to the next, and the gradient's arrows back.

    The gradient's arrows are ``dashed`` where it does not pass.
    """
    for start, end in zip(shapes, shapes[1:]):
        arrow(axes, start, end, aside=-7)
        arrow(axes, end, start, style.GRADIENT, aside=-7, dashed=dashed)


@lru_cache(maxsize=1)
def shipped_model() -> VAE:
    """The shipped VAE with 20 latent dimensions."""
    return load_model("z20")[0]


def digits(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """X, the first test image (a 7), and X', its reconstruction by the shipped model.

    Returns:
        tuple: Two images in [0, 1], each of shape (28, 28).
    """
    image = context.mnist.test_images[:1]
    mu, _ = encode(shipped_model(), image)
    output = decode(shipped_model(), mu)
    return image.reshape(MNIST_SHAPE), output.reshape(MNIST_SHAPE)


def encoder_word(context: Context) -> str:
    return context.text("Encoder", "エンコーダー")


def decoder_word(context: Context) -> str:
    return context.text("Decoder", "デコーダー")


def whole(context: Context, bell: bool) -> Figure:
    """X -> Encoder -> z -> Decoder -> X'; with ``bell``, z has a normal distribution."""
    fig, axes = canvas(270)
    input, output = digits(context)
    y = 128
    shapes = [
        digit(axes, 67, y, 98, input),
        network(axes, 228, y, LAYERS, style.ENCODER),
        latent_variables(axes, 375, y, 88, 92, bell),
        network(axes, 522, y, LAYERS[::-1], style.DECODER),
        digit(axes, 683, y, 98, output),
    ]
    chain(axes, *shapes)
    latent = r"$z \sim N(0, I)$" if bell else "$z$"
    names = ["$X$", encoder_word(context), latent, decoder_word(context), OUTPUT]
    colors = [style.INK, style.ENCODER, style.LATENT, style.DECODER, style.INK]
    for shape, text, color in zip(shapes, names, colors):
        write(axes, shape.x, y + 108, text, color=color, va="baseline")
    pixels, numbers = context.text("784 pixels", "784次元"), context.text("20 numbers", "20次元")
    for shape, text in zip(shapes[::2], [pixels, numbers, pixels]):
        write(axes, shape.x, 14, text, size=SMALL, color=style.MUTED, va="baseline")
    return fig


@figure(
    "autoencoder", (2,), "1-1", "autoencoder.png", "Normal Autoendocer",
    en="The plain autoencoder: the encoder compresses an image X into a few numbers z, and the"
    " decoder reconstructs the image from them. (X′ is a real reconstruction of X by the shipped"
    " VAE.)",
    ja="通常のオートエンコーダー。エンコーダーが画像Xを少数の値zに圧縮し、デコーダーがzから画像を"
    "再構成します（X′は、付属のVAEで実際にXを再構成した画像です）。",
)  # fmt: skip
def autoencoder(context: Context) -> Figure:
    return whole(context, bell=False)


@figure(
    "vae-overview", (3,), "1-2", "vae_overview.png", "Variational Autoencoder",
    en="The variational autoencoder: the same structure, but z in the middle is made to follow a"
    " normal distribution.",
    ja="Variational Autoencoder。流れは同じですが、中央のzが正規分布に従うと仮定します。",
)  # fmt: skip
def vae_overview(context: Context) -> Figure:
    return whole(context, bell=True)


@figure(
    "graphical-model", (15,), "3", "graphical_model.png", "grahical model",
    en="The graphical model: each of the N images X is generated from its own z. The parameters"
    " outside the plate are shared by all images.",
    ja="グラフィカルモデル。N個のデータXはそれぞれの潜在変数zから生成され、"
    "枠の外のパラメーターは全データに共通です。",
)  # fmt: skip
def graphical_model(context: Context) -> Figure:
    fig, axes = canvas(330)
    box(axes, 215, 165, 170, 290, style.MUTED, face="none")
    write(axes, 280, 36, "$N$", color=style.MUTED)
    z = node(axes, 215, 250, "$z$", style.LATENT, radius=32, face="white", size=20)
    x = node(axes, 215, 96, "$X$", style.INK, radius=32, face="#D1D5DB", size=20)
    phi = node(axes, 60, 250, r"$\phi$", style.ENCODER, radius=16, face="none", size=20, lw=0)
    theta = node(axes, 370, 96, r"$\theta$", style.DECODER, radius=16, face="none", size=20, lw=0)
    arrow(axes, z, x, style.DECODER)
    arrow(axes, theta, x, style.DECODER)
    arrow(axes, x, z, style.ENCODER, bend=-0.45, dashed=True)
    arrow(axes, phi, z, style.ENCODER, dashed=True)

    legend = [
        (style.DECODER, False, context.text("generative model", "生成モデル"),
         r"$p(z)\,p_\theta(X|z)$"),
        (style.ENCODER, True, context.text("inference", "推論"), r"$q_\phi(z|X)$"),
    ]  # fmt: skip
    for y, (color, dashed, words, formula) in zip((250, 160), legend):
        arrow(axes, Shape(455, y), Shape(510, y), color, dashed=dashed)
        write(axes, 528, y, words, size=NAME, ha="left")
        write(axes, 528, y - 30, formula, color=color, ha="left")
    node(axes, 483, 72, "", style.INK, radius=13, face="#D1D5DB")
    write(axes, 528, 72, context.text("observed", "観測変数"), ha="left")
    return fig


@figure(
    "encoder", (16,), "3", "encoder.png", "encoder",
    en="The encoder: a network that maps an image X to its latent variables z.",
    ja="エンコーダー。画像Xを潜在変数zに対応づけるニューラルネットワーク。",
)  # fmt: skip
def encoder(context: Context) -> Figure:
    return half(context, backwards=False)


@figure(
    "decoder", (17,), "3", "decoder.png", "decoder",
    en="The decoder: a network that maps latent variables z back to an image X.",
    ja="デコーダー。潜在変数zから画像Xを再構成するニューラルネットワーク。",
)  # fmt: skip
def decoder(context: Context) -> Figure:
    return half(context, backwards=True)


def half(context: Context, backwards: bool) -> Figure:
    """X -> Encoder -> z; or if ``backwards``, z -> Decoder -> X."""
    fig, axes = canvas(290)
    word = (decoder_word if backwards else encoder_word)(context)
    color = style.DECODER if backwards else style.ENCODER
    layers = (9, 7, 5, 3)
    y, middle, turn = 130, WIDTH / 2, -1 if backwards else 1
    shapes = [
        digit(axes, middle - turn * 222, y, 120, digits(context)[backwards]),
        network(axes, middle + turn * 30, y, layers[::turn], color, gap=62),
        latent_variables(axes, middle + turn * 252, y, 60, 92, bell=False),
    ]
    chain(axes, *shapes[::turn])
    for shape, text, ink in zip(shapes, ("$X$", word, "$z$"), (style.INK, color, style.LATENT)):
        write(axes, shape.x, y + 128, text, color=ink, va="baseline")
    return fig


@figure(
    "vae-model", (18,), "3", "vae_model.png", "VAE",
    en="The whole model: the encoder does not output z itself, but the mean μ and the standard"
    " deviation σ of the normal distribution that z is sampled from. Here N(μ, σ²) has the variance"
    " in second place; the article writes N(μ, σ).",
    ja="VAE全体のモデル。エンコーダーはzそのものではなく、zが従う正規分布の平均μと標準偏差σを出力します。"
    "ここでは N(μ, σ²) のように2番目に分散を書きます（記事の表記は N(μ, σ) です）。",
)  # fmt: skip
def vae_model(context: Context) -> Figure:
    fig, axes = canvas(310)
    input, output = digits(context)
    y = 172
    x = digit(axes, 60, y, 80, input)
    enc = network(axes, 192.5, y, LAYERS, style.ENCODER, gap=42)
    both = box(axes, 315, y, 60, 108, style.ENCODER)
    node(axes, both.x, y + 25, r"$\mu$", style.ENCODER, face="white")
    node(axes, both.x, y - 25, r"$\sigma$", style.ENCODER, face="white")
    z = latent_variables(axes, 421, y, 88, 92, bell=True)
    dec = network(axes, 557.5, y, LAYERS[::-1], style.DECODER, gap=42)
    out = digit(axes, 690, y, 80, output)
    chain(axes, x, enc, both, z, dec, out)
    for shape, text, color in (
        (x, "$X$", style.INK),
        (enc, rf"{encoder_word(context)} ($\phi$)", style.ENCODER),
        (z, r"$z \sim N(\mu, \sigma^2)$", style.LATENT),
        (dec, rf"{decoder_word(context)} ($\theta$)", style.DECODER),
        (out, OUTPUT, style.INK),
    ):
        write(axes, shape.x, y + 106, text, color=color, va="baseline")
    bracket(axes, 20, z.x - 6, 52, r"$q_\phi(z|X)$", style.ENCODER)
    bracket(axes, z.x + 6, 730, 52, r"$p_\theta(X|z)$", style.DECODER)
    return fig


def bracket(axes: Axes, left: float, right: float, y: float, text: str, color: str) -> None:
    """Draw a bracket below a part of a diagram, with a text."""
    axes.plot([left, left, right, right], [y + 8, y, y, y + 8], color=color, lw=LINE)
    write(axes, (left + right) / 2, y - 24, text, color=color, size=NAME + 1)


def gap_figure(context: Context, gap: str, size: float) -> Figure:
    """The bound below the log likelihood; ``gap`` is written between them in font size ``size``."""
    fig, axes = canvas(360)
    base, low, top = 30, 210, 330
    left, right, width = 245, 505, 230
    for x, bottom, height, color, line in (
        (left, base, top - base, style.MUTED, "-"),
        (right, base, low - base, style.INK, "-"),
        (right, low, top - low, style.LOSS, DASHES),
    ):
        start, end = x - width / 2, x + width / 2
        patch = patches.Rectangle((start, bottom), width, height, color=tint(color), lw=0)
        axes.add_patch(patch)
        sides = [start, start, end, end], [bottom, bottom + height, bottom + height, bottom]
        axes.plot(*sides, color=color, lw=LINE, linestyle=line)
    axes.plot([80, 670], [base, base], color=style.INK, lw=LINE)
    axes.plot([left + width / 2, right - width / 2], [top, top], color=style.MUTED, lw=1, ls=DASHES)
    for x, y, formula, words in (
        (left, (base + top) / 2, r"$\log p(X)$", context.text("log likelihood", "対数尤度")),
        (right, (base + low) / 2, r"$\mathcal{L}(X,z)$", context.text("lower bound", "変分下限")),
    ):
        write(axes, x, y + 14, formula, size=NAME + 4)
        write(axes, x, y - 18, words, size=SMALL)
    write(axes, right, (low + top) / 2, gap, size=size, color=style.LOSS)
    return fig


@figure(
    "elbo-gap-unknown", (20,), "3", "elbo_gap_unknown.png", "eq001",
    en="The bound lies below the log likelihood. By how much?",
    ja="変分下限は対数尤度を超えません。その差「？」は何でしょうか。",
)  # fmt: skip
def elbo_gap_unknown(context: Context) -> Figure:
    return gap_figure(context, "?", 36)


@figure(
    "elbo-gap-kl", (22,), "3", "elbo_gap_kl.png", "fig_003",
    en="The gap is the KL divergence of q from the true posterior.",
    ja="差の正体は、qと真の事後分布とのKLダイバージェンスです。",
)  # fmt: skip
def elbo_gap_kl(context: Context) -> Figure:
    return gap_figure(context, r"$D_{\mathrm{KL}}[q(z|X)\,\|\,p(z|X)]$", NAME + 2)


@figure(
    "reparameterization", (29,), "trick", "reparameterization.png", "reparameterization trick",
    en="Left: z is sampled directly from the distribution, and the gradient of the reconstruction"
    " error stops there. Right: the noise ε is a separate input, and the gradient (blue) reaches"
    " the encoder.",
    ja="左：zを分布から直接サンプリングすると、再構成誤差の勾配はそこで止まります。"
    "右：ノイズεを別の入力として与えると、青い矢印のように勾配がエンコーダーまで届きます。",
)  # fmt: skip
def reparameterization(context: Context) -> Figure:
    fig, axes = canvas(830)
    for left, trick in ((0, False), (WIDTH / 2, True)):
        backpropagation(context, axes, left + 186, trick)
    axes.plot([WIDTH / 2] * 2, [64, 812], color="#D1D5DB", lw=1)

    y = 28
    arrow(axes, Shape(95, y), Shape(140, y))
    write(axes, 150, y, context.text("forward", "順伝播"), size=SMALL, ha="left")
    arrow(axes, Shape(290, y), Shape(335, y), style.GRADIENT)
    words = context.text("gradient of the error", "再構成誤差の勾配")
    write(axes, 345, y, words, size=SMALL, ha="left")
    box(axes, 592, y, 36, 22, style.MUTED, random=True)
    write(axes, 620, y, context.text("random", "乱数"), size=SMALL, ha="left")
    return fig


def backpropagation(context: Context, axes: Axes, x: float, trick: bool) -> None:
    """The path from X up to the loss, and the gradient's back.

    z is sampled with the reparameterization ``trick`` or directly. The path is centred at ``x``.
    """
    title = context.text("Reparameterization trick", "Reparameterization Trick")
    if not trick:
        title = context.text("Sampling directly", "直接サンプリング")
    write(axes, x, 798, title)

    input, output = digits(context)
    image = digit(axes, x, 104, 60, input)
    enc = network(axes, x, 204, LAYERS, style.ENCODER, gap=22, pitch=19, upright=True)
    both = box(axes, x, 310, 148, 62, style.ENCODER)
    mu = node(axes, x - 42, both.y, r"$\mu$", style.ENCODER, face="white")
    sigma = node(axes, x + 42, both.y, r"$\sigma$", style.ENCODER, face="white")
    z = node(axes, x, 496, "$z$", style.LATENT)
    dec = network(axes, x, 584, LAYERS[::-1], style.DECODER, gap=22, pitch=19, upright=True)
    out = digit(axes, x, 681, 60, output)
    reconstruction = context.text("reconstruction error", "再構成誤差")
    error = box(axes, x, 756, 180, 32, style.LOSS, reconstruction)
    kl = box(axes, x - 138, both.y, 76, 32, style.LOSS, context.text("KL term", "KL項"))
    write(axes, x - 74, enc.y, encoder_word(context), color=style.ENCODER, size=SMALL, ha="right")
    write(axes, x - 74, dec.y, decoder_word(context), color=style.DECODER, size=SMALL, ha="right")
    for shape, words in ((image, "$X$"), (out, OUTPUT)):
        write(axes, x - 42, shape.y, words, ha="right")

    arrow(axes, image, enc)
    arrow(axes, both, kl)
    chain_with_gradient(axes, z, dec, out, error)
    if trick:
        times = node(axes, x + 42, 384, "", style.INK, radius=14, face="white")
        axes.plot(times.x, times.y, "o", color=style.INK, markersize=4)
        plus = node(axes, x, 434, "$+$", style.INK, radius=14, face="white")
        noise = r"$\varepsilon \sim N(0, I)$"
        epsilon = box(axes, x + 135, times.y, 94, 34, style.MUTED, noise, random=True)
        arrow(axes, epsilon, times)
        chain_with_gradient(axes, enc, both)
        chain_with_gradient(axes, mu, plus, z)
        chain_with_gradient(axes, sigma, times, plus)
        write(axes, x + 32, z.y, r"$z = \mu + \sigma \odot \varepsilon$", ha="left")
    else:
        distribution = r"$z \sim N(\mu(X), \sigma^2(X))$"
        draw = box(axes, x, 416, 170, 42, style.LATENT, distribution, random=True)
        chain_with_gradient(axes, draw, z)
        arrow(axes, enc, both)
        for part in (mu, sigma):
            chain_with_gradient(axes, part, draw.at(x=part.x), dashed=True)
            middle = (both.y + 31 + draw.y - 21) / 2
            axes.plot(part.x + 7, middle, "x", color=style.LOSS, markersize=11, mew=2.6)
        words = context.text("blocked", "伝わらない")
        write(axes, x + 72, middle, words, size=SMALL, color=style.LOSS, ha="left")
