"""Images of pixels that are 0 or 1, made of grey ones: for models of Bernoulli pixels.

A grey pixel x in [0, 1] becomes b::

    threshold     b = 1 where x > 0.5, else 0
    stochastic    b ~ Bernoulli(x)

Losses of grey, of thresholded and of sampled images are of three different data sets: none of them
compares with another.

Source: Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, section 5
(stochastic, training images anew in each epoch).
"""

from typing import Optional

import numpy as np

from chainer_vae import validation
from chainer_vae.config import BINARIZE, Config
from chainer_vae.errors import InputError
from chainer_vae.random_numbers import generator_of

TEST_SEED = 0  # of the one draw of the test images, whatever the seed of the run
BLOCK = 1 << 20  # pixels whose random numbers are in memory at once, about


def binarized(
    images: np.ndarray, how: str, random: Optional[np.random.RandomState] = None
) -> np.ndarray:
    """Images with each pixel 0 or 1.

    Args:
        images: In [0, 1], shape (number, n_in).
        how: "threshold" or "stochastic", as above; "none" leaves them as they are.
        random: The generator of the stochastic ones, which draws a number in [0, 1) for each pixel,
            row by row; by default, ``RandomState(0)``, with which the first images come out the
            same however many follow.

    Returns:
        numpy.ndarray: The images, of the same shape and dtype.

    Raises:
        InputError: ``images`` are no array (number, n_in) of numbers in [0, 1], or ``how`` is none
            of the three.
        TypeError: ``random`` is no ``RandomState``.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.binarization import binarized
        >>> grey = np.array([[0.0, 0.2, 0.5, 0.6, 1.0]])
        >>> binarized(grey, "threshold")
        array([[0., 0., 0., 1., 1.]])
        >>> binarized(grey, "stochastic", np.random.RandomState(1))
        array([[0., 0., 1., 1., 1.]])
    """
    how = validation.choice("how", how, BINARIZE)
    images = validation.array("images", images, ("number", "n_in"))
    validation.pixels("images", images)
    if random is None:
        random = np.random.RandomState(TEST_SEED)
    validation.instance("binarized", random, np.random.RandomState)
    if how == "none":
        return images
    found = np.empty_like(images)
    rows = max(1, BLOCK // max(1, images.shape[1]))
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        most = 0.5 if how == "threshold" else random.random_sample(part.shape)
        found[start : start + rows] = part > most
    return found


def images_of_epoch(images: np.ndarray, config: Config, epoch: int) -> np.ndarray:
    """The training images of an epoch, which depend on the run's seed and the epoch alone.

    They are drawn anew for each epoch where they are stochastic; the noise of the training and the
    order of the images are the same as without.

    Args:
        images: The training images, as :func:`chainer_vae.datasets.load_data` has them.
        config: The settings; ``binarize`` and ``seed`` count.
        epoch: Number of finished epochs.

    Returns:
        numpy.ndarray: As :func:`binarized`; ``images`` itself unless they are stochastic.

    Raises:
        InputError: As :func:`binarized`, or ``epoch`` is no whole number, 0 or more.
        TypeError: ``config`` is no :class:`~chainer_vae.Config`.

    Example:
        >>> from chainer_vae import Config, load_mnist
        >>> from chainer_vae.binarization import images_of_epoch
        >>> images, config = load_mnist().train_images[:100], Config(binarize="stochastic")
        >>> first, second = (images_of_epoch(images, config, epoch) for epoch in (0, 1))
        >>> bool((first != second).any()), bool(((first == 0) | (first == 1)).all())
        (True, True)
    """
    validation.instance("images_of_epoch", config, Config)
    epoch = validation.whole_number("epoch", epoch, 0)
    if config.binarize != "stochastic":
        return images
    return binarized(images, config.binarize, generator_of(config.seed, epoch))


def require_binarized(name: str, images: np.ndarray) -> None:
    """Refuse images with other pixels than 0 and 1.

    Raises:
        InputError: They have some.

    Example:
        >>> from chainer_vae import load_mnist
        >>> from chainer_vae.binarization import require_binarized
        >>> require_binarized("test_images", load_mnist().test_images)
        Traceback (most recent call last):
            ...
        chainer_vae.errors.InputError: test_images must be binarized, as load_data does it
    """
    if not ((images == 0) | (images == 1)).all():
        raise InputError(f"{name} must be binarized, as load_data does it")


def in_words(config: Config) -> str:
    """What the pixels of a run are taken for, to stand after the unit of a number.

    It is "" where they are grey ones, taken for probabilities, as in the article.

    Example:
        >>> from chainer_vae import Config
        >>> from chainer_vae.binarization import in_words
        >>> in_words(Config(binarize="threshold")), in_words(Config())
        (', binarized (threshold)', '')
        >>> in_words(Config(likelihood="gaussian"))
        ', gaussian (continuous: may be negative)'
    """
    if config.likelihood != "bernoulli":
        return f", {config.likelihood} (continuous: may be negative)"
    return "" if config.binarize == "none" else f", binarized ({config.binarize})"
