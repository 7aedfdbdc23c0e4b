"""The evaluation of many images on a GPU.

Import this only where CuPy is installed.
"""

import math
from collections.abc import Iterator
from typing import Any, Union

import cupy as cp
import numpy as np

from chainer_vae.engine import gpu_kernels, gpu_noise
from chainer_vae.engine.network import VAENetwork, layers_of
from chainer_vae.model import VAE

COLUMNS = 10_000  # samples that are evaluated at a time, about
NOISE = 2**23  # random numbers at a time, at most: 32 MB; but at least one sample's


def evaluate(
    model: VAE, images: Union[np.ndarray, cp.ndarray], k: int, batchsize: int, random: Any
) -> tuple[float, float]:
    """Reconstruction error and KL divergence of ``images``, summed over them.

    Args:
        model: The model, on the current GPU.
        images: Shape (number, n_in), anywhere.
        k: Number of samples of each.
        batchsize: Number of images for which the CPU draws at a time.
        random: The ``numpy.random.RandomState`` of the samples.
    """
    layers, on_gpu = layers_of(model), cp.asarray(images)
    rec_loss, kl = cp.zeros(1, cp.float64), cp.zeros(1, cp.float64)
    networks: dict[tuple[int, int], VAENetwork] = {}  # by their numbers of samples and of images
    latents = len(model.le3_mu.W)
    for start, first, eps in _noise_by_batches(k, len(images), latents, batchsize, random):
        n = eps.shape[1]
        x = on_gpu[start : start + n].T
        samples = max(1, COLUMNS // n)
        for part in (eps[i : i + samples] for i in range(0, len(eps), samples)):
            size = len(part), n
            if size not in networks:
                networks[size] = VAENetwork(
                    layers, model.act_func, n, len(part), kernels=gpu_kernels
                )
            network = networks[size]
            network.x[...] = x
            network.encode()
            network.sample(part)
            network.decode()
            network.reconstruct()
            rec_loss += network.rec_losses[:1] / k
        if first == 0:
            kl += network.kl
    return float(rec_loss[0]), float(kl[0])


def _noise_by_batches(
    k: int, images: int, n_latent: int, batchsize: int, random: Any
) -> Iterator[tuple[int, int, cp.ndarray]]:
    """That of an evaluation, in the order of the CPU's: the first image, the first sample, and an
    array (samples, n, n_latent), of one or several batches or of a part of a batch's samples."""
    together = max(1, COLUMNS // (k * batchsize)) * batchsize
    for start in range(0, images, together):
        end = min(start + together, images)
        if end - start <= batchsize:
            n = end - start
            samples = max(1, NOISE // (n * n_latent))
            for first in range(0, k, samples):
                part = min(samples, k - first)
                numbers = gpu_noise.standard_normal(part * n * n_latent, random)
                yield start, first, numbers.reshape(part, n, n_latent)
            continue
        numbers = gpu_noise.standard_normal(k * (end - start) * n_latent, random)
        batches, at = [], 0
        for first in range(start, end, batchsize):
            shape = k, min(batchsize, end - first), n_latent
            batches.append(numbers[at : at + math.prod(shape)].reshape(shape))
            at += math.prod(shape)
        yield start, 0, cp.concatenate(batches, axis=1)
