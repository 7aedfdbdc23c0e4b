"""The article's diagrams: how an autoencoder and a VAE are built, and what the bound leaves open.

They are drawn on a plane whose unit is a pixel of the picture as the article shows it, 750 wide,
y upwards. Every part is a :class:`Shape`, and arrows go from border to border.
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

from chainer_vae.evaluation import encode
from chainer_vae.figures import style
from chainer_vae.figures.registry import SIDE, Context, figure
from chainer_vae.latent import decode
from chainer_vae.model import VAE
from chainer_vae.runs import load_model

WIDTH = 100 * style.WIDTH
NAME = 14.0  # size of names, of parts and of variables
SMALL = 11.5  # of everything else
LINE = 1.6  # width of outlines and arrows
DASHES = (0, (4, 2.5))
OUTPUT = r"$X\hspace{-0.1}'$"
HEAD = 11.0  # length of an arrow's head
CLEARANCE = 2.0  # between an arrow and an outline
# Nodes in the layers of a drawn network, evenly more or fewer, as the trapezoid is straight.
LAYERS = (7, 5, 3)


class Shape(NamedTuple):
    """A part of a diagram: where arrows aim at, and the outline at which they end."""

    x: float
    y: float
    patch: Optional[patches.Patch] = None

    def at(self, x: float) -> "Shape":
        """The same with another place, inside the outline, to aim at."""
        return Shape(x, self.y, self.patch)


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure without axes around the plane to draw on."""
    fig = Figure(figsize=(style.WIDTH, height / 100))
    axes = fig.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    return fig, axes


def tint(color: str, strength: float = 0.1) -> tuple[float, ...]:
    """What the inside of a shape with an outline of ``color`` is filled with."""
    return tuple(1 - strength * (1 - part) for part in to_rgb(color))


