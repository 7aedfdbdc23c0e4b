"""The article's equations, step by step. Each step has its change in colour and its reason.

All lengths are in points (1/72 inch), with y downwards from the top of the figure.
"""

import re
from typing import Any, NamedTuple, Union

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from chainer_vae.figures import style
from chainer_vae.figures.registry import Context, figure

SIZE = 14.5  # font size of formulas
SMALL = 11.0  # font size of words
GAP = 13.0  # from the centre of a relation sign to either side
SPACE = 3.0  # between words and a formula
LEADING = 17.0  # between lines
MARGIN = 14.0

Q = "q(z|X)"
PRIOR = "p(z)"
JOINT = "p(X,z)"
POSTERIOR = "p(z|X)"
BOUND = r"\mathcal{L}(X,z)"
LOG_EVIDENCE = r"\log p(X)"
RATIO = rf"\dfrac{{{JOINT}}}{{{Q}}}"
MINUS, PLUS = r"\;\;-\;\;", r"\;\;+\;\;"


def kl_divergence(p: str, q: str = Q) -> str:
    """The KL divergence of q from p, D_KL[q || p]."""
    return rf"D_{{\mathrm{{KL}}}}\left[{q}\,\|\,{p}\right]"


def expected(formula: str) -> str:
    """The expectation of a formula over q(z|X)."""
    return rf"E_{{{Q}}}\left[{formula}\right]"


KL_POSTERIOR = kl_divergence(POSTERIOR)
KL_PARAMETERS = kl_divergence(r"p_\theta(z|X)", r"q_\phi(z|X)")
KL_PRIOR = kl_divergence(PRIOR)
RECONSTRUCTION = expected(r"\log p(X|z)")


class Part(NamedTuple):
    """A coloured part of a formula, with optional words below it."""

    formula: str
    color: str = style.INK
    words: str = ""


class Line(NamedTuple):
    """One step of a derivation: ``left`` ``relation`` ``right``, and the reason for it."""

    left: str
    relation: str
    right: tuple[Union[str, Part], ...]
    reason: str = ""

    @property
    def parts(self) -> list[Part]:
        """The right side, with plain formulas as parts in the default colour."""
        return [Part(part) if isinstance(part, str) else part for part in self.right]


class Box(NamedTuple):
    """The size of a text in points: its width, and its height above and below the baseline."""

    width: float
    ascent: float
    descent: float


def math(formula: str) -> str:
    """The formula as mathematical text for matplotlib; empty if it is empty."""
    return f"${formula}$" if formula else ""


def measure(text: str, size: float = SIZE) -> Box:
    """The size in points of a text set in ``size``."""
    renderer = RendererAgg(1, 1, 72)
    width, height, descent = renderer.get_text_width_height_descent(
        text, FontProperties(size=size), ismath="$" in text
    )
    return Box(width, height - descent, descent)


def typeset(lines: list[Line]) -> Figure:
    """Set the lines below each other, aligned at their relation signs.

    If that is wider than the figure, left sides get a line of their own.
    """
    width = 72 * style.WIDTH
    left = max(measure(math(line.left)).width for line in lines)
    reasons = max(reason_width(line.reason) for line in lines)
    right = max(
        sum(measure(math(part.formula)).width for part in line.parts)
        + (reasons + 1.5 * GAP if line.reason else 0)
        for line in lines
    )
    spare = width - 2 * MARGIN - 2 * GAP - right
    hanging = spare < left
    middle = MARGIN + GAP + (min(spare, 2 * GAP) if hanging else (spare + left) / 2)

    fig = Figure()
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    y = MARGIN
    for line in lines:
        box = measure(math(line.left))
        above = max(measure(math(part.formula)).ascent for part in line.parts)
        if line.left and hanging:
            put(axes, MARGIN, y + box.ascent, math(line.left))
            y += box.ascent + box.descent + LEADING
        elif line.left:
            above = max(above, box.ascent)
            put(axes, middle - GAP, y + above, math(line.left), ha="right")
        y += above
        put(axes, middle, y, math(line.relation), ha="center")
        x = width - MARGIN - reasons
        for piece, size in pieces(line.reason):
            put(axes, x, y, piece, size=size, color=style.MUTED)
            x += measure(piece, size).width + SPACE
        deepest = bottom = y + max(measure(math(part.formula)).descent for part in line.parts)
        x = middle + GAP
        for part in line.parts:
            put(axes, x, y, math(part.formula), color=part.color)
            end = x + measure(math(part.formula)).width
            if part.words:
                deepest = max(deepest, underline(axes, x, end, bottom + 6, part))
            x = end
        y = deepest + LEADING
    height = y - LEADING + MARGIN
    fig.set_size_inches(style.WIDTH, height / 72)
    axes.set(xlim=(0, width), ylim=(height, 0))
    return fig


