"""Every figure of the article, drawn by code: ``chainer-vae figures``."""

# Each of these modules registers its figures.
from chainer_vae.figures import (
    digits,
    plane,
)
from chainer_vae.figures.registry import (
    MODELS,
    Animation,
    Context,
    FigureSpec,
    all_figures,
    choose_run,
    describe_run,
)
from chainer_vae.figures.runner import draw_figures

__all__ = [
    "MODELS",
    "Animation",
    "Context",
    "FigureSpec",
    "all_figures",
    "choose_run",
    "describe_run",
    "digits",
    "draw_figures",
    "plane",
]
