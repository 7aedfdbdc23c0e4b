"""The style shared by all figures: colours, sizes, and a font for Japanese."""

import importlib.util
from pathlib import Path
from typing import Any, Optional

import matplotlib
from matplotlib import font_manager
from matplotlib.colors import Colormap

# Each colour has the same meaning in every figure.
INK = "#222222"
MUTED = "#6B7280"
ENCODER = "#2563EB"  # q, phi
DECODER = "#C2570C"  # p, theta
LATENT = "#7C3AED"  # z
LOSS = "#B91C1C"
GRADIENT = "#1D4ED8"

DIGIT_COLORS = matplotlib.colormaps["rainbow"].resampled(10)

WIDTH = 7.5  # inches: the article's column, at 100 pixels an inch
DPI = 200  # of stills: twice as many, for high-density screens

FONT_PACKAGE = "matplotlib_fontja"


def class_colors(n: int) -> Colormap:
    """The colours of ``n`` classes; of ten, DIGIT_COLORS."""
    return matplotlib.colormaps["rainbow"].resampled(n)


def japanese_font() -> Optional[Path]:
    """The file of the Japanese font, IPAexGothic; None if its package is not installed."""
    # Importing the package would change matplotlib's settings.
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "fonts" / "ipaexg.ttf"
    return file if file.is_file() else None


def settings(lang: str) -> dict[str, Any]:
    """Settings (rcParams) for figures with labels in ``lang``, on top of matplotlib's defaults."""
    family = ["DejaVu Sans"]
    font = japanese_font() if lang == "ja" else None
    if font is not None:
        font_manager.fontManager.addfont(font)
        # It must be first: text with formulas uses only the first font for other letters.
        family.insert(0, font_manager.FontProperties(fname=font).get_name())
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
