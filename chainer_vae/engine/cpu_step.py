"""A training step on the CPU that spends its time on the matrix products."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, ClassVar, Optional

import chainer
import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.flat_model import FlatModel
from chainer_vae.engine.iwae_network import IWAENetwork
from chainer_vae.engine.network import (
    Model,
    Network,
    VAENetwork,
    links_of,
    network_of,
    params_of,
    row_blocks,
)
from chainer_vae.engine.threads import Pending, TaskPool, thread_pool
from chainer_vae.random_numbers import NUMPY


class Engine(FlatModel):
    """Training steps, one batch at a time.

    Args:
        model, optimizer, C, k, pool, kernels: As for :class:`FlatModel`.
        random: The ``numpy.random.RandomState`` of the noise; by default, that of ``numpy.random``.
        objective: "elbo", or "iwae" for the bound by ``k`` weighted samples, which has no ``C``.
    """

    def __init__(
        self,
        model: Model,
        optimizer: chainer.optimizers.Adam,
        C: float,
        k: int,
        pool: TaskPool,
        kernels: Any = cpu_kernels,
        random: Any = NUMPY,
        objective: str = "elbo",
    ) -> None:
        super().__init__(model, optimizer, C, k, pool, kernels)
        self.random = random
        self._network = IWAENetwork if objective == "iwae" else network_of(model)
        # By number of images; two of each, in turn, because the updates of the last step may still
        # read its arrays.
        self._networks: dict[tuple[int, bool], Network] = {}
        self._turn = False
        self._started: dict[str, Pending] = {}  # the gradients that the pool computes

    def step(self, x: np.ndarray) -> tuple[float, float]:
        """One step of the optimizer on a batch.

        Where the loss is not finite, the parameters stay as they are.

        Args:
            x: Images in [0, 1], shape (B, n_in).

        Returns:
            tuple of float: loss and rec_loss per image, as the model's ``get_loss_func`` has them.

        Raises:
            ValueError: The shape of ``x`` is not (B, n_in), or B is 0.
        """
        network = self._forward(x)
        losses = network.losses(self.C)
        if math.isfinite(losses[0]):
            self._count_update()
            network.backward(self.C, self._start_gradient, self._start_update)
        return losses

    def _count_update(self) -> None:
        self.optimizer.t += 1
        for param in self.model.params():
            param.update_rule.t += 1

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The gradient of the loss by every parameter, by the names of ``model.namedparams()``.

        Args:
            x: As for :meth:`step`.
        """
        self._forward(x).backward(self.C, self._gradient, lambda name: None)
        found, start = {}, 0
        names = {id(param): name for name, param in self.model.namedparams()}
        for links in links_of(self.model).values():
            for param in params_of(links):
                part = self.g[start : start + param.size]
                found[names[id(param)]] = part.reshape(param.shape).copy()
                start += param.size
        return found

    def _start_gradient(self, name: str, g_a: np.ndarray, h_T: np.ndarray) -> None:
        """Have the pool compute the gradient of a layer."""
        blocks = [slice(0, len(g_a))]
        if name == "le1":  # the last, with no other product beside it
            blocks = row_blocks(len(g_a), g_a.size * h_T.shape[1])
        tasks = [partial(self._gradient, name, g_a, h_T, rows) for rows in blocks]
        self._started[name] = self.pool.submit(tasks)

    def _start_update(self, name: str) -> None:
        """Have the pool make Adam's step with it, then."""
        gradient, adam = self._started.pop(name), self._adam(name)

        def task() -> None:
            gradient.wait()
            adam()

        self.layers[name].update = self.pool.submit([task])

    def _forward(self, x: np.ndarray) -> Network:
        n_in = self.layers["le1"].W.shape[1]
        if x.ndim != 2 or x.shape[1] != n_in or len(x) == 0:
            raise ValueError(f"x has shape {x.shape}, but this model needs (batch size, {n_in})")
        self._turn = not self._turn
        key = len(x), self._turn
        if key not in self._networks:
            self._networks[key] = self._network(
                self.layers, self.model.act_func, len(x), self.k, self.pool, self.kernels
            )
            self._networks[key].allocate_gradients()
        network = self._networks[key]
        network.x[...] = x.T
        network.encode()
        if isinstance(network, VAENetwork):
            network.sample(self._draw(len(x), len(network.mu)))
        network.decode()
        network.reconstruct(backward=True)
        return network

    def _draw(self, n: int, n_latent: int) -> np.ndarray:
        """The noise of ``n`` images, shape (k, n, n_latent)."""
        return self.kernels.draw((self.k, n, n_latent), self.random)


@dataclass
class CpuSteps:
    """The backend on the CPU: :class:`Engine`, in a new thread pool for each epoch."""

    name: ClassVar[str] = "fused"
    reason: ClassVar[Optional[str]] = None

    model: Model
    optimizer: chainer.optimizers.Adam
    C: Callable[[], float]  # weight of the KL divergence, asked before each step
    k: int  # samples for each image
    images: np.ndarray  # for training, shape (number, n_in)
    batchsize: int
    random: np.random.RandomState  # of the noise
    objective: str  # "elbo" or "iwae"

    def epoch(
        self,
        permutation: np.ndarray,
        first: int,
        go_on: Callable[[], bool],
        progress: Callable[[], None],
        on_step: Optional[Callable[[], None]] = None,
    ) -> Generator[tuple[float, float], None, None]:
        """As :meth:`Backend.epoch`."""
        with thread_pool() as pool:
            engine = self._engine(pool)
            for start in range(first * self.batchsize, len(permutation), self.batchsize):
                if not go_on():
                    break
                engine.C = self.C()
                # The caller reports a loss that overflows; NumPy need not warn of it, too.
                with np.errstate(over="ignore", invalid="ignore"):
                    losses = engine.step(self.images[permutation[start : start + self.batchsize]])
                yield losses
                progress()
                if on_step is not None:
                    engine.finish()
                    on_step()
                    if not engine.is_current():
                        break
            engine.finish()

    def _engine(self, pool: TaskPool) -> Engine:
        return Engine(*self._settings(pool))

    def _settings(self, pool: TaskPool) -> tuple[Any, ...]:
        own = self.model, self.optimizer, self.C(), self.k, pool
        return *own, cpu_kernels, self.random, self.objective
