"""How probable images are under a model: ln p(x), estimated by importance sampling."""

from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_vae import engine, validation
from chainer_vae.engine import cpu_evaluation
from chainer_vae.evaluation import encode
from chainer_vae.model import VAE, as_rows
from chainer_vae.random_numbers import generator_of
from chainer_vae.validation import MAX_SIZE

BLOCK = cpu_evaluation.COLUMNS  # samples that are decoded at once
GPU_BLOCK = 10_000  # the same on a GPU

# Of an image's number: blocks of its latent vectors (k, n_latent), each with
# ln p(z) - ln q(z|x), shape (k,).
Samples = Callable[[int], Iterator[tuple[np.ndarray, np.ndarray]]]


class LogLikelihood(NamedTuple):
    """What :func:`log_likelihood` computes, in nats per image.

    Attributes:
        mean (float): The estimate of ln p(x), averaged over the images.
        standard_error (float): That of ``mean``, over the images; NaN for one image.
        bounds (dict): By the number of samples, 1, 5, 50, 500 and so on up to k, the bound that
            so many give, averaged over the images; that of 1 is the ELBO, that of k is ``mean``.
        of_images (numpy.ndarray): The estimate for each image, shape (number,), float64.

    Example:
        >>> from chainer_vae import load_mnist, load_model
        >>> from chainer_vae.likelihood import log_likelihood
        >>> model, config = load_model("z2")
        >>> found = log_likelihood(model, load_mnist().test_images[:10], k=50)
        >>> list(found.bounds), found.of_images.shape, found.mean == found.bounds[50]
        ([1, 5, 50], (10,), True)
    """

    mean: float
    standard_error: float
    bounds: dict[int, float]
    of_images: np.ndarray


