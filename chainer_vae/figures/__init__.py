"""All figures of the article, drawn by programs: ``chainer-vae figures``."""

# Importing each of these modules registers its figures.
from chainer_vae.figures import (
    curve,
    digits,
    equations,
    network,
    plane,
    schematics,
    seeds,
    swiss_roll,
    tsne,
)
from chainer_vae.figures.gallery import write_index
from chainer_vae.figures.registry import (
    Animation,
    Context,
    FigureSpec,
    all_figures,
)
from chainer_vae.figures.runner import draw_figures

__all__ = [
    "Animation",
    "Context",
    "FigureSpec",
    "all_figures",
    "curve",
    "digits",
    "draw_figures",
    "equations",
    "network",
    "plane",
    "schematics",
    "seeds",
    "swiss_roll",
    "tsne",
    "write_index",
]
