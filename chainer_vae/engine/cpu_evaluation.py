"""Evaluation, encoding and decoding of many images on the CPU, batch by batch in a thread pool."""

import math
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import islice
from typing import Any, Callable

import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.network import Model, layers_of, network_of
from chainer_vae.engine.threads import default_threads, thread_pool
from chainer_vae.model import VAE, Autoencoder

# What a task draws at a time, at most: 16 MB of random numbers, or as many samples as the article.
NOISE, SAMPLES = 2**21, 10
COLUMNS = 500  # of the decoder's products: wider ones are faster up to there

Networks = Callable[[int, int], Any]  # that for n images and k samples of each


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
    largest = min(batchsize, len(images))
    together = min(k, max(1, COLUMNS // largest))  # samples in one product of the decoder

    def draw(batch: np.ndarray, samples: range) -> np.ndarray:
        # In the order of the loop of get_loss_func.
        return cpu_kernels.draw((len(samples), len(batch), len(model.le3_mu.W)), random)

    def losses(networks: Networks, batch: np.ndarray, eps: np.ndarray) -> tuple[list[float], float]:
        encoder = networks(len(batch), together)
        encoder.x[...] = batch.T
        encoder.encode()
        rec_losses = []
        for start in range(0, len(eps), together):
            noise = eps[start : start + together]
            network = networks(len(batch), len(noise))
            if network is not encoder:  # fewer samples, at the end
                network.x[...], network.heads[...] = encoder.x, encoder.heads
            network.sample(noise)
            network.decode()
            network.reconstruct()
            rec_losses.append(float(network.rec_losses.sum()) / k)
        return rec_losses, float(network.kl[0])

    # A thread's share, where there are fewer batches than threads.
    share = -(-k * -(-len(images) // batchsize) // default_threads())
    at_a_time = min(share, max(SAMPLES, NOISE // (largest * len(model.le3_mu.W))))
    # Of whole products, so that the sums are the same in any parts.
    at_a_time = max(1, at_a_time // together) * together
    parts = [range(first, min(first + at_a_time, k)) for first in range(0, k, at_a_time)]
    rec_loss, kl = [], []
    for part, (rec_losses, batch_kl) in _by_batches(model, images, batchsize, losses, parts, draw):
        if part is parts[0]:
            rec_loss.append(0.0)
            kl.append(batch_kl)
        for loss in rec_losses:
            rec_loss[-1] += loss
    return math.fsum(rec_loss), math.fsum(kl)


def squared_error(model: Autoencoder, images: np.ndarray, batchsize: int) -> float:
    """``|x' - x|^2`` of images (number, n_in), summed over them."""

    def error(networks: Networks, batch: np.ndarray, prepared: None) -> float:
        network = networks(len(batch), 1)
        network.x[...] = batch.T
        network.encode()
        network.decode()
        network.reconstruct()
        return float(network.rec_losses.sum())

    return math.fsum(found for _, found in _by_batches(model, images, batchsize, error))


def encode(model: VAE, images: np.ndarray, batchsize: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """``mu`` and ``ln_var`` of each batch of images (number, n_in), shape (B, n_latent)."""

    def latents(
        networks: Networks, batch: np.ndarray, prepared: None
    ) -> tuple[np.ndarray, np.ndarray]:
        network = networks(len(batch), 1)
        network.x[...] = batch.T
        network.encode()
        return network.mu.T.copy(), network.ln_var.T.copy()

    return [found for _, found in _by_batches(model, images, batchsize, latents)]


def decode(model: Model, z: np.ndarray, batchsize: int) -> Iterator[np.ndarray]:
    """The pixels of each batch of latent vectors (number, n_latent), shape (B, n_in)."""

    def pixels(networks: Networks, batch: np.ndarray, prepared: None) -> np.ndarray:
        network = networks(len(batch), 1)
        network.z[...] = batch.T
        network.decode()
        network.draw_pixels()
        return network.a.T.copy()

    return (found for _, found in _by_batches(model, z, batchsize, pixels))


def log_weights(
    model: VAE, images: np.ndarray, samples: Callable[[int], Iterator[tuple[np.ndarray, Any]]]
) -> Iterator[np.ndarray]:
    """ln p(x|z), and what is to be added to it, of the samples of each image.

    Args:
        model: The model, on the CPU.
        images: Shape (number, n_in).
        samples: Gives, by the number of an image, blocks of its latent vectors, shape
            (k, n_latent), each with what is to be added, shape (k,); threads call it.

    Yields:
        Of each image, in order, an array (all its samples,), float64.
    """

    def weights(networks: Networks, numbers: np.ndarray, prepared: None) -> np.ndarray:
        (number,) = numbers
        found = []
        for z, others in samples(number):
            network = networks(1, len(z))
            network.x[...] = images[number][:, None]
            network.z[...] = z.T
            network.decode()
            found.append(network.log_p() + others)
        return np.concatenate(found)

    return (found for _, found in _by_batches(model, np.arange(len(images)), 1, weights))


def _by_batches(
    model: Model,
    rows: np.ndarray,
    batchsize: int,
    work: Callable[[Networks, np.ndarray, Any], Any],
    parts: Sequence[Any] = (None,),
    prepare: Callable[[np.ndarray, Any], Any] = lambda batch, part: None,
) -> Iterator[tuple[Any, Any]]:
    """Each part of the work on each batch, and what ``work`` returns for it, in order; several at
    a time, a thread for each.

    ``prepare`` is called for one part after another, in order; ``work`` gets what it returned, and
    networks that no other thread uses.
    """
    layers = layers_of(model)

    def new_networks() -> Networks:
        @cache
        def network(n: int, k: int) -> Any:
            return network_of(model)(layers, model.act_func, n, k)

        return network

    with thread_pool() as pool:
        slots = [new_networks() for _ in range(len(pool))]
        results: list[Any] = [None] * len(pool)

        def task(slot: int, batch: np.ndarray, prepared: Any) -> None:
            results[slot] = work(slots[slot], batch, prepared)

        todo = ((start, part) for start in range(0, len(rows), batchsize) for part in parts)
        while together := list(islice(todo, len(pool))):
            tasks = []
            for slot, (start, part) in enumerate(together):
                batch = rows[start : start + batchsize]
                tasks.append(partial(task, slot, batch, prepare(batch, part)))
            pool.run(tasks)
            yield from zip([part for _, part in together], results)
