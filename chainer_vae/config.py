"""The settings of a run, and what they may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from chainer_vae import validation
from chainer_vae.errors import InputError
from chainer_vae.validation import MAX_SIZE

ACTIVATIONS = ("softplus", "tanh", "relu", "sigmoid")  # functions of chainer.functions
ENGINES = ("auto", "chainer", "fused")
BINARIZE = ("none", "threshold", "stochastic")
LIKELIHOODS = ("bernoulli", "continuous-bernoulli", "gaussian")
OBJECTIVES = ("elbo", "iwae")
MODELS = ("vae", "autoencoder")
ARRAYS = "<arrays>"  # the dataset of a run to which images were given in Python
OF_VAE = ("C", "C_warmup", "k", "likelihood", "objective")  # of no autoencoder
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
        C_warmup: Number of epochs in which that weight grows, step by step, from 0 to C; see
            :attr:`Training.C <chainer_vae.training.Training.C>`.
        k: Number of samples of z for each training image.
        batchsize: Number of images in a batch.
        lr: Learning rate, the alpha of Adam.
        seed: Seed of the weights, the order of the images and the noise.
        gpu: Number of the GPU; negative for the CPU.
        dataset: The folder or the file of the images, of any format that
            :func:`chainer_vae.load_images` takes; None for MNIST.
        objective: What training maximizes: the "elbo", or "iwae" for the bound on ln p(x) by k
            weighted samples, :mod:`chainer_vae.iwae`.
        likelihood: Distribution of a pixel, p(x|z): "bernoulli", or one of those in
            :mod:`chainer_vae.decoders`, "continuous-bernoulli" or "gaussian".
        binarize: "threshold" or "stochastic" for pixels of 0 and 1, of the training and the test
            images: see :mod:`chainer_vae.binarization`.
        test: Whether to train and test on 100 images only, to try things out.
        engine: "fused" for :mod:`chainer_vae.engine`; "chainer" for Chainer's training loop, which
            is slower, and the same but for rounding; "auto" for the first where it can.
        model: "vae", or "autoencoder" for the plain one, which has no C and no k.
        snapshots: Whether to save the model of epochs 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50 and
            so on.
        size: The height and width that the images are made of, in pixels; None to leave them as
            they are.

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
    size: Optional[tuple[int, int]] = None
    C_warmup: int = 0
    lr: float = 0.001
    objective: str = "elbo"
    likelihood: str = "bernoulli"
    binarize: str = "none"

    def __post_init__(self) -> None:
        for name in ("epoch", "dimz", "dim_h", "k", "batchsize"):
            self._keep(name, validation.whole_number(name, getattr(self, name), 1, MAX_SIZE))
        self._keep("seed", validation.whole_number("seed", self.seed, 0, 2**32 - 1))
        self._keep("gpu", validation.whole_number("gpu", self.gpu, -MAX_SIZE, MAX_SIZE))
        self._keep("C", validation.weight("C", self.C))
        warmup = validation.whole_number("C_warmup", self.C_warmup, 0, MAX_SIZE)
        self._keep("C_warmup", warmup)
        self._keep("lr", validation.positive("lr", self.lr))
        for name, choices in (
            ("act", ACTIVATIONS),
            ("engine", ENGINES),
            ("model", MODELS),
            ("objective", OBJECTIVES),
            ("likelihood", LIKELIHOODS),
            ("binarize", BINARIZE),
        ):
            self._keep(name, validation.choice(name, getattr(self, name), choices))
        if self.model == "autoencoder" and self.options(OF_VAE):
            raise InputError(
                "an autoencoder has no C and no k, and no likelihood and objective: leave them out"
            )
        if self.objective == "iwae" and self.k == 1:
            raise InputError("the objective iwae needs several samples, such as k = 5, not k = 1")
        if self.objective == "iwae" and self.options(["C", "C_warmup"]):
            raise InputError("the objective iwae has no C: leave C and C_warmup out")
        if self.likelihood != "bernoulli" and self.binarize != "none":
            raise InputError(f"{self.likelihood} pixels are not 0 and 1 alone: leave binarize out")
        if self.C == 0 and self.C_warmup > 0:
            raise InputError("a C of 0 has no warm-up: leave C_warmup out")
        if self.dataset is not None:
            self._keep("dataset", str(validation.path("dataset", self.dataset)))
        if self.size is not None:
            self._keep("size", validation.new_size("size", self.size))
        for name in ("test", "snapshots"):
            self._keep(name, validation.flag(name, getattr(self, name)))

    def options(self, names: Iterable[str]) -> list[str]:
        """Settings that are not the defaults, as options of ``train``.

        Args:
            names: Of the settings to look at.

        Returns:
            list of str: The options, with their values.

        Raises:
            AttributeError: There is no such setting.

        Example:
            >>> from chainer_vae import Config
            >>> Config(lr=0.01, k=5, test=True).options(["C", "k", "lr", "test"])
            ['--k 5', '--lr 0.01', '--test']
        """
        return [
            f"--{name.replace('_', '-')} {_as_typed(getattr(self, name))}".replace(" True", "")
            for name in names
            if getattr(self, name) != getattr(type(self), name)
        ]

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # while it is made; frozen after that


def _as_typed(setting: Any) -> str:
    """A setting as on the command line."""
    return "x".join(map(str, setting)) if isinstance(setting, tuple) else str(setting)