def write(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Write a text, in the middle of a place unless ``how`` says otherwise."""
    how = {"ha": "center", "size": NAME, **how}
    if "va" not in how:
        below = 0.5 * how["size"]  # half a capital's height, in pixels; for Japanese letters, too
        if text.startswith("$"):
            parsed = MathTextParser("path").parse(text, 100, FontProperties(size=how["size"]))
            # The tail of a lone letter like mu counts less than all of it.
            below = max(parsed.height / 2 - parsed.depth, 0.24 * how["size"])
        y -= below
    axes.text(x, y, text, **{"va": "baseline", **how})


def box(
    axes: Axes, x: float, y: float, width: float, height: float, color: str,
    text: str = "", random: bool = False, face: Optional[str] = None,
) -> Shape:  # fmt: skip
    """A rectangle with round corners; dashed where what it holds is drawn at random."""
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
    """A variable, or an operation, in a circle."""
    patch = patches.Circle((x, y), radius, facecolor=face or tint(color), edgecolor=color, lw=lw)
    axes.add_patch(patch)
    write(axes, x, y, text, color=color, size=size)
    return Shape(x, y, patch)


def digit(axes: Axes, x: float, y: float, side: float, image: np.ndarray) -> Shape:
    """An image of a digit (28, 28)."""
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
    """A network in a trapezoid, from left to right, or ``upright``, from below.

    ``layers`` are the numbers of nodes, ``gap`` lies between two layers and ``pitch`` between two
    nodes of a layer.
    """

    def place(along: ArrayLike, across: ArrayLike) -> np.ndarray:
        pair = np.stack(np.broadcast_arrays(along, across), axis=-1)
        return (pair[..., ::-1] if upright else pair) + (x, y)

    half = gap * (len(layers) - 1) / 2
    steps = np.linspace(-half, half, len(layers))
    columns = [place(t, pitch * (np.arange(n) - (n - 1) / 2)) for t, n in zip(steps, layers)]
    # The outline runs at an even distance from the outermost nodes.
    end = half + 0.8 * pitch
    slope = pitch * (layers[-1] - layers[0]) / (4 * half)
    middle = pitch * (layers[0] + layers[-1] + 1.6) / 4
    first, last = middle - slope * end, middle + slope * end
    patch = patches.Polygon(
        place([-end, end, end, -end], [first, last, -last, -first]),
        facecolor=tint(color), edgecolor=color, lw=LINE, joinstyle="round",
    )  # fmt: skip
    axes.add_patch(patch)
    edges = [(a, b) for left, right in zip(columns, columns[1:]) for a in left for b in right]
    axes.add_collection(LineCollection(edges, colors=[tint(color, 0.45)], lw=0.7))
    nodes = np.concatenate(columns)
    axes.plot(nodes[:, 0], nodes[:, 1], "o", color=color, markersize=0.36 * pitch, zorder=3)
    return Shape(x, y, patch)


def code(axes: Axes, x: float, y: float, width: float, height: float, bell: bool) -> Shape:
    """The latent variables: a column of nodes, or the bell curve that they follow."""
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

    It is moved ``aside`` to its right, to leave room for one that comes back, and curves to its
    right by ``bend``.
    """
    ends = np.array([start[:2], end[:2]])
    along = ends[1] - ends[0]
    ends = ends + aside * along[::-1] * (1, -1) / np.hypot(*along)
    # Matplotlib's own head would be dashed where the line is; so only the way is from it.
    way = patches.FancyArrowPatch(
        *ends, patchA=start.patch, patchB=end.patch,
        arrowstyle="-", connectionstyle=f"arc3,rad={bend}", transform=axes.transData,
        shrinkA=CLEARANCE, shrinkB=CLEARANCE + HEAD,
    ).get_path()  # fmt: skip
    dashes = DASHES if dashed else "-"
    axes.add_patch(patches.PathPatch(way, fill=False, edgecolor=color, lw=LINE, linestyle=dashes))
    before, base = np.asarray(way.vertices)[-2:]
    ahead = (base - before) / np.hypot(*(base - before))
    side = 0.42 * HEAD * ahead[::-1] * (1, -1)
    head = [base + HEAD * ahead, base + side, base - side]
    axes.add_patch(patches.Polygon(head, facecolor=color, edgecolor="none"))


def chain(axes: Axes, *shapes: Shape) -> None:
    """Arrows from each shape to the next."""
    for start, end in zip(shapes, shapes[1:]):
        arrow(axes, start, end)


def there_and_back(axes: Axes, *shapes: Shape, dashed: bool = False) -> None:
    """The same, and beside them the gradient's, which come back."""
    for start, end in zip(shapes, shapes[1:]):
        arrow(axes, start, end, aside=-7)
        arrow(axes, end, start, style.GRADIENT, aside=-7, dashed=dashed)


@lru_cache(maxsize=1)
def shipped_model() -> VAE:
    """The model with 20 latent units that comes with the package."""
    return load_model("z20")[0]


def digits(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """X, the first test image, a 7, and X', what the shipped model really makes of it."""
    image = context.mnist.test_images[:1]
    mu, _ = encode(shipped_model(), image)
    output = decode(shipped_model(), mu)
    return image.reshape(SIDE, SIDE), output.reshape(SIDE, SIDE)


def whole(context: Context, bell: bool) -> Figure:
    """X -> Encoder -> z -> Decoder -> X', with a bell curve at z or without."""
    fig, axes = canvas(270)
    input, output = digits(context)
    y = 128
    shapes = [
        digit(axes, 67, y, 98, input),
        network(axes, 228, y, LAYERS, style.ENCODER),
        code(axes, 375, y, 88, 92, bell),
        network(axes, 522, y, LAYERS[::-1], style.DECODER),
        digit(axes, 683, y, 98, output),
    ]
    chain(axes, *shapes)
    latent = r"$z \sim N(0, 1)$" if bell else "$z$"
    names = ["$X$", "Encoder", latent, "Decoder", OUTPUT]
    colors = [style.INK, style.ENCODER, style.LATENT, style.DECODER, style.INK]
    for shape, text, color in zip(shapes, names, colors):
        write(axes, shape.x, y + 108, text, color=color, va="baseline")
    pixels, numbers = context.text("784 pixels", "784次元"), context.text("20 numbers", "20次元")
    for shape, text in zip(shapes[::2], [pixels, numbers, pixels]):
        write(axes, shape.x, 14, text, size=SMALL, color=style.MUTED, va="baseline")
    return fig


@figure(
    "autoencoder", (2,), "1-1", "autoencoder.png", "Normal Autoendocer",
    en="The plain autoencoder: the encoder squeezes an image into a few numbers z, and the decoder"
    " makes an image of them again. (X′ is what the model shipped here makes of X.)",
    ja="通常のオートエンコーダー。Encoderが画像を少数の値zに縮め、Decoderがそこから画像を作り直す"
    "（X′は同梱のVAEでXを実際に復元したもの）。",
)  # fmt: skip
def autoencoder(context: Context) -> Figure:
    return whole(context, bell=False)


@figure(
    "vae-overview", (3,), "1-2", "vae_overview.png", "Variational Autoencoder",
    en="The variational autoencoder: the same way, but the numbers in the middle are made to follow"
    " a normal distribution.",
    ja="Variational Autoencoder。流れは同じだが、中央のzが正規分布に従うと仮定する。",
)  # fmt: skip
def vae_overview(context: Context) -> Figure:
    return whole(context, bell=True)


@figure(
    "graphical-model", (15,), "3", "graphical_model.png", "grahical model",
    en="The graphical model: each of the N images X comes from a z of its own; the parameters"
    " outside the plate are shared by all.",
    ja="グラフィカルモデル。N個のデータXはそれぞれの潜在変数zから生成され、"
    "枠の外のパラメーターは全データに共通。",
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
    en="The encoder: a network that takes an image X to its latent variables z.",
    ja="Encoder。画像Xを潜在変数zに対応づけるニューラルネットワーク。",
)  # fmt: skip
def encoder(context: Context) -> Figure:
    return half(context, backwards=False)


@figure(
    "decoder", (17,), "3", "decoder.png", "decoder",
    en="The decoder: a network that takes latent variables z back to an image X.",
    ja="Decoder。潜在変数zから画像Xを復元するニューラルネットワーク。",
)  # fmt: skip
def decoder(context: Context) -> Figure:
    return half(context, backwards=True)


def half(context: Context, backwards: bool) -> Figure:
    """X -> Encoder -> z, or ``backwards``, z -> Decoder -> X."""
    fig, axes = canvas(290)
    word, color = ("Decoder", style.DECODER) if backwards else ("Encoder", style.ENCODER)
    layers = (9, 7, 5, 3)
    y, middle, turn = 130, WIDTH / 2, -1 if backwards else 1
    shapes = [
        digit(axes, middle - turn * 222, y, 120, digits(context)[backwards]),
        network(axes, middle + turn * 30, y, layers[::turn], color, gap=62),
        code(axes, middle + turn * 252, y, 60, 92, bell=False),
    ]
    chain(axes, *shapes[::turn])
    for shape, text, ink in zip(shapes, ("$X$", word, "$z$"), (style.INK, color, style.LATENT)):
        write(axes, shape.x, y + 128, text, color=ink, va="baseline")
    return fig


@figure(
    "vae-model", (18,), "3", "vae_model.png", "VAE",
    en="The whole model: the encoder does not give z itself, but the mean and the spread of the"
    " normal distribution that z is drawn from.",
    ja="VAE全体のモデル。Encoderはzそのものではなく、zが従う正規分布のμとσを出力する。",
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
    z = code(axes, 421, y, 88, 92, bell=True)
    dec = network(axes, 557.5, y, LAYERS[::-1], style.DECODER, gap=42)
    out = digit(axes, 690, y, 80, output)
    chain(axes, x, enc, both, z, dec, out)
    for shape, text, color in (
        (x, "$X$", style.INK),
        (enc, r"Encoder ($\phi$)", style.ENCODER),
        (z, r"$z \sim N(\mu, \sigma)$", style.LATENT),
        (dec, r"Decoder ($\theta$)", style.DECODER),
        (out, OUTPUT, style.INK),
    ):
        write(axes, shape.x, y + 106, text, color=color, va="baseline")
    bracket(axes, 20, z.x - 6, 52, r"$q_\phi(z|X)$", style.ENCODER)
    bracket(axes, z.x + 6, 730, 52, r"$p_\theta(X|z)$", style.DECODER)
    return fig


def bracket(axes: Axes, left: float, right: float, y: float, text: str, color: str) -> None:
    """A bracket below parts of a diagram, and what they are together."""
    axes.plot([left, left, right, right], [y + 8, y, y, y + 8], color=color, lw=LINE)
    write(axes, (left + right) / 2, y - 24, text, color=color, size=NAME + 1)


def gap_picture(context: Context, gap: str, size: float) -> Figure:
    """How far the bound lies below the evidence; ``gap`` is what is written there."""
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
    en="The bound lies below the log likelihood. How far?",
    ja="変分下限は対数尤度を超えない。その差「？」は何か。",
)  # fmt: skip
def elbo_gap_unknown(context: Context) -> Figure:
    return gap_picture(context, "?", 36)


@figure(
    "elbo-gap-kl", (22,), "3", "elbo_gap_kl.png", "fig_003",
    en="The distance has a name: the divergence of q from the true posterior.",
    ja="差の正体は、qと真の事後分布とのKLダイバージェンスだった。",
)  # fmt: skip
def elbo_gap_kl(context: Context) -> Figure:
    return gap_picture(context, r"$D_{\mathrm{KL}}[q(z|X)\,\|\,p(z|X)]$", NAME + 2)


@figure(
    "reparameterization", (29,), "trick", "reparameterization.png", "reparameterization trick",
    en="Left, z is drawn from the distribution itself, and no gradient of the reconstruction gets"
    " past the draw. Right, the randomness comes in from the side, and the gradient (blue) finds"
    " its way down to the encoder.",
    ja="左：zを分布から直接サンプリングすると、復元誤差の勾配はそこで止まる。"
    "右：乱数εを横から加えると、青い矢印のように勾配がEncoderまで届く。",
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
    words = context.text("gradient of the error", "復元誤差の勾配")
    write(axes, 345, y, words, size=SMALL, ha="left")
    box(axes, 592, y, 36, 22, style.MUTED, random=True)
    write(axes, 620, y, context.text("random", "乱数"), size=SMALL, ha="left")
    return fig


def backpropagation(context: Context, axes: Axes, x: float, trick: bool) -> None:
    """From X up to the loss, and back; z is drawn at once, or with the ``trick``."""
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
    reconstruction = context.text("reconstruction error", "復元誤差")
    error = box(axes, x, 756, 180, 32, style.LOSS, reconstruction)
    divergence = box(axes, x - 138, both.y, 76, 32, style.LOSS, context.text("KL term", "KL項"))
    for shape, words, color in ((enc, "Encoder", style.ENCODER), (dec, "Decoder", style.DECODER)):
        write(axes, x - 92, shape.y, words, color=color, ha="right")
    for shape, words in ((image, "$X$"), (out, OUTPUT)):
        write(axes, x - 42, shape.y, words, ha="right")

    arrow(axes, image, enc)
    arrow(axes, both, divergence)
    there_and_back(axes, z, dec, out, error)
    if trick:
        times = node(axes, x + 42, 384, "", style.INK, radius=14, face="white")
        axes.plot(times.x, times.y, "o", color=style.INK, markersize=4)
        plus = node(axes, x, 434, "$+$", style.INK, radius=14, face="white")
        noise = r"$\varepsilon \sim N(0, I)$"
        epsilon = box(axes, x + 135, times.y, 94, 34, style.MUTED, noise, random=True)
        arrow(axes, epsilon, times)
        there_and_back(axes, enc, both)
        there_and_back(axes, mu, plus, z)
        there_and_back(axes, sigma, times, plus)
        write(axes, x + 32, z.y, r"$z = \mu + \varepsilon \odot \sigma$", ha="left")
    else:
        distribution = r"$z \sim N(\mu(X), \sigma(X))$"
        draw = box(axes, x, 416, 170, 42, style.LATENT, distribution, random=True)
        there_and_back(axes, draw, z)
        arrow(axes, enc, both)
        for part in (mu, sigma):
            there_and_back(axes, part, draw.at(x=part.x), dashed=True)
            middle = (both.y + 31 + draw.y - 21) / 2
            axes.plot(part.x + 7, middle, "x", color=style.LOSS, markersize=11, mew=2.6)
        words = context.text("blocked", "伝わらない")
        write(axes, x + 72, middle, words, size=SMALL, color=style.LOSS, ha="left")
