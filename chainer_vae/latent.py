"""Numerical work on the latent space: what the figures show, computed without drawing.

Latent vectors z are rows of shape (number, n_latent) and images are rows of shape (number, n_in)
with values in [0, 1]. Both are NumPy arrays in host memory, even if the model is on a GPU.
"""

from collections.abc import Iterator
from typing import Union

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_vae import engine, validation
from chainer_vae.engine import cpu_evaluation
from chainer_vae.errors import InputError
from chainer_vae.model import VAE, Autoencoder, as_rows
from chainer_vae.validation import MAX_SIZE

N_CLASSES = 10
MAX_SIDE = 10_000  # points along each side of a grid, which has 800 MB then


def decode(model: Union[VAE, Autoencoder], z: np.ndarray, batchsize: int = 500) -> np.ndarray:
    """Decode latent vectors into images: the probability of each pixel, sigmoid(decoder(z)).

    Args:
        model: The model, a VAE or an autoencoder, on the CPU or a GPU.
        z: Latent vectors, shape (number, n_latent).
        batchsize: Number of latent vectors decoded at once.

    Returns:
        numpy.ndarray: Images in [0, 1], shape (number, n_in), with the dtype of the model's
        parameters.

    Raises:
        ValueError, TypeError: As :meth:`VAE.decode <chainer_vae.VAE.decode>`; ``batchsize`` is no
            whole number, 1 or more.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent, load_model
        >>> model, config = load_model("z2")
        >>> latent.decode(model, np.zeros((3, 2), np.float32)).shape
        (3, 784)
    """
    validation.instance("decode", model, VAE, Autoencoder)
    z = as_rows("z", z, model.ld1.W).array
    batchsize = validation.whole_number("batchsize", batchsize)
    images = np.empty((len(z), model.ld3.W.shape[0]), model.ld3.W.dtype)
    if model.xp is np and engine.unsupported(model) is None:
        batches = cpu_evaluation.decode(model, z, batchsize)
    else:
        batches = _decode_by_chainer(model, z, batchsize)
    for number, batch in enumerate(batches):
        images[number * batchsize : (number + 1) * batchsize] = batch
    return images


def _decode_by_chainer(
    model: Union[VAE, Autoencoder], z: np.ndarray, batchsize: int
) -> Iterator[np.ndarray]:
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(z), batchsize):
            batch = model.xp.asarray(z[start : start + batchsize])
            yield cuda.to_cpu(model.decode(batch).array)


def first_of_class(labels: np.ndarray, digit: int) -> int:
    """The index of the first image of a class. The article picks its examples this way.

    Args:
        labels: The class of each test image, shape (number,).
        digit: The class to look for.

    Returns:
        int: The index, from 0.

    Raises:
        InputError: No image is of this class, which must be a whole number, 0 or more; or the
            labels are no numbers.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent
        >>> latent.first_of_class(np.array([7, 2, 1, 0, 4, 1]), 1)
        2
    """
    labels = validation.array("labels", labels, ("number",))
    digit = validation.whole_number("digit", digit, 0)
    indices = np.flatnonzero(labels == digit)
    if len(indices) == 0:
        raise InputError(f"there is no test image of class {digit}")
    return int(indices[0])


def ends(labels: np.ndarray, start: int = 0, end: int = 7) -> tuple[int, int]:
    """Between which two images an interpolation goes, by default as the article's first does.

    Args:
        labels: The class of each test image, shape (number,).
        start: The class to begin with.
        end: The class to end with.

    Returns:
        tuple of int: The indices of the first images of the two classes; if one is missing, of the
        first and the last class that there are; and of one class, of its first and its last image.

    Raises:
        InputError: There are no labels, or they, ``start`` or ``end`` are no whole numbers.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent
        >>> latent.ends(np.array([7, 2, 0])), latent.ends(np.array([5, 2, 3]))
        ((2, 0), (1, 0))
    """
    labels = validation.array("labels", labels, ("number",), "iu")
    start, end = (validation.whole_number(*each, 0) for each in (("start", start), ("end", end)))
    classes = np.unique(labels).tolist()
    if len(classes) == 0:
        raise InputError("labels must be those of one image or more")
    if not {start, end} <= set(classes):
        if len(classes) == 1:
            return 0, len(labels) - 1
        start, end = classes[0], classes[-1]
    return first_of_class(labels, start), first_of_class(labels, end)


