"""How the figures look: one set of colours and sizes for all, and a font with Japanese letters."""

import importlib.util
from pathlib import Path
from typing import Any, Optional

import matplotlib
from matplotlib import font_manager

# One colour for one thing, in every figure.
INK = "#222222"
MUTED = "#6B7280"
ENCODER = "#2563EB"  # q, phi
DECODER = "#C2570C"  # p, theta
LATENT = "#7C3AED"  # z
LOSS = "#B91C1C"
GRADIENT = "#1D4ED8"

DIGIT_COLORS = matplotlib.colormaps["rainbow"].resampled(10)

WIDTH = 7.5  # inches: the article's column, at 100 pixels an inch
DPI = 200  # of stills: twice that, for screens of high density

FONT_PACKAGE = "matplotlib_fontja"


def japanese_font() -> Optional[Path]:
    """The file of the Japanese font, IPAexGothic; None where its package is not installed."""
    # Not imported: that would change matplotlib's settings.
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "fonts" / "ipaexg.ttf"
    return file if file.is_file() else None


def settings(lang: str) -> dict[str, Any]:
    """Matplotlib's settings for figures with labels in ``lang``, on top of its defaults."""
    family = ["DejaVu Sans"]
    font = japanese_font() if lang == "ja" else None
    if font is not None:
        font_manager.fontManager.addfont(font)
        # First, since a text with formulas takes the letters outside them from the first font only.
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
        "svg.hashsalt": "chainer-vae",  # the same file each time
    }