def pieces(reason: str) -> list[tuple[str, float]]:
    """Split a reason into words and formulas, each with its font size.

    Formulas are set larger, because their letters look smaller.
    """
    found = (piece.strip() for piece in re.split(r"(\$[^$]+\$)", reason))
    return [(piece, SMALL * 1.15 if piece.startswith("$") else SMALL) for piece in found if piece]


def reason_width(reason: str) -> float:
    """The width of a reason in points."""
    return sum(measure(piece, size).width + SPACE for piece, size in pieces(reason))


def put(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Write a text with its baseline at y."""
    axes.text(x, y, text, **{"size": SIZE, "va": "baseline", **how})


def underline(axes: Axes, x0: float, x1: float, y: float, part: Part) -> float:
    """Draw a bracket below a part, from x0 to x1, with its words; return the y where they end."""
    tip = y + 10
    axes.plot([x0 + 3, x0 + 3, x1 - 3, x1 - 3], [y, y + 5, y + 5, y], color=part.color, lw=1.3)
    axes.plot([(x0 + x1) / 2] * 2, [y + 5, tip], color=part.color, lw=1.3)
    for line in part.words.split("\n"):
        tip += SMALL * 1.4
        put(axes, (x0 + x1) / 2, tip, line, size=SMALL, color=part.color, ha="center")
    return tip + SMALL * 0.3


@figure(
    "eq-elbo", (19,), "3", "eq_elbo.png", "eq001",
    en="Derivation of the evidence lower bound (ELBO): Jensen's inequality moves the logarithm into"
    " the integral.",
    ja="変分下限（ELBO）の導出。イェンセンの不等式により、対数を積分の中に入れます。",
)  # fmt: skip
def eq_elbo(context: Context) -> Figure:
    text = context.text
    return typeset([
        Line(LOG_EVIDENCE, "=", (rf"\log\int\;{JOINT}\,dz",),
             text("$z$ integrated out", "$z$ について周辺化")),
        Line("", "=", (r"\log\int", Part(rf"\;{Q}\,{RATIO}", style.ENCODER), r"\,dz"),
             text(r"times $q\,/\,q$", r"$q\,/\,q$ を掛ける")),
        Line("", r"\geq", (rf"\int\;{Q}", Part(r"\;\log\,", style.LOSS), RATIO, r"\,dz"),
             text("Jensen's inequality", "イェンセンの不等式")),
        Line("", "=", (BOUND,), text("the lower bound", "変分下限")),
    ])  # fmt: skip


@figure(
    "eq-gap", (21,), "3", "eq_gap.png", "fig_002",
    en="The gap between the log likelihood and the bound is the KL divergence of q from the true"
    " posterior.",
    ja="対数尤度と変分下限の差は、qと真の事後分布とのKLダイバージェンスになります。",
)  # fmt: skip
def eq_gap(context: Context) -> Figure:
    text = context.text
    factored = rf"\dfrac{{{POSTERIOR}\,p(X)}}{{{Q}}}"
    return typeset([
        Line(rf"{LOG_EVIDENCE} - {BOUND}", "=",
             (LOG_EVIDENCE, MINUS, Part(rf"\int\;{Q}\,\log {RATIO}\,dz", style.ENCODER)),
             text("the bound, written out", "変分下限の定義")),
        Line("", "=",
             (Part(rf"\int\;{Q}\,{LOG_EVIDENCE}\,dz", style.ENCODER),
              MINUS, rf"\int\;{Q}\,\log {RATIO}\,dz"),
             rf"$\int\;{Q}\,dz = 1$"),
        Line("", "=",
             (rf"\int\;{Q}\,",
              Part(rf"\left\{{{LOG_EVIDENCE} - \log {factored}\right\}}", style.ENCODER), r"\,dz"),
             rf"${JOINT} = {POSTERIOR}\,p(X)$"),
        Line("", "=", (rf"\int\;{Q}\,", Part(rf"\log \dfrac{{{Q}}}{{{POSTERIOR}}}", style.ENCODER),
                       r"\,dz"),
             text(rf"${LOG_EVIDENCE}$ cancels", rf"${LOG_EVIDENCE}$ が消える")),
        Line("", "=", (Part(KL_POSTERIOR, style.LOSS),),
             text("by definition", "KLの定義")),
        Line("", r"\geq", ("0",), text("KL is never negative", "KLは常に0以上")),
    ])  # fmt: skip


@figure(
    "eq-elbo-kl", (23,), "3", "eq_elbo_kl.png", "fig_004",
    en="Maximizing the bound with respect to φ brings q closer to the true posterior.",
    ja="φについて変分下限を最大化することは、qを真の事後分布に近づけることと同じです。",
)  # fmt: skip
def eq_elbo_kl(context: Context) -> Figure:
    text = context.text
    return typeset([
        Line(BOUND, "=", (
            Part(LOG_EVIDENCE, style.MUTED, text("the same\nfor every q", "qによらず\n一定")),
            r"\quad - \quad",
            Part(KL_PARAMETERS, style.LOSS, text("0 or more: the smaller,\nthe higher the bound",
                                                 "0以上\n小さいほど変分下限は大きい")),
        )),
    ])  # fmt: skip


@figure(
    "eq-kl-three", (24,), "3", "eq_kl_three.png", "equ_002",
    en="The KL divergence from the true posterior, which is unknown, split into three terms.",
    ja="未知の事後分布とのKLダイバージェンスを3つの項に分解します。",
)  # fmt: skip
def eq_kl_three(context: Context) -> Figure:
    text = context.text
    bayes = r"\dfrac{p(X|z)\,p(z)}{p(X)}"
    return typeset([
        Line(KL_PARAMETERS, "=", (expected(rf"\log {Q} - \log {POSTERIOR}"),),
             text("by definition", "KLの定義")),
        Line("", "=", (Part(expected(rf"\log {Q} - \log {bayes}"), style.ENCODER),),
             text("Bayes' theorem", "ベイズの定理")),
        Line("", "=", (expected(rf"\log {Q} - \log {PRIOR} - \log p(X|z)"), PLUS,
                       Part(LOG_EVIDENCE, style.ENCODER)),
             text("$z$ is not in it", "$z$ を含まない")),
        Line("", "=", (Part(KL_PRIOR, style.LATENT), MINUS, Part(RECONSTRUCTION, style.DECODER),
                       PLUS, LOG_EVIDENCE),
             text("by definition", "KLの定義")),
    ])  # fmt: skip


@figure(
    "eq-substitute", (25,), "3", "eq_substitute.png", "equ_003",
    en="Substituted into the bound: the term that cannot be computed cancels.",
    ja="変分下限の式に代入すると、計算できない項が消えます。",
)  # fmt: skip
def eq_substitute(context: Context) -> Figure:
    text = context.text
    return typeset([
        Line(BOUND, "=", (LOG_EVIDENCE, MINUS, Part(KL_PARAMETERS, style.LOSS))),
        Line("", "=", (
            LOG_EVIDENCE, MINUS, r"\{\,", Part(KL_PRIOR, style.LATENT), r"\;-\;",
            Part(RECONSTRUCTION, style.DECODER), r"\;+\;", Part(LOG_EVIDENCE, style.MUTED), r"\,\}",
        )),
        Line("", "=", ("-\\,", Part(KL_PRIOR, style.LATENT), PLUS,
                       Part(RECONSTRUCTION, style.DECODER)),
             text(rf"${LOG_EVIDENCE}$ cancels", rf"${LOG_EVIDENCE}$ が消える")),
    ])  # fmt: skip


@figure(
    "eq-two-terms", (26,), "3", "eq_two_terms.png", "fig_005",
    en="The bound that training maximizes: the first term has a closed form, and the second is"
    " estimated by sampling z.",
    ja="学習で最大化する変分下限。第1項は解析的に計算でき、第2項はzをサンプリングして推定します。",
)  # fmt: skip
def eq_two_terms(context: Context) -> Figure:
    text = context.text
    return typeset([
        Line(BOUND, "=", (
            r"-\;",
            Part(KL_PRIOR, style.LATENT,
                 text("regularization:\nkeeps $q(z|X)$\nnear the prior",
                      "正則化項：\nzの分布を\n事前分布に近づける")),
            r"\qquad + \qquad",
            Part(RECONSTRUCTION, style.DECODER,
                 text("reconstruction:\nhow well $z$ gives\nthe image back",
                      "再構成項：\nzから元の画像を\nどれだけ再現できるか")),
        )),
    ])  # fmt: skip


@figure(
    "eq-bernoulli", (27,), "3", "eq_bernoulli.png", "bern_loss",
    en="The decoder's likelihood: each of the D pixels is a Bernoulli variable, and the network"
    " outputs its probability y.",
    ja="デコーダーの尤度。D個の各画素はベルヌーイ分布に従い、その確率yをネットワークが出力します。",
)  # fmt: skip
def eq_bernoulli(context: Context) -> Figure:
    text = context.text
    return typeset([
        Line("p(x|z)", "=", (r"\prod_{i=1}^{D}\, y_i^{\,x_i} (1 - y_i)^{1 - x_i}",),
             text("given z, pixels are independent", "$z$ のもとで各画素は独立")),
        Line(r"\log p(x|z)", "=",
             (r"\sum_{i=1}^{D}\,",
              Part(r"\,\left\{x_i\,\log y_i + (1 - x_i)\,\log (1 - y_i)\right\}", style.DECODER)),
             text("minus the cross-entropy", "負のクロスエントロピー")),
        Line("y", "=", (r"\mathrm{sigmoid}(W_3 h_2 + b_3)",),
             text("the decoder's output", "デコーダーの出力")),
        Line("h_2", "=", (r"f(W_2 h_1 + b_2), \quad h_1 = f(W_1 z + b_1)",),
             text("hidden layers, softplus $f$", "隠れ層の $f$ はsoftplus")),
    ])  # fmt: skip


@figure(
    "eq-latent", (28,), "3", "eq_latent.png", "latent_loss",
    en="The regularization term in closed form. In each of the J latent dimensions, q(z|X) is a"
    " normal distribution with mean μ and variance σ², and the prior is N(0, 1).",
    ja="正則化項を閉じた形で表した式。J個の潜在次元それぞれで、q(z|X) は平均μ、分散σ²の"
    "正規分布、事前分布は N(0, 1) です。",
)  # fmt: skip
def eq_latent(context: Context) -> Figure:
    text = context.text
    cross, entropy = expected(rf"\log {PRIOR}"), expected(rf"\log {Q}")
    return typeset([
        Line(rf"-\,{KL_PRIOR}", "=",
             (Part(cross, style.ENCODER), MINUS, entropy),
             text("by definition", "KLの定義")),
        Line(cross, "=",
             (Part(r"-\,\dfrac{1}{2} \sum_{j=1}^{J}\,"
                   r"\left(\log 2\pi + \mu_j^2 + \sigma_j^2\right)", style.ENCODER),),
             "$p(z) = N(0, I)$"),
        Line(entropy, "=",
             (r"-\,\dfrac{1}{2} \sum_{j=1}^{J}\,"
              r"\left(\log 2\pi + \log \sigma_j^2 + 1\right)",),
             r"$q(z_j|X) = N(\mu_j, \sigma_j^2)$"),
        Line(rf"-\,{KL_PRIOR}", "=",
             (Part(r"\dfrac{1}{2} \sum_{j=1}^{J}\,"
                   r"\left(1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2\right)", style.LATENT),),
             text("first minus second", "上の2式の差")),
    ])  # fmt: skip