def class_means(latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean latent vector of each class.

    Args:
        latents: Latent vectors, shape (number, n_latent).
        labels: The class of each, from 0, shape (number,).

    Returns:
        numpy.ndarray: The means, shape (classes, n_latent), float64, with one row for each class
        up to the highest label, and at least 10; NaN for a class without images.

    Raises:
        InputError: The arrays are not of such shapes or numbers, or do not fit each other.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent
        >>> latents = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 5.0]])
        >>> latent.class_means(latents, np.array([0, 0, 1]))[:3]
        array([[ 2.,  3.],
               [ 5.,  5.],
               [nan, nan]])
    """
    latents = validation.array("latents", latents, ("number", "n_latent"))
    labels = validation.array("labels", labels, ("number",), "iu")
    if len(latents) != len(labels):
        raise InputError(
            f"there must be as many latent vectors as labels, not {len(latents)} and {len(labels)}"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) > MAX_SIZE:
        raise InputError(f"labels must be classes from 0 to {MAX_SIZE}")
    classes = max(N_CLASSES, 1 + int(labels.max(initial=0)))
    means = np.full((classes, latents.shape[1]), np.nan)
    for digit in np.unique(labels):
        means[digit] = latents[labels == digit].mean(axis=0)
    return means


def spread(points: np.ndarray, distance: float, wide: float = 1.0) -> np.ndarray:
    """Move points apart until every pair is at least ``distance`` apart, each as little as needed.

    With ``wide`` above 1, what surrounds a point is that many times as wide as it is high, as a
    label is: two points side by side end up ``distance * wide`` apart.

    It stops after 100 rounds, even if some pairs are still closer. Coinciding points stay together.

    Args:
        points: Shape (number, 2); rows with NaN are ignored and returned unchanged.
        distance: The minimum distance, in the units of the points.
        wide: As above.

    Returns:
        numpy.ndarray: The new positions, shape (number, 2), float64.

    Raises:
        InputError: ``points`` are not of this shape, ``distance`` is no finite number, 0 or more,
            or ``wide`` none above 0.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent
        >>> latent.spread(np.array([[0.0, 0.0], [0.5, 0.0], [9.0, 0.0]]), distance=1.0)
        array([[-0.255,  0.   ],
               [ 0.755,  0.   ],
               [ 9.   ,  0.   ]])
    """
    positions = validation.array("points", points, ("number", "2")).astype(float)
    if positions.shape[1] != 2:
        raise InputError(f"points must have the shape (number, 2), not {positions.shape}")
    distance = validation.weight("distance", distance)
    wide = validation.number("wide", wide)
    if wide <= 0:
        raise InputError(f"wide must be above 0, not {wide}")
    positions[:, 0] /= wide
    for _ in range(100):
        offset = positions[:, None] - positions[None]  # (number, number, 2)
        gap = np.hypot(offset[..., 0], offset[..., 1])
        close = (gap < distance) & (gap > 0)
        if not close.any():
            break
        # Each point of a pair moves by half of the missing distance, plus 1 % to converge.
        scale = np.where(close, 0.51 * (distance - gap) / np.where(close, gap, 1), 0)
        positions += np.nansum(scale[..., None] * offset, axis=1)
    positions[:, 0] *= wide
    return positions


def interpolate(start: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points on the straight line between two vectors.

    ::

        z = (1 - t) start + t end

    Args:
        start: The first vector, shape (n_latent,).
        end: The last vector, shape (n_latent,).
        t: Positions on the line, shape (number,). 0 gives exactly the start, 1 exactly the end.

    Returns:
        numpy.ndarray: The points, shape (number, n_latent), with the dtype of ``start``; of
        integers, float64.

    Raises:
        InputError: The vectors have different shapes, an array has not one axis, or holds no
            numbers.

    Source:
        The article's section 1-2, the interpolation from 0 to 7.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import latent
        >>> latent.interpolate(np.array([0.0, 2.0]), np.array([4.0, 0.0]), np.array([0, 0.25, 1]))
        array([[0. , 2. ],
               [1. , 1.5],
               [4. , 0. ]])
    """
    start, end, t = (
        validation.array(name, value) for name, value in (("start", start), ("end", end), ("t", t))
    )
    if start.shape != end.shape or start.ndim != 1 or t.ndim != 1:
        raise InputError(
            "interpolate needs two vectors of one shape and positions along one axis,"
            f" not {start.shape}, {end.shape} and {t.shape}"
        )
    t = t[:, None]
    dtype = start.dtype if start.dtype.kind == "f" else np.dtype(float)
    return ((1 - t) * start + t * end).astype(dtype)


