"""The style shared by all figures: colours, sizes, and a font for Japanese."""

import importlib.util
import unicodedata
from pathlib import Path
from typing import Any, Optional

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure

# Each colour has the same meaning in every figure.
INK = "#222222"
MUTED = "#6B7280"
ENCODER = "#2563EB"  # q, phi
DECODER = "#C2570C"  # p, theta
LATENT = "#7C3AED"  # z
LOSS = "#B91C1C"
GRADIENT = "#1D4ED8"

# Ten colours that colour-blind readers can tell apart: M. A. Petroff, "Accessible Color Sequences
# for Data Visualization" (2021), arXiv:2107.02270. Digits that lie side by side in the latent plane
# have those that differ most.
DIGIT_COLORS = ListedColormap([
    "#A96B59", "#717581", "#3F90DA", "#B9AC70", "#94A4A2",
    "#92DADD", "#FFA90E", "#E76300", "#BD1F01", "#832DB6",
])  # fmt: skip

WIDTH = 7.5  # inches: the article's column, at 100 pixels an inch
DPI = 200  # of stills: twice as many, for high-density screens

FONT_PACKAGE = "matplotlib_fontja"


def class_colors(n: int, rainbow: bool = False) -> Colormap:
    """The colours of ``n`` classes: the first of DIGIT_COLORS, or a rainbow as in the article.

    More than ten classes always have the rainbow.
    """
    if rainbow or n > DIGIT_COLORS.N:
        return matplotlib.colormaps["rainbow"].resampled(n)
    return ListedColormap(DIGIT_COLORS(range(n)))


def japanese_font() -> Optional[Path]:
    """The file of the Japanese font, IPAexGothic; None if its package is not installed."""
    # Importing the package would change matplotlib's settings.
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "fonts" / "ipaexg.ttf"
    return file if file.is_file() else None


def width_of(text: str) -> int:
    """How wide a text is, in letters; Japanese and other wide ones count as two."""
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def label_font(text: str) -> dict[str, Any]:
    """The font of a class's label: bold, where the font has the letters in bold."""
    return {"family": "DejaVu Sans", "weight": "bold"} if text.isascii() else {}


def overhang(fig: Figure) -> tuple[float, float]:
    """How far labels reach beyond a figure of the article's width, left and right, as shares."""
    needed = fig.get_tightbbox(FigureCanvasAgg(fig).get_renderer())
    return max(0, -needed.x0 / WIDTH), max(0, needed.x1 / WIDTH - 0.995)


def settings(lang: str) -> dict[str, Any]:
    """Settings (rcParams) for figures with labels in ``lang``, on top of matplotlib's defaults."""
    family = ["DejaVu Sans"]
    font = japanese_font()
    if font is not None:
        font_manager.fontManager.addfont(font)
        # For Japanese it must be first: text with formulas uses only the first font for other
        # letters. Else it is for the names of classes, which may be Japanese.
        place = 0 if lang == "ja" else 1
        family.insert(place, font_manager.FontProperties(fname=font).get_name())
    return {
        "font.family": family,
        "font.size": 11,
        "mathtext.fontset": "cm",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.titlesize": 11,
        "axes.axisbelow": True,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": "#E5E7EB",
        "image.cmap": "gray",
        "image.interpolation": "nearest",
        "figure.dpi": 100,
        "savefig.dpi": DPI,
        "savefig.facecolor": "white",
        "svg.hashsalt": "chainer-vae",  # the same file every time
    }
