"""The settings of a run, and what they may be."""

from dataclasses import dataclass
from typing import Any, Optional

from chainer_vae import validation
from chainer_vae.errors import InputError
from chainer_vae.validation import MAX_SIZE

ACTIVATIONS = ("softplus", "tanh", "relu", "sigmoid")  # functions of chainer.functions
ENGINES = ("auto", "chainer", "fused")
MODELS = ("vae", "autoencoder")
CHANGEABLE = ("epoch", "gpu", "engine", "snapshots", "dataset")  # when a run is resumed


@dataclass(frozen=True)
class Config:
    """The settings of a run, named as the options of ``chainer-vae train``.

    The defaults are the article's.  NumPy's numbers, and a path, are kept as Python's and a string.

    Args:
        epoch: Number of epochs.
        dimz: Number of latent dimensions.
        dim_h: Number of units in each hidden layer.
        act: Activation of the hidden layers: softplus, tanh, relu or sigmoid.
        C: Weight of the KL divergence in the loss.
        k: Number of samples of z for each training image.
        batchsize: Number of images in a batch.
        seed: Seed of the weights, the order of the images and the noise.
        gpu: Number of the GPU; negative for the CPU.
        dataset: A folder of IDX files; None for MNIST.
        test: Whether to train and test on 100 images only, to try things out.
        engine: "fused" for :mod:`chainer_vae.engine`; "chainer" for Chainer's training loop, which
            is slower, and the same but for rounding; "auto" for the first where it can.
        model: "vae", or "autoencoder" for the plain one, which has no C and no k.
        snapshots: Whether to save the model of epochs 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50 and
            so on.

    Raises:
        InputError: A setting is out of range.

    Example:
        >>> from chainer_vae import Config
        >>> Config(dimz=2, epoch=50)  # doctest: +ELLIPSIS
        Config(epoch=50, dimz=2, dim_h=500, act='softplus', C=1.0, k=1, batchsize=100, ...)
        >>> Config(dimz=0)
        Traceback (most recent call last):
            ...
        chainer_vae.errors.InputError: dimz must be a whole number from 1 to 1000000, not 0
    """

    epoch: int = 100
    dimz: int = 20
    dim_h: int = 500
    act: str = "softplus"
    C: float = 1.0
    k: int = 1
    batchsize: int = 100
    seed: int = 0
    gpu: int = -1
    dataset: Optional[str] = None
    test: bool = False
    engine: str = "auto"
    model: str = "vae"
    snapshots: bool = False

    def __post_init__(self) -> None:
        for name in ("epoch", "dimz", "dim_h", "k", "batchsize"):
            self._keep(name, validation.whole_number(name, getattr(self, name), 1, MAX_SIZE))
        self._keep("seed", validation.whole_number("seed", self.seed, 0, 2**32 - 1))
        self._keep("gpu", validation.whole_number("gpu", self.gpu, -MAX_SIZE, MAX_SIZE))
        self._keep("C", validation.weight("C", self.C))
        for name, choices in (("act", ACTIVATIONS), ("engine", ENGINES), ("model", MODELS)):
            self._keep(name, validation.choice(name, getattr(self, name), choices))
        if self.model == "autoencoder" and (self.C, self.k) != (1, 1):
            raise InputError("an autoencoder has no C and no k: leave them out")
        if self.dataset is not None:
            self._keep("dataset", str(validation.path("dataset", self.dataset)))
        for name in ("test", "snapshots"):
            self._keep(name, validation.flag(name, getattr(self, name)))

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # while it is made; frozen after that
