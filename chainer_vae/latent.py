"""The latent space in numbers: what the figures show, computed without drawing anything.

Codes are rows of shape (number, n_latent), images rows of shape (number, n_in) in [0, 1]; both
are NumPy arrays in the host's memory, wherever the model is.
"""

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_vae.errors import InputError
from chainer_vae.model import VAE

N_CLASSES = 10


def decode(model: VAE, z: np.ndarray, batchsize: int = 500) -> np.ndarray:
    """The images that codes stand for: the probability of each pixel, sigmoid(decoder(z)).

    Args:
        model: The model.
        z: Codes, shape (number, n_latent).
        batchsize: Number of codes in one pass.

    Returns:
        numpy.ndarray: Shape (number, n_in).

    Raises:
        ValueError, TypeError: As :meth:`VAE.decode`.
    """
    images = np.empty((len(z), model.ld3.W.shape[0]), model.ld3.W.dtype)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(z), batchsize):
            rows = slice(start, start + batchsize)
            images[rows] = cuda.to_cpu(model.decode(model.xp.asarray(z[rows])).array)
    return images


def first_of_class(labels: np.ndarray, digit: int) -> int:
    """The place of the first image of a class: the article's choice of its examples.

    Raises:
        InputError: There is none.
    """
    places = np.flatnonzero(labels == digit)
    if len(places) == 0:
        raise InputError(f"the test images hold none of class {digit}")
    return int(places[0])


def class_means(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean code of each class, shape (10, n_latent); NaN for a class without images."""
    means = np.full((N_CLASSES, codes.shape[1]), np.nan)
    for digit in np.unique(labels):
        means[digit] = codes[labels == digit].mean(axis=0)
    return means


def spread(points: np.ndarray, distance: float) -> np.ndarray:
    """Points moved apart until no two are closer than ``distance``, each by as little as it takes.

    Args:
        points: Shape (number, 2); rows with NaN stay as they are and push nobody.
        distance: In the units of the points.

    Returns:
        numpy.ndarray: Shape (number, 2).
    """
    places = np.array(points, dtype=float)
    for _ in range(100):
        apart = places[:, None] - places[None]  # (number, number, 2)
        gap = np.hypot(apart[..., 0], apart[..., 1])
        close = (gap < distance) & (gap > 0)
        if not close.any():
            break
        # Both of a pair go half of what is missing, and a little more, to come to an end.
        scale = np.where(close, 0.51 * (distance - gap) / np.where(close, gap, 1), 0)
        places += np.nansum(scale[..., None] * apart, axis=1)
    return places


def interpolate(start: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points of a straight line: z = (1 - t) z_start + t z_end.

    Args:
        start: Of shape (n_latent,).
        end: Of the same shape.
        t: Of shape (number,); 0 is the start and 1 the end, exactly.

    Returns:
        numpy.ndarray: Shape (number, n_latent), of the dtype of ``start``.
    """
    t = np.asarray(t)[:, None]
    return ((1 - t) * start + t * end).astype(start.dtype)


def there_and_back(n: int) -> np.ndarray:
    """t from 0 to 1 in ``n`` equal steps, and back in as many, to be repeated; shape (2 n,).

    Neither end comes twice: the last is a step from 0.
    """
    t = np.arange(n) / n
    return np.concatenate([t, 1 - t])


def grid(n: int, limit: float) -> np.ndarray:
    """Codes of a square of the plane, as a picture of it has them: z1 rightwards, z2 upwards.

    Args:
        n: Number of codes along a side.
        limit: The square is [-limit, limit] x [-limit, limit].

    Returns:
        numpy.ndarray: Shape (n, n, 2), float32; [0, 0] is the upper left, (-limit, limit).
    """
    side = np.linspace(-limit, limit, n, dtype=np.float32)
    z1, z2 = np.meshgrid(side, side[::-1])
    return np.stack([z1, z2], axis=-1)


def montage(tiles: np.ndarray) -> np.ndarray:
    """One picture of many: tile (i, j) is at row i, column j.

    Args:
        tiles: Shape (rows, columns, height, width).

    Returns:
        numpy.ndarray: Shape (rows * height, columns * width).
    """
    rows, columns, height, width = tiles.shape
    return tiles.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
