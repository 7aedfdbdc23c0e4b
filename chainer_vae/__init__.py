"""The VAE of the article "Variational Autoencoder徹底解説", on today's machines.

Importing this package makes Chainer 7.8.1 usable first (see :mod:`chainer_vae.compat`), so
``import chainer`` works after it.  CONTRIBUTING.md has a map of what is where.
"""

import sys

from chainer_vae import startup

startup.hide_interrupts()  # before all that takes a while to import

TYPE_CHECKING = False  # but True for type checkers, which need not import typing
if not TYPE_CHECKING and startup.chainer_comes_later():
    startup.leave_working_folder()

    # Chainer is imported when the program does so; the rest of this package, when it asks for it.
    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        from importlib import reload

        del globals()["__getattr__"]
        return getattr(reload(sys.modules[__name__]), name)

else:
    from chainer_vae import compat, environment

    with environment.importing_chainer():
        compat.activate()  # before what follows, which uses Chainer

    from chainer_vae.config import Config
    from chainer_vae.datasets import Dataset, load_images, load_mnist, make_dataset
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
    "load_images",
    "load_mnist",
    "load_model",
    "make_dataset",
]
