"""How good a model is: the ELBO of images that it has not seen; and their latent vectors."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, Optional, Union

import chainer
import chainer.functions as F
import numpy as np
from chainer.backends import cuda

from chainer_vae import engine, validation
from chainer_vae.engine import cpu_evaluation
from chainer_vae.model import VAE, Autoencoder, as_rows
from chainer_vae.random_numbers import NUMPY, numpy_random


class Evaluation(NamedTuple):
    """What :func:`evaluate` computes: means over the images, in nats per image.

    Attributes:
        loss (float): The negative ELBO, ``rec_loss + kl``.
        rec_loss (float): The reconstruction error, ``-E_q(z|x)[ln p(x|z)]``.
        kl (float): The KL divergence, ``D_KL[q(z|x) || p(z)]``.

    Example:
        >>> from chainer_vae import Evaluation
        >>> Evaluation(loss=94.25, rec_loss=74.25, kl=20.0).kl
        20.0
    """

    loss: float
    rec_loss: float
    kl: float


def evaluate(
    model: VAE,
    images: np.ndarray,
    k: int = 10,
    batchsize: int = 100,
    fused: bool = True,
    random: Optional[np.random.RandomState] = None,
) -> Evaluation:
    """The negative ELBO of ``images``, estimated with ``k`` samples of z for each.

    ::

        -ELBO = -E_q(z|x)[ln p(x|z)] + D_KL[q(z|x) || p(z)]

    The KL divergence counts in full, whatever C the model was trained with.  The samples come
    from ``random``; on a GPU, those of Chainer's own functions from ``cupy.random``.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        k: Number of samples of z for each image.
        batchsize: Number of images in one pass; changes the samples and the memory needed.
        fused: Whether to use :mod:`chainer_vae.engine` where it can compute the model; the result
            is the same but for rounding.
        random: The generator of the samples; by default, that of ``numpy.random``.  Threads that
            evaluate at the same time need one each, for results that can be had again.

    Returns:
        Evaluation: Three means, in nats per image; infinite or NaN where the model overflows.

    Raises:
        ValueError: There are no images, their shape does not fit the model, or a pixel is outside
            [0, 1]; ``k`` or ``batchsize`` is no whole number, 1 or more; ``fused`` is not True or
            False.
        TypeError: ``images`` is not an array of floating-point numbers, the model is no VAE, or
            ``random`` is no ``RandomState``.

    Source:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, equation 10; with k = 10, the
        article's test loss.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import evaluate, load_mnist, load_model
        >>> model, config = load_model("z20")
        >>> np.random.seed(0)
        >>> evaluation = evaluate(model, load_mnist().test_images[:100])
        >>> round(evaluation.loss, 1)
        94.2
    """
    rows = _rows("evaluate", model, images, VAE)
    if len(rows) == 0:
        raise ValueError("evaluate needs at least one image, but got none")
    k = validation.whole_number("k", k)
    batchsize = validation.whole_number("batchsize", batchsize)
    fused = validation.flag("fused", fused)
    if random is not None:
        validation.instance("evaluate's random", random, np.random.RandomState)
    with chainer.using_device(model.device), _quiet():
        if not fused or engine.unsupported(model) is not None:
            with nullcontext() if random is None else numpy_random(random):
                rec_loss, kl = _evaluate_chainer(model, rows, k, batchsize)
        elif model.xp is np:
            rec_loss, kl = cpu_evaluation.evaluate(model, rows, k, batchsize, random or NUMPY)
        else:
            from chainer_vae.engine import gpu_evaluation  # where there is CuPy

            rec_loss, kl = gpu_evaluation.evaluate(model, rows, k, batchsize, random or NUMPY)
    n = len(rows)
    return Evaluation((rec_loss + kl) / n, rec_loss / n, kl / n)


def squared_error(
    model: Autoencoder, images: np.ndarray, batchsize: int = 100, fused: bool = True
) -> float:
    """The reconstruction error of a plain autoencoder, ``|x - x'|^2``.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.
        fused: As for :func:`evaluate`.

    Returns:
        float: The error, squares summed over the pixels, averaged over the images; infinite or NaN
        where the model overflows.

    Raises:
        ValueError: There are no images, their shape does not fit the model, or a pixel is outside
            [0, 1]; ``batchsize`` is no whole number, 1 or more; ``fused`` is not True or False.
        TypeError: ``images`` is not an array of floating-point numbers, or the model is no
            autoencoder.

    Source:
        The loss of the article's section 1-1, averaged instead of summed over the images.

    Example:
        >>> from chainer_vae import load_autoencoder, load_mnist
        >>> from chainer_vae.evaluation import squared_error
        >>> model, config = load_autoencoder("ae2")
        >>> round(squared_error(model, load_mnist().test_images[:100]), 1)
        26.8
    """
    rows = _rows("squared_error", model, images, Autoencoder)
    if len(rows) == 0:
        raise ValueError("squared_error needs at least one image, but got none")
    batchsize = validation.whole_number("batchsize", batchsize)
    fused = validation.flag("fused", fused)
    with chainer.using_device(model.device), _quiet():
        if fused and model.xp is np and engine.unsupported(model) is None:
            total = cpu_evaluation.squared_error(model, rows, batchsize)
        else:
            total = _squared_error_by_chainer(model, rows, batchsize)
    return total / len(rows)


def _squared_error_by_chainer(model: Autoencoder, images: np.ndarray, batchsize: int) -> float:
    """Summed over the images."""
    loss_func = model.get_loss_func()
    total = 0.0
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            batch = model.xp.asarray(images[start : start + batchsize])
            total += float(loss_func(batch).array) * len(batch)
    return total


@contextmanager
def _by_chainer(model: Any) -> Iterator[None]:
    """A block in which Chainer computes the model, without a graph."""
    with (
        chainer.using_device(model.device),
        _quiet(),
        chainer.no_backprop_mode(),
        chainer.using_config("train", False),
    ):
        yield


def _quiet() -> AbstractContextManager[None]:
    """An overflow shows in the result; NumPy need not warn of it, too."""
    return np.errstate(over="ignore", invalid="ignore")


def _rows(function: str, model: Any, images: Any, *kinds: type) -> np.ndarray:
    """Images as an array (number, n_in), checked here, once, instead of batch by batch."""
    validation.instance(function, model, *kinds)
    as_rows("images", images, model.le1.W)
    if isinstance(images, chainer.Variable):
        images = images.array
    validation.pixels("images", images)
    return images.reshape(len(images), model.le1.W.shape[1])


def _evaluate_chainer(
    model: VAE, images: np.ndarray, k: int, batchsize: int
) -> tuple[float, float]:
    """Reconstruction error and KL divergence, summed over the images."""
    loss_func = model.get_loss_func(k=k)
    rec_loss = kl = 0.0
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            batch = model.xp.asarray(images[start : start + batchsize])
            loss_func(batch)
            rec_loss += float(model.rec_loss.array) * len(batch)
            kl += float(model.latent_loss.array) * len(batch)
    return rec_loss, kl


def encode(model: VAE, images: np.ndarray, batchsize: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """The latent vectors of many images: ``mu`` and ``ln_var`` of q(z|x), without a graph.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.

    Returns:
        tuple: ``mu`` and ``ln_var``, NumPy arrays of shape (number, n_latent); infinite or NaN
        where the model overflows.

    Raises:
        ValueError, TypeError: As :func:`evaluate`; but there may be no images.

    Example:
        >>> from chainer_vae import encode, load_mnist, load_model
        >>> model, config = load_model("z2")
        >>> mu, ln_var = encode(model, load_mnist().test_images)
        >>> mu.shape, ln_var.shape
        ((10000, 2), (10000, 2))
        >>> mu[0].round(2)  # a 7
        array([1.56, 1.27], dtype=float32)
    """
    rows = _rows("encode", model, images, VAE)
    batchsize = validation.whole_number("batchsize", batchsize)
    with chainer.using_device(model.device), _quiet():
        if engine.unsupported(model) is None and model.xp is np:
            latents = cpu_evaluation.encode(model, rows, batchsize)
        else:
            latents = _encode_by_chainer(model, rows, batchsize)
    empty = np.empty((0, len(model.le3_mu.W)), model.le1.W.dtype)
    mu = np.concatenate([empty, *(latent[0] for latent in latents)])
    ln_var = np.concatenate([empty, *(latent[1] for latent in latents)])
    return mu, ln_var


def _encode_by_chainer(
    model: VAE, images: np.ndarray, batchsize: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    latents = []
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            mu, ln_var = model.encode(model.xp.asarray(images[start : start + batchsize]))
            latents.append((cuda.to_cpu(mu.array), cuda.to_cpu(ln_var.array)))
    return latents


def latent_vectors(
    model: Union[VAE, Autoencoder], images: np.ndarray, batchsize: int = 100
) -> np.ndarray:
    """The latent vector of each image: ``mu`` of a VAE, ``z`` of a plain autoencoder.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.

    Returns:
        numpy.ndarray: The vectors, shape (number, n_latent); infinite or NaN where the model
        overflows.

    Raises:
        ValueError, TypeError: As :func:`encode`, but the model may be of either kind.

    Example:
        >>> from chainer_vae import load_autoencoder, load_mnist
        >>> from chainer_vae.evaluation import latent_vectors
        >>> model, config = load_autoencoder("ae2")
        >>> latent_vectors(model, load_mnist().test_images).shape
        (10000, 2)
    """
    rows = _rows("latent_vectors", model, images, VAE, Autoencoder)
    if isinstance(model, VAE):
        return encode(model, rows, batchsize)[0]
    batchsize = validation.whole_number("batchsize", batchsize)
    z = np.empty((len(rows), len(model.le3.W)), model.le1.W.dtype)
    with _by_chainer(model):
        for start in range(0, len(rows), batchsize):
            batch = model.xp.asarray(rows[start : start + batchsize])
            z[start : start + batchsize] = cuda.to_cpu(model.encode(batch).array)
    return z


def reconstruction_errors(
    model: Union[VAE, Autoencoder], images: np.ndarray, batchsize: int = 100
) -> np.ndarray:
    """How far each image is from its reconstruction, decoded from its latent vector.

    ::

        -ln p(x|mu)        of a VAE, in nats
        |x - x'|^2         of a plain autoencoder, squares summed over the pixels

    No noise is drawn: z is the vector that :func:`latent_vectors` gives, so that of a VAE this is
    less than the reconstruction error of :func:`evaluate`, a mean over samples of q(z|x).

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.

    Returns:
        numpy.ndarray: The errors, shape (number,); infinite or NaN where the model overflows.

    Raises:
        ValueError, TypeError: As :func:`latent_vectors`.

    Example:
        >>> from chainer_vae import load_mnist, load_model
        >>> from chainer_vae.evaluation import reconstruction_errors
        >>> model, config = load_model("z20")
        >>> reconstruction_errors(model, load_mnist().test_images[:3]).round(0)  # 7, 2, 1
        array([52., 79., 30.], dtype=float32)
    """
    rows = _rows("reconstruction_errors", model, images, VAE, Autoencoder)
    z = latent_vectors(model, rows, batchsize)
    errors = np.empty(len(rows), z.dtype)
    with _by_chainer(model):
        for start in range(0, len(rows), batchsize):
            part = slice(start, start + batchsize)
            x = as_rows("images", model.xp.asarray(rows[part]), model.le1.W)
            z_part = model.xp.asarray(z[part])
            if isinstance(model, VAE):
                pixels = model._nll(x, model.decode(z_part, sigmoid=False), reduce="no")
            else:
                pixels = F.squared_difference(x, model.decode(z_part))
            errors[part] = cuda.to_cpu(F.sum(pixels, axis=1).array)
    return errors
