"""The evaluation and the encoding of many images on the CPU, batch by batch in a thread pool."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Callable

import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.network import Network, layers_of
from chainer_vae.engine.threads import thread_pool
from chainer_vae.model import VAE

# What a task draws at a time, at most: 16 MB of random numbers, or as many samples as the article.
NOISE, SAMPLES = 2**21, 10


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

    def draw(network: Network, samples: range) -> np.ndarray:
        # In the order of the loop of get_loss_func.
        return cpu_kernels.draw((len(samples), network.n, len(network.mu)), random)

    def losses(network: Network, eps: np.ndarray) -> tuple[list[float], float]:
        network.encode()
        rec_losses = []
        for noise in eps:
            network.sample(noise[None])
            network.decode()
            network.reconstruct()
            rec_losses.append(float(network.rec_losses.sum()) / k)
        return rec_losses, float(network.kl[0])

    sample = min(batchsize, len(images)) * len(model.le3_mu.W)
    at_a_time = max(SAMPLES, NOISE // sample)
    parts = [range(first, min(first + at_a_time, k)) for first in range(0, k, at_a_time)]
    rec_loss, kl = [], []
    for part, (rec_losses, batch_kl) in _by_batches(model, images, batchsize, parts, draw, losses):
        if part is parts[0]:
            rec_loss.append(0.0)
            kl.append(batch_kl)
        for loss in rec_losses:
            rec_loss[-1] += loss
    return math.fsum(rec_loss), math.fsum(kl)


def encode(model: VAE, images: np.ndarray, batchsize: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``mu`` and ``ln_var`` of each batch of images (number, n_in), shape (B, n_latent)."""

    def nothing(network: Network, part: None) -> None:
        return None

    def latents(network: Network, prepared: None) -> tuple[np.ndarray, np.ndarray]:
        network.encode()
        return network.mu.T.copy(), network.ln_var.T.copy()

    return [found for _, found in _by_batches(model, images, batchsize, [None], nothing, latents)]


def _by_batches(
    model: VAE,
    images: np.ndarray,
    batchsize: int,
    parts: Sequence[Any],
    prepare: Callable[[Network, Any], Any],
    work: Callable[[Network, Any], Any],
) -> Iterator[tuple[Any, Any]]:
    """Each part of the work on each batch, and what ``work`` returns for it, in order; several at
    a time, a thread for each.

    ``prepare`` is called with one part after another, in order; ``work`` gets what it returned.
    """
    layers = layers_of(model)
    with thread_pool() as pool:
        networks: dict[tuple[int, int], Network] = {}
        results: list[Any] = [None] * len(pool)

        def task(network: Network, batch: np.ndarray, prepared: Any, slot: int) -> None:
            network.x[...] = batch.T
            results[slot] = work(network, prepared)

        todo = ((start, part) for start in range(0, len(images), batchsize) for part in parts)
        while together := list(islice(todo, len(pool))):
            tasks = []
            for slot, (start, part) in enumerate(together):
                batch = images[start : start + batchsize]
                size = slot, len(batch)
                if size not in networks:
                    networks[size] = Network(layers, model.act_func, len(batch), 1)
                network = networks[size]
                tasks.append(partial(task, network, batch, prepare(network, part), slot))
            pool.run(tasks)
            yield from zip([part for _, part in together], results)
