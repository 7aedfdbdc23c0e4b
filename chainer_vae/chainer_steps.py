"""Chainer's training loop: forward, backward and update by its own functions."""

import math
from collections.abc import Generator
from typing import Any, Callable, Optional

import numpy as np

from chainer_vae.random_numbers import cupy_random, numpy_random


class ChainerSteps:
    """The backend that can compute everything.

    Args:
        training: A :class:`chainer_vae.training.Training`.
        reason: Why the engine does not compute it.
    """

    name = "chainer"

    def __init__(self, training: Any, reason: str) -> None:
        self.training = training
        self.reason = reason

    def epoch(
        self,
        permutation: np.ndarray,
        first: int,
        go_on: Callable[[], bool],
        progress: Callable[[], None],
        on_step: Optional[Callable[[], None]] = None,
    ) -> Generator[tuple[float, float], None, None]:
        """As :meth:`Backend.epoch`."""
        training, batchsize = self.training, self.training.config.batchsize
        if training.model.xp is not np:  # no cover: needs a GPU
            self._seed_gpu(first)
        for start in range(first * batchsize, len(permutation), batchsize):
            if not go_on():
                break
            x = training.images[permutation[start : start + batchsize]]
            # The caller reports a loss that overflows; NumPy need not warn of it, too.
            quiet = np.errstate(over="ignore", invalid="ignore")
            with quiet, numpy_random(training.random), cupy_random(training.gpu_random):
                losses = self._step(training.model.xp.asarray(x))
            yield losses
            progress()
            if on_step is not None:
                on_step()

    def _step(self, x: Any) -> tuple[float, float]:
        model = self.training.model
        loss = self.training.loss_func()(x)
        rec_loss = loss if self.training.config.model == "autoencoder" else model.rec_loss
        losses = float(loss.array), float(rec_loss.array)
        if math.isfinite(losses[0]):
            model.cleargrads()
            loss.backward()
            self.training.optimizer.update()
        return losses

    def _seed_gpu(self, first: int) -> None:  # no cover: needs a GPU
        """Make the GPU's noise of this epoch a function of the seed, up to step ``first``.

        The state of CuPy's generator cannot be saved, so every epoch makes a new one, and the draws
        of the steps already done are repeated and dropped.
        """
        training, config = self.training, self.training.config
        xp = training.model.xp
        seed = (config.seed * 1_000_003 + training.epoch) % 2**32
        training.gpu_random = xp.random.RandomState(seed)
        with cupy_random(training.gpu_random):
            for start in range(0, first * config.batchsize, config.batchsize):
                n = min(config.batchsize, len(training.images) - start)
                for _ in range(config.k):
                    xp.random.standard_normal((n, config.dimz), dtype=np.float32)
