"""The article's weight initializer."""

from typing import Any, Optional

import numpy as np
from chainer import initializer
from chainer.backends import cuda

from chainer_vae import validation
from chainer_vae.validation import MAX_SIZE


class Xavier(initializer.Initializer):
    """Uniform weights, scaled so that a layer keeps the variance of what passes through it.

    Draws every element from the uniform distribution on ``[-a, a]`` with ::

        a = constant * sqrt(6 / (fan_in + fan_out)),

    whose variance, ``a^2 / 3 = 2 constant^2 / (fan_in + fan_out)``, is the compromise of
    Glorot and Bengio between keeping the variance of the activations on the way forward
    (1 / fan_in) and that of the gradients on the way back (1 / fan_out).

    The random numbers come from the global generator of the array's library
    (``numpy.random`` or ``cupy.random``): the same seed and order give the same weights.

    Args:
        fan_in (int): Number of inputs of the layer.
        fan_out (int): Number of outputs of the layer.
        constant (float): Factor on the bound; 1 suits tanh.
        dtype (numpy.dtype): Data type of a new array; by default, ``chainer.config.dtype``
            (float32).

    Raises:
        ValueError: ``fan_in`` or ``fan_out`` is no whole number from 0 to 1,000,000, both are 0, or
            ``constant`` is no finite number, 0 or more.

    Source:
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
        networks", AISTATS 2010, equation 16; the class of this name in kenmatsu4,
        "Variational Autoencoder徹底解説", 2017, section 2.

    Example:
        >>> import chainer.links as L
        >>> from chainer_vae import Xavier
        >>> layer = L.Linear(784, 500, initialW=Xavier(784, 500))
        >>> round(float(abs(layer.W.array).max()), 3)  # sqrt(6 / 1284)
        0.068
    """

    def __init__(
        self, fan_in: int, fan_out: int, constant: float = 1, dtype: Optional[Any] = None
    ) -> None:
        fan_in = validation.whole_number("fan_in", fan_in, 0, MAX_SIZE)
        fan_out = validation.whole_number("fan_out", fan_out, 0, MAX_SIZE)
        if fan_in + fan_out == 0:
            raise ValueError(
                f"Xavier needs fan_in + fan_out > 0, but got fan_in={fan_in}, fan_out={fan_out}"
            )
        constant = validation.weight("constant", constant)
        self.fan_in = fan_in
        self.fan_out = fan_out
        self.high = constant * np.sqrt(6.0 / (fan_in + fan_out))
        self.low = -self.high
        super().__init__(dtype)

    def __call__(self, array: Any) -> None:
        """Fill an array in place.

        Args:
            array (numpy.ndarray or cupy.ndarray): Of any shape and floating dtype.
        """
        xp = cuda.get_array_module(array)
        kwargs = {"low": self.low, "high": self.high, "size": array.shape}
        if xp is not np and self.dtype in (np.float16, np.float32):  # no cover: needs a GPU
            # Only CuPy takes a dtype, and it draws no float16.
            kwargs["dtype"] = np.float32
        array[...] = xp.random.uniform(**kwargs)
