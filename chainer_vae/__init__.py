"""The VAE of the article "Variational Autoencoder徹底解説", on today's machines.

Importing this package makes Chainer 7.8.1 usable first (see :mod:`chainer_vae.compat`), so
``import chainer`` works after it.  CONTRIBUTING.md has a map of what is where.
"""

from chainer_vae import interrupts

interrupts.hide()  # before all that takes a while to import

from chainer_vae import compat, environment

with environment.importing_chainer():
    compat.activate()  # before what follows, which uses Chainer

from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, load_mnist
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.evaluation import Evaluation, encode, evaluate
from chainer_vae.initializers import Xavier
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs import Run, load_autoencoder, load_model
from chainer_vae.version import __version__

__all__ = [
    "VAE",
    "Autoencoder",
    "Config",
    "Dataset",
    "Evaluation",
    "InputError",
    "NonFiniteLossError",
    "Run",
    "Xavier",
    "__version__",
    "encode",
    "evaluate",
    "load_autoencoder",
    "load_mnist",
    "load_model",
]