def log_likelihood(
    model: VAE,
    images: np.ndarray,
    k: int = 5000,
    seed: int = 0,
    fused: bool = True,
    progress: Callable[[], None] = lambda: None,
) -> LogLikelihood:
    """The logarithm of p(x), the probability of ``images``, by ``k`` samples of z for each.

    ::

        ln p(x) >= E[ln 1/k sum_i w_i],   w_i = p(x|z_i) p(z_i) / q(z_i|x),   z_i from q(z|x)

    With k = 1, the right side is the ELBO; it rises with k, and reaches ln p(x) where q(z|x)
    covers the true posterior.  Grey pixels count as probabilities, as in the reconstruction error:
    what is measured is then no density, and does not compare with that of binarized images.

    The bounds of fewer samples come from the same ones, in groups.  The noise of each image is its
    own: it depends on ``seed`` and the image's number, not on ``numpy.random``, and is the same on
    every device.  An image takes 8 k bytes, and each thread what decodes 500 samples.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        k: Number of samples of z for each image.
        seed: Seed of the samples.
        fused: As for :func:`evaluate <chainer_vae.evaluate>`.
        progress: Called after each image.

    Returns:
        LogLikelihood: In nats per image; infinite or NaN where the model overflows.

    Raises:
        ValueError: There are no images, their shape does not fit the model, or a pixel is outside
            [0, 1]; ``k`` is no whole number from 1 to 1,000,000, ``seed`` none from 0 to
            4294967295; ``fused`` is not True or False.
        TypeError: ``images`` is not an array of floating-point numbers, or the model is no VAE.

    Source:
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, equation 8 and
        section 5; with k = 5000, their estimate of ln p(x).

    Example:
        >>> from chainer_vae import load_mnist, load_model
        >>> from chainer_vae.likelihood import log_likelihood
        >>> model, config = load_model("z20")
        >>> found = log_likelihood(model, load_mnist().test_images[:20], k=500)
        >>> {k: round(bound) for k, bound in found.bounds.items()}
        {1: -94, 5: -92, 50: -91, 500: -91}
    """
    validation.instance("log_likelihood", model, VAE)
    k = validation.whole_number("k", k, 1, MAX_SIZE)
    seed = validation.whole_number("seed", seed, 0, 2**32 - 1)
    fused = validation.flag("fused", fused)
    latents = encode(model, images)  # checks the images, too
    if len(images) == 0:
        raise ValueError("log_likelihood needs at least one image, but got none")
    rows = as_rows("images", images, model.le1.W).array
    mu, ln_var = (latent.astype(np.float64) for latent in latents)
    block = BLOCK if model.xp is np else GPU_BLOCK

    def samples(number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        random = generator_of(seed, number)
        for start in range(0, k, block):
            eps = random.standard_normal((min(block, k - start), mu.shape[1]))
            z = mu[number] + np.exp(ln_var[number] / 2) * eps
            # ln p(z) - ln q(z|x); the factors of 2 pi cancel
            yield z, (eps**2 - z**2 + ln_var[number]).sum(axis=1) / 2

    sizes = sizes_up_to(k)
    of_images = np.empty((len(rows), len(sizes)))
    # An overflow shows in the result.
    with chainer.using_device(model.device), np.errstate(over="ignore", invalid="ignore"):
        if fused and model.xp is np and engine.unsupported(model) is None:
            weights = cpu_evaluation.log_weights(model, rows, samples)
        else:
            weights = _log_weights_by_chainer(model, rows, samples)
        for number, log_weights in enumerate(weights):
            of_images[number] = importance_bounds(log_weights, sizes)
            progress()
        means = of_images.mean(axis=0)
    return LogLikelihood(
        mean=float(means[-1]),
        standard_error=standard_error(of_images[:, -1]),
        bounds=dict(zip(sizes, means.tolist())),
        of_images=of_images[:, -1],
    )


def sizes_up_to(k: int) -> list[int]:
    """The numbers of samples that are compared: 1, 5, 50, 500 and so on, and ``k``.

    Args:
        k: The largest.

    Returns:
        list: The numbers, in increasing order.

    Raises:
        ValueError: ``k`` is no whole number from 1 to 1,000,000.

    Example:
        >>> from chainer_vae.likelihood import sizes_up_to
        >>> sizes_up_to(5000), sizes_up_to(100), sizes_up_to(1)
        ([1, 5, 50, 500, 5000], [1, 5, 50, 100], [1])
    """
    k = validation.whole_number("k", k, 1, MAX_SIZE)
    return [size for size in (1, 5, 50, 500, 5000, 50_000, 500_000) if size < k] + [k]


def importance_bounds(log_weights: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """The bounds on ln p(x) that the importance weights of one image give.

    ::

        ln 1/k' sum_i w_i

    for each size k', averaged over as many separate groups of k' weights as there are: each is the
    unbiased estimate of the bound of k' samples.  Where each size divides the next one and the
    number of weights, no bound is below the one before.

    Args:
        log_weights: ln w_i = ln p(x|z_i) + ln p(z_i) - ln q(z_i|x), shape (k,).
        sizes: The sizes, from 1 to k.

    Returns:
        numpy.ndarray: The bounds, in nats, shape (sizes,), float64.

    Raises:
        ValueError: ``log_weights`` are no array (k,) of numbers, or ``sizes`` no list of whole
            numbers from 1 to k.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.likelihood import importance_bounds
        >>> importance_bounds(np.log([1.0, 3.0, 2.0, 2.0]), [1, 2, 4]).round(3)
        array([0.621, 0.693, 0.693])
    """
    log_weights = validation.array("log_weights", log_weights, ("k",)).astype(np.float64)
    k = len(log_weights)
    sizes = validation.array("sizes", sizes, ("sizes",), "iu").tolist()
    bounds = np.empty(len(sizes))
    for number, size in enumerate(sizes):
        size = validation.whole_number("a size", size, 1, k)
        groups = log_weights[: k - k % size].reshape(-1, size)
        bounds[number] = log_mean_exp(groups).mean()
    return bounds


def log_mean_exp(a: np.ndarray) -> np.ndarray:
    """The logarithm of the mean of e^a along the last axis, however large or small e^a is.

    ::

        m + ln(mean(e^(a - m))),   m = max(a)

    Args:
        a: Numbers, shape (..., number).

    Returns:
        numpy.ndarray: Shape (...), float64; -inf where all are.

    Raises:
        ValueError: ``a`` is no array of numbers, or has none along its last axis.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.likelihood import log_mean_exp
        >>> float(log_mean_exp(np.array([-1e5, -1e5])))
        -100000.0
    """
    a = validation.array("a", a).astype(np.float64)
    if a.ndim == 0 or a.shape[-1] == 0:
        raise ValueError(f"log_mean_exp needs numbers along the last axis, not the shape {a.shape}")
    largest = a.max(axis=-1, keepdims=True)
    largest[~np.isfinite(largest)] = 0
    with np.errstate(divide="ignore"):  # the logarithm of 0
        mean: np.ndarray = np.log(np.exp(a - largest).mean(axis=-1))
    return mean + largest[..., 0]


def standard_error(a: np.ndarray) -> float:
    """The standard error of the mean of independent numbers.

    ::

        sqrt(1 / (n (n - 1)) sum_i (a_i - mean(a))^2)

    Args:
        a: The numbers, shape (n,).

    Returns:
        float: In their units; NaN of one number, and where one is infinite.

    Raises:
        ValueError: ``a`` is no array (n,) of numbers, or is empty.

    Example:
        >>> import numpy as np
        >>> from chainer_vae.likelihood import standard_error
        >>> standard_error(np.array([1.0, 3.0]))
        1.0
    """
    a = validation.array("a", a, ("n",)).astype(np.float64)
    if len(a) == 0:
        raise ValueError("standard_error needs at least one number, but got none")
    if len(a) == 1:
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        return float(a.std(ddof=1) / np.sqrt(len(a)))


def _log_weights_by_chainer(
    model: VAE, images: np.ndarray, samples: Samples
) -> Iterator[np.ndarray]:
    """As :func:`cpu_evaluation.log_weights`, also on a GPU."""
    xp = model.xp
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for number in range(len(images)):
            x = xp.asarray(images[number : number + 1])
            found = []
            for z, others in samples(number):
                logits = model.decode(xp.asarray(z.astype(x.dtype)), sigmoid=False)
                losses = model._nll(x.repeat(len(z), axis=0), logits, reduce="no")
                found.append(others - cuda.to_cpu(losses.array.sum(axis=1, dtype=np.float64)))
            yield np.concatenate(found)
