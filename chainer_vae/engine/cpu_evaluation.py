"""The evaluation and the encoding of many images on the CPU, batch by batch in a thread pool."""

import math
from functools import partial
from typing import Any, Callable

import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.network import Network, layers_of
from chainer_vae.engine.threads import thread_pool
from chainer_vae.model import VAE


def evaluate(
    model: VAE, images: np.ndarray, k: int, batchsize: int, random: Any
) -> tuple[float, float]:
    """Reconstruction error and KL divergence of ``images``, summed over them.

    Args:
        model: The model, on the CPU.
        images: Shape (number, n_in).
        k: Number of samples of each.
        batchsize: Number of images in one pass.
        random: The ``numpy.random.RandomState`` of the samples.
    """

    def draw(network: Network) -> np.ndarray:
        # In the order of the loop of get_loss_func.
        return cpu_kernels.draw((k, network.n, len(network.mu)), random)

    def batch_losses(network: Network, eps: np.ndarray) -> tuple[float, float]:
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


def encode(model: VAE, images: np.ndarray, batchsize: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``mu`` and ``ln_var`` of each batch of images (number, n_in), shape (B, n_latent)."""

    def nothing(network: Network) -> None:
        return None

    def batch_latents(network: Network, prepared: None) -> tuple[np.ndarray, np.ndarray]:
        network.encode()
        return network.mu.T.copy(), network.ln_var.T.copy()

    return _by_batches(model, images, batchsize, nothing, batch_latents)


def _by_batches(
    model: VAE,
    images: np.ndarray,
    batchsize: int,
    prepare: Callable[[Network], Any],
    work: Callable[[Network, Any], Any],
) -> list[Any]:
    """What ``work`` returns for each batch; several batches at a time, a thread for each.

    ``prepare`` is called for one batch after another, in order; ``work`` gets what it returned.
    """
    layers = layers_of(model)
    results: list[Any] = []
    with thread_pool() as pool:
        networks: dict[tuple[int, int], Network] = {}

        def task(network: Network, batch: np.ndarray, prepared: Any, index: int) -> None:
            network.x[...] = batch.T
            results[index] = work(network, prepared)

        for first in range(0, len(images), batchsize * len(pool)):
            tasks = []
            for slot in range(len(pool)):
                start = first + slot * batchsize
                batch = images[start : start + batchsize]
                if len(batch) == 0:
                    break
                size = slot, len(batch)
                if size not in networks:
                    networks[size] = Network(layers, model.act_func, len(batch), 1)
                network = networks[size]
                tasks.append(partial(task, network, batch, prepare(network), len(results)))
                results.append(None)
            pool.run(tasks)
    return results