def prior(n: int, n_latent: int, seed: int = 0) -> np.ndarray:
    """Latent vectors from the VAE's prior, z ~ N(0, I).

    Args:
        n: Number of vectors.
        n_latent: Number of latent dimensions.
        seed: Seed of the draw; the same numbers every time.

    Returns:
        numpy.ndarray: The vectors, shape (n, n_latent), float32.

    Raises:
        ValueError: ``n`` or ``n_latent`` is no whole number from 1 to 1,000,000, or ``seed`` none
            from 0 to 4,294,967,295.

    Source:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, section 2.1: an image is
        generated by drawing z from the prior and decoding it.

    Example:
        >>> from chainer_vae import latent
        >>> latent.prior(2, 3).round(2)
        array([[ 1.76,  0.4 ,  0.98],
               [ 2.24,  1.87, -0.98]], dtype=float32)
    """
    n = validation.whole_number("n", n, 1, MAX_SIZE)
    n_latent = validation.whole_number("n_latent", n_latent, 1, MAX_SIZE)
    seed = validation.whole_number("seed", seed, 0, 2**32 - 1)
    return np.random.RandomState(seed).standard_normal((n, n_latent)).astype(np.float32)


def there_and_back(n: int) -> np.ndarray:
    """Values of t for a looping animation: from 0 to 1 in ``n`` equal steps, and back in ``n``.

    Neither end is repeated: the last value is one step away from 0.

    Args:
        n: Number of steps each way.

    Returns:
        numpy.ndarray: The values, shape (2 n,), float64.

    Raises:
        ValueError: ``n`` is no whole number from 1 to 1,000,000.

    Example:
        >>> from chainer_vae import latent
        >>> latent.there_and_back(2)
        array([0. , 0.5, 1. , 0.5])
    """
    n = validation.whole_number("n", n, 1, MAX_SIZE)
    t = np.arange(n) / n
    return np.concatenate([t, 1 - t])


def grid(n: int, limit: float) -> np.ndarray:
    """A square grid of points in the latent plane, as an image shows it: z1 right, z2 up.

    Args:
        n: Number of points along each side.
        limit: The grid covers [-limit, limit] x [-limit, limit].

    Returns:
        numpy.ndarray: Latent vectors, shape (n, n, 2), float32; [0, 0] is the upper left corner,
        (-limit, limit).

    Raises:
        ValueError: ``n`` is no whole number from 1 to 10,000, or ``limit`` no finite number.

    Source:
        The article's section 1-2, the latent plane decoded at 25 x 25 points from -2 to 2.

    Example:
        >>> from chainer_vae import latent
        >>> latent.grid(3, 2.0)[0]
        array([[-2.,  2.],
               [ 0.,  2.],
               [ 2.,  2.]], dtype=float32)
    """
    n = validation.whole_number("n", n, 1, MAX_SIDE)
    limit = validation.number("limit", limit)
    side = np.linspace(-limit, limit, n, dtype=np.float32)
    z1, z2 = np.meshgrid(side, side[::-1])
    return np.stack([z1, z2], axis=-1)


def montage(tiles: np.ndarray) -> np.ndarray:
    """Join tiles into one image: tile (i, j) goes to row i, column j.

    Args:
        tiles: Images, shape (rows, columns, height, width).

    Returns:
        numpy.ndarray: The image, shape (rows * height, columns * width).

    Raises:
        InputError: ``tiles`` has not four axes, or holds no numbers.

    Example:
        >>> from chainer_vae import latent, load_model
        >>> model, config = load_model("z2")
        >>> z = latent.grid(5, 2.0)
        >>> tiles = latent.decode(model, z.reshape(-1, 2)).reshape(5, 5, 28, 28)
        >>> latent.montage(tiles).shape
        (140, 140)
    """
    tiles = validation.array("tiles", tiles, ("rows", "columns", "height", "width"), "fiub")
    rows, columns, height, width = tiles.shape
    return tiles.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
