"""How good a model is: the ELBO of images that it has not seen; and the codes of images."""

import math
from functools import partial
from typing import Any, Callable, NamedTuple

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_vae import engine
from chainer_vae.model import VAE, Autoencoder, as_rows
from chainer_vae.team import team


class Evaluation(NamedTuple):
    """Means over the images, in nats per image."""

    loss: float  # the negative ELBO, rec_loss + kl
    rec_loss: float  # -E_q(z|x)[ln p(x|z)]
    kl: float  # D_KL[q(z|x) || p(z)]


def evaluate(
    model: VAE,
    images: np.ndarray,
    k: int = 10,
    batchsize: int = 100,
    fused: bool = True,
) -> Evaluation:
    """The negative ELBO of ``images``, estimated with ``k`` samples of z for each.

    The divergence counts in full, whatever C the model was trained with.  The samples come
    from ``numpy.random``; those of Chainer's own functions, on a GPU, from ``cupy.random``.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        k: Number of samples for each image.
        batchsize: Number of images in one pass; changes the samples and the memory needed.
        fused: Whether to use :mod:`chainer_vae.engine` where it can compute the model; the result
            is the same but for rounding.

    Returns:
        Evaluation: In nats per image; infinite or NaN where the model overflows.

    Raises:
        ValueError: There are no images, or their shape does not fit the model.
    """
    if len(images) == 0:
        raise ValueError("evaluate needs at least one image, but got none")
    if not fused or engine.unsupported(model) is not None:
        run = _evaluate_chainer
    elif model.xp is np:
        run = _evaluate_fused
    else:
        run = _evaluate_gpu
    # An overflow shows in the result; NumPy need not warn of it, too.
    with chainer.using_device(model.device), np.errstate(over="ignore", invalid="ignore"):
        rec_loss, kl = run(model, images, k, batchsize)
    n = len(images)
    return Evaluation((rec_loss + kl) / n, rec_loss / n, kl / n)


def squared_error(model: Autoencoder, images: np.ndarray, batchsize: int = 100) -> float:
    """The reconstruction error of a plain autoencoder, |x - x'|^2: mean over the images.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.

    Raises:
        ValueError: There are no images, or their shape does not fit the model.
    """
    if len(images) == 0:
        raise ValueError("squared_error needs at least one image, but got none")
    loss_func = model.get_loss_func()
    total = 0.0
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            batch = model.xp.asarray(images[start : start + batchsize])
            total += float(loss_func(batch).array) * len(batch)
    return total / len(images)


def _evaluate_chainer(
    model: VAE, images: np.ndarray, k: int, batchsize: int
) -> tuple[float, float]:
    """Reconstruction error and divergence, summed over the images."""
    loss_func = model.get_loss_func(k=k)
    rec_loss = kl = 0.0
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            batch = model.xp.asarray(images[start : start + batchsize])
            loss_func(batch)
            rec_loss += float(model.rec_loss.array) * len(batch)
            kl += float(model.latent_loss.array) * len(batch)
    return rec_loss, kl


def _evaluate_fused(model: VAE, images: np.ndarray, k: int, batchsize: int) -> tuple[float, float]:
    def draw(network: engine.Network) -> np.ndarray:
        # In the order of the loop of get_loss_func.
        return network.kernels.draw((k, network.n, len(network.mu)))

    def batch_losses(network: engine.Network, eps: np.ndarray) -> tuple[float, float]:
        network.encode()
        rec_loss = 0.0
        for noise in eps:
            network.sample(noise[None])
            network.decode()
            network.reconstruct()
            rec_loss += float(network.rec_losses.sum()) / k
        return rec_loss, float(network.kl[0])

    losses = _by_batches(model, images, batchsize, draw, batch_losses)
    return math.fsum(loss[0] for loss in losses), math.fsum(loss[1] for loss in losses)


def _evaluate_gpu(model: VAE, images: np.ndarray, k: int, batchsize: int) -> tuple[float, float]:
    from chainer_vae import engine_gpu  # where there is CuPy

    as_rows("images", images, model.le1.W)
    rows = images.reshape(len(images), model.le1.W.shape[1])
    return engine_gpu.evaluate(model, rows, k, batchsize)


def encode(model: VAE, images: np.ndarray, batchsize: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """The codes of many images: ``mu`` and ``ln_var`` of q(z|x), without Chainer's graph.

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory or where the model is.
        batchsize: Number of images in one pass.

    Returns:
        tuple: ``mu`` and ``ln_var``, NumPy arrays of shape (number, n_latent).

    Raises:
        ValueError, TypeError: As :meth:`VAE.encode`.
    """
    as_rows("images", images, model.le1.W)
    if engine.unsupported(model) is None and model.xp is np:
        codes = _by_batches(model, images, batchsize, lambda network: None, _batch_codes)
    else:
        with chainer.using_device(model.device):
            codes = _codes_by_chainer(model, images, batchsize)
    empty = np.empty((0, len(model.le3_mu.W)), model.le1.W.dtype)
    mu = np.concatenate([empty, *(code[0] for code in codes)])
    ln_var = np.concatenate([empty, *(code[1] for code in codes)])
    return mu, ln_var


def _codes_by_chainer(
    model: VAE, images: np.ndarray, batchsize: int
) -> list[tuple[np.ndarray, ...]]:
    codes = []
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for start in range(0, len(images), batchsize):
            code = model.encode(model.xp.asarray(images[start : start + batchsize]))
            codes.append(tuple(cuda.to_cpu(variable.array) for variable in code))
    return codes


def _batch_codes(network: engine.Network, nothing: None) -> tuple[np.ndarray, np.ndarray]:
    network.encode()
    return network.mu.T.copy(), network.ln_var.T.copy()


def _by_batches(
    model: VAE,
    images: np.ndarray,
    batchsize: int,
    prepare: Callable[[engine.Network], Any],
    work: Callable[[engine.Network, Any], Any],
) -> list[Any]:
    """What ``work`` gives for each batch, several of them at a time, each by one thread.

    ``prepare`` is called for one batch after another, in their order; ``work`` gets what it gave.
    """
    as_rows("images", images, model.le1.W)
    images = images.reshape(len(images), model.le1.W.shape[1])
    layers = engine.layers_of(model)
    results: list[Any] = []
    with team() as members:
        networks: dict[tuple[int, int], engine.Network] = {}

        def task(network: engine.Network, batch: np.ndarray, prepared: Any, place: int) -> None:
            network.x[...] = batch.T
            results[place] = work(network, prepared)

        for first in range(0, len(images), batchsize * len(members)):
            tasks = []
            for member in range(len(members)):
                start = first + member * batchsize
                batch = images[start : start + batchsize]
                if len(batch) == 0:
                    break
                size = member, len(batch)
                if size not in networks:
                    networks[size] = engine.Network(layers, model.act_func, len(batch), 1)
                network = networks[size]
                tasks.append(partial(task, network, batch, prepare(network), len(results)))
                results.append(None)
            members.run(tasks)
    return results
