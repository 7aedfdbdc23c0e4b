"""VAEs whose pixels have another distribution than Bernoulli's; and the model of settings.

Both distributions here are densities of x in [0, 1] (the Gaussian one, of all numbers), so that
-ln p(x|z) may be negative, and compares with that of no other distribution.  ``a`` is ``h3``, what
the decoder of :class:`chainer_vae.VAE` ends with.

Source: lesson 5, which compares them.
"""

import math
from typing import Any, Union

import chainer
import chainer.functions as F
import numpy as np

from chainer_vae.config import Config
from chainer_vae.errors import InputError
from chainer_vae.model import VAE, Autoencoder

NEAR = 0.3  # where |a| is less, series take the place of what is 0 / 0 at a = 0


def log_normalizer(a: Any) -> chainer.Variable:
    """The logarithm of what makes the Bernoulli formula a density, the continuous Bernoulli's.

    ::

        ln C(a) = ln(a / tanh(a / 2)) = ln 2 + a^2 / 12 - 7 a^4 / 1440 + ...

    Args:
        a (array or chainer.Variable): Logits, of any shape.

    Returns:
        chainer.Variable: Of the same shape, in nats.

    Raises:
        TypeError: ``a`` is no array of floating-point numbers.

    Source:
        Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019, equation 8, by logits.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.decoders import log_normalizer
        >>> log_normalizer(np.array([-2.0, 0.0, 2.0])).array.round(4)
        array([0.9655, 0.6931, 0.9655])
    """
    a, near = _split(a)
    square = a * a
    series = math.log(2) + square / 12 - 7 * square * square / 1440
    far = F.where(near, a.xp.ones_like(a.array), F.absolute(a))
    return F.where(near, series, F.log(far / F.tanh(far / 2)))


def continuous_bernoulli_mean(a: Any) -> chainer.Variable:
    """The mean of a continuous Bernoulli pixel, which is not sigmoid(a).

    ::

        m(a) = 1/2 + 1 / (2 tanh(a / 2)) - 1 / a = 1/2 + a / 12 - a^3 / 720 + ...

    Args:
        a (array or chainer.Variable): Logits, of any shape.

    Returns:
        chainer.Variable: Of the same shape, in (0, 1).

    Raises:
        TypeError: As :func:`log_normalizer`.

    Source:
        The same, equation 9.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.decoders import continuous_bernoulli_mean
        >>> continuous_bernoulli_mean(np.array([-2.0, 0.0, 2.0])).array.round(4)
        array([0.3435, 0.5   , 0.6565])
    """
    a, near = _split(a)
    series = 0.5 + a / 12 - a * a * a / 720
    far = F.where(near, a.xp.ones_like(a.array), a)
    return F.where(near, series, 0.5 + 0.5 / F.tanh(far / 2) - 1 / far)


def _split(a: Any) -> tuple[chainer.Variable, Any]:
    """``a`` as a variable, and where it is near 0."""
    if getattr(getattr(a, "dtype", None), "kind", None) != "f":
        raise TypeError(f"a must be an array of floating-point numbers, not {type(a).__name__}")
    a = chainer.as_variable(a)
    return a, abs(a.array) < NEAR


class ContinuousBernoulliVAE(VAE):
    """A VAE whose pixels have continuous Bernoulli distributions.

    ::

        -ln p(x|z) = sum_i ln(1 + e^a_i) - x_i a_i - ln C(a_i)

    Where a pixel is 0 in all images, its density there has no bound: neither has the loss.

    Args, attributes, raises: As :class:`VAE`; ``decode`` gives the means of the pixels.

    Source:
        Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
        variational autoencoders", 2019.

    Example:
        >>> from chainer_vae import load_mnist
        >>> from chainer_vae.decoders import ContinuousBernoulliVAE
        >>> model = ContinuousBernoulliVAE(n_in=784, n_latent=20, n_h=500)
        >>> model.get_loss_func()(load_mnist().train_images[:100]).backward()
    """

    def decode(self, z: Any, sigmoid: bool = True) -> chainer.Variable:
        """As :meth:`VAE.decode`, but the means of the pixels where ``sigmoid`` is True."""
        a = super().decode(z, sigmoid=False)
        return continuous_bernoulli_mean(a) if sigmoid else a

    def _nll(self, x: Any, h3: Any, reduce: str = "sum") -> chainer.Variable:
        normalizer = log_normalizer(h3)
        if reduce == "sum":
            normalizer = F.sum(normalizer)
        return super()._nll(x, h3, reduce) - normalizer


class GaussianVAE(VAE):
    """A VAE whose pixels have Gaussian distributions, with one sigma for all, which is learnt, too.

    ::

        y = sigmoid(a)
        -ln p(x|z) = sum_i (x_i - y_i)^2 / (2 sigma^2) + ln sigma + ln(2 pi) / 2

    Args, raises: As :class:`VAE`.

    Attributes:
        s (chainer.Parameter): ln(sigma) / 10, which takes larger steps of Adam so; shape ().

    Source:
        Rybkin, Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders",
        2020.

    Example:
        >>> from chainer_vae import load_mnist
        >>> from chainer_vae.decoders import GaussianVAE
        >>> model = GaussianVAE(n_in=784, n_latent=20, n_h=500)
        >>> model.get_loss_func()(load_mnist().train_images[:100]).backward()
        >>> model.s.array
        array(-0.1, dtype=float32)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with self.init_scope():
            self.s = chainer.Parameter(np.array(-0.1, self.le1.W.dtype))

    def _nll(self, x: Any, h3: Any, reduce: str = "sum") -> chainer.Variable:
        ln_var = F.broadcast_to(20 * self.s, h3.shape)
        return F.gaussian_nll(chainer.as_variable(x), F.sigmoid(h3), ln_var, reduce)


def build_model(config: Config, n_in: int) -> Any:
    """The model that settings describe, with random weights from ``numpy.random``.

    Args:
        config: The settings; ``model``, ``likelihood``, ``dimz``, ``dim_h`` and ``act`` count.
        n_in: Number of pixels of an image.

    Returns:
        VAE or Autoencoder: The model, on the CPU.

    Raises:
        ValueError: ``n_in`` is not a positive integer.
    """
    kind = {
        "bernoulli": VAE,
        "continuous-bernoulli": ContinuousBernoulliVAE,
        "gaussian": GaussianVAE,
    }[config.likelihood]
    if config.model == "autoencoder":
        kind = Autoencoder
    return kind(n_in, config.dimz, config.dim_h, getattr(F, config.act))


def require_bernoulli(model: Union[VAE, Autoencoder], what: str) -> None:
    """Refuse a model whose pixels are not sigmoid(h3) alone, where nothing else can be kept.

    Args:
        model: The model.
        what: What it is for, to begin the message with.

    Raises:
        InputError: Its pixels have another distribution.

    Example:
        >>> from chainer_vae import load_model
        >>> from chainer_vae.decoders import require_bernoulli
        >>> require_bernoulli(load_model("z2")[0], "ONNX")
    """
    if isinstance(model, (ContinuousBernoulliVAE, GaussianVAE)):
        raise InputError(
            f"{what} takes models with --likelihood bernoulli alone, not a {type(model).__name__}"
        )
