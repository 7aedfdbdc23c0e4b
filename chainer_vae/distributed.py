"""A training in several processes, which ChainerMN connects by MPI.

Each process, a rank, has the same model, images and random numbers.  Of each batch of B images it
takes its share, n_r of them, with the rows of the joint noise that are theirs.  The gradient of the
batch is the mean of those of the shares, each counted as often as it has images::

    g = sum_r (n_r / B) g_r

which takes one allreduce of the flat gradient.  Every rank makes Adam's step with it.  So the run
is that of one process, up to the rounding of this sum, whatever the number of ranks.

Source: Akiba, Fukuda and Suzuki, "ChainerMN: Scalable Distributed Deep Learning Framework", 2017.
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
from threadpoolctl import threadpool_limits

from chainer_vae import validation
from chainer_vae.engine import CpuSteps, Engine, TaskPool
from chainer_vae.engine.threads import default_threads, processors
from chainer_vae.errors import InputError, in_one_line, printable
from chainer_vae.evaluation import Evaluation, evaluate
from chainer_vae.model import VAE

# Seconds that mpiexec has, before an abort, to pass on what was printed: it drops the rest.
PASSING_ON = 0.5
COMMUNICATORS = ("naive", "flat", "pure_nccl")  # ChainerMN's names


class Communicator:
    """The processes that train together.

    It makes each of them use its part of this machine's cores.

    Args:
        name: ChainerMN's name of how the gradient is summed: "naive" on the CPU, "flat" on GPUs
            without NCCL, "pure_nccl" with it.

    Attributes:
        name (str): As above.
        rank (int): The number of this process; 0 writes and prints.
        size (int): How many there are.
        intra_rank (int): The number of this process among those of its machine.
        mpi (mpi4py.MPI.Comm): MPI's communicator, for what this class does not do.

    Raises:
        InputError: mpi4py or an MPI is missing.
    """

    def __init__(self, name: str) -> None:
        self.name = validation.choice("communicator", name, COMMUNICATORS)
        try:
            import chainermn

            # It knows the ranks; the sums are made here.
            communicator = chainermn.create_communicator("naive")
        except (ImportError, RuntimeError) as error:  # the latter where mpi4py finds no MPI
            raise InputError(
                f"several processes need mpi4py and an MPI ({' '.join(str(error).split())}):"
                ' pip install "chainer-vae[mpi]"'
            ) from None
        self.mpi = communicator.mpi_comm
        self.rank, self.size = int(communicator.rank), int(communicator.size)
        self.intra_rank = int(communicator.intra_rank)
        mine = max(1, processors() // communicator.intra_size)
        threadpool_limits(min(mine, default_threads()), user_api="blas")

    def share(self, n: int) -> slice:
        """Which of ``n`` things are this rank's."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def sum(self, array: np.ndarray) -> None:
        """Replace an array by the sum of those of all ranks."""
        from mpi4py import MPI

        self.mpi.Allreduce(MPI.IN_PLACE, array)

    def agreed(self, go_on: Callable[[], bool]) -> Callable[[], bool]:
        """A function that all ranks call, and that is True where ``go_on`` is for each."""

        def all_go_on() -> bool:
            stopping = np.array([not go_on()], np.int32)
            self.sum(stopping)
            return not stopping[0]

        return all_go_on

    def from_first(self, value: Any = None) -> Any:
        """What rank 0 gives."""
        return self.mpi.bcast(value)

    def faults(self, fault: Optional[str]) -> list[str]:
        """What is wrong with the ranks: each gives its own fault, or None."""
        found = self.mpi.allgather(fault)
        return [f"process {rank}: {text}" for rank, text in enumerate(found) if text is not None]

    def wait(self) -> None:
        """Return when all ranks are here."""
        self.mpi.Barrier()

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """A block that all ranks leave, or none: where one fails, it says so and ends them all."""
        try:
            yield
        except BaseException as error:
            code = {KeyboardInterrupt: 130, InputError: 2}.get(type(error), 1)
            if isinstance(error, SystemExit):
                code = error.code if isinstance(error.code, int) else 1
            elif not isinstance(error, KeyboardInterrupt):
                process = f"process {self.rank}: " if self.rank else ""
                text = f"chainer-vae: error: {process}{in_one_line(error)}"
                print(printable(text), file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(PASSING_ON)
            self.mpi.Abort(code)
            os._exit(code)  # Abort may return before the process is ended


def has_nccl() -> bool:
    """Whether ChainerMN finds NCCL 2, which CuPy's wheels do not bring."""
    from chainermn import nccl

    return bool(nccl._available) and nccl.get_build_version() >= 2000


class DistributedEngine(Engine):
    """Training steps of which each rank computes a part."""

    def __init__(self, communicator: Communicator, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.communicator = communicator
        self._batch = 0  # images in the joint batch

    def step(self, x: np.ndarray) -> tuple[float, float]:
        """As :meth:`Engine.step`, which all ranks call with the same joint batch."""
        mine = x[self.communicator.share(len(x))]
        weight = len(mine) / len(x)
        self._batch = len(x)
        losses, network = np.zeros(2), None
        if len(mine):
            network = self._forward(mine)
            losses += weight * np.array(network.losses(self.C))
        elif isinstance(self.model, VAE):
            self._draw(0, len(self.model.le3_mu.W))  # what the others draw
        self.communicator.sum(losses)
        if math.isfinite(losses[0]):
            self.g.fill(0)
            if network is not None:
                network.backward(self.C, self._start_gradient, lambda name: None)
                for gradient in self._started.values():
                    gradient.wait()
                self._started.clear()
                self.g *= weight
            self.communicator.sum(self.g)
            self._count_update()
            self.pool.run([self._adam(name) for name in self.layers])
        loss, rec_loss = losses.tolist()
        return loss, rec_loss

    def _draw(self, n: int, n_latent: int) -> np.ndarray:
        """This rank's rows of the joint batch's noise."""
        joint = super()._draw(self._batch, n_latent)
        return joint[:, self.communicator.share(self._batch)]


@dataclass
class DistributedSteps(CpuSteps):
    """The backend on the CPU in several processes: :class:`DistributedEngine`."""

    communicator: Communicator

    def _engine(self, pool: TaskPool) -> Engine:
        return DistributedEngine(self.communicator, *self._settings(pool))


def evaluate_together(
    communicator: Communicator,
    model: VAE,
    images: np.ndarray,
    k: int,
    batchsize: int,
    fused: bool,
    random: np.random.RandomState,
) -> Evaluation:
    """As :func:`~chainer_vae.evaluate`, but each rank evaluates a part of the batches.

    All draw all the noise, so that it is that of one process, and they stay alike.
    """
    share = communicator.share(math.ceil(len(images) / batchsize))
    start, stop = (min(len(images), batchsize * batch) for batch in (share.start, share.stop))
    mine = images[start:stop]
    _skip_noise(model, start, k, batchsize, random)
    sums = np.zeros(3)
    if len(mine):
        sums += len(mine) * np.array(evaluate(model, mine, k, batchsize, fused, random))
    _skip_noise(model, len(images) - stop, k, batchsize, random)
    communicator.sum(sums)
    return Evaluation(*(sums / len(images)).tolist())


def _skip_noise(model: VAE, n: int, k: int, batchsize: int, random: np.random.RandomState) -> None:
    for start in range(0, n, batchsize):
        for _ in range(k):
            random.standard_normal((min(batchsize, n - start), len(model.le3_mu.W)))
