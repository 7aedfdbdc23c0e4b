"""A training step of which each of several GPUs computes a part: one process for each GPU.

As :mod:`chainer_vae.distributed` on the CPU, and with the same random numbers.  A step is two CUDA
graphs, one up to the gradient and one with Adam's step; between them, the flat gradient is summed
over the ranks.

Import this only where CuPy is installed.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Callable, Optional

import cupy as cp
import numpy as np

from chainer_vae.distributed import Communicator
from chainer_vae.engine import gpu_kernels
from chainer_vae.engine.gpu_step import GpuEngine, fetch, gather, record, tick
from chainer_vae.engine.network import VAENetwork

_weigh = cp.ElementwiseKernel(
    "float32 weight", "T g", "g = weight > 0 ? weight * g : (T)0", "vae_weigh"
)


def _sum_by_mpi(communicator: Communicator, array: cp.ndarray, stream: cp.cuda.Stream) -> None:
    """By MPI, in the memory of the host: any MPI can do it."""
    stream.synchronize()
    with stream:
        host = cp.asnumpy(array)
        communicator.sum(host)
        array.set(host)
        stream.synchronize()


def _nccl_sum(communicator: Communicator) -> Callable[[cp.ndarray, cp.cuda.Stream], None]:
    """By NCCL, from GPU to GPU; it is waited for by what the stream does next."""
    from chainermn import nccl
    from chainermn.communicators._communication_utility import init_nccl_comm

    connected = init_nccl_comm(communicator.mpi)

    def sum_up(array: cp.ndarray, stream: cp.cuda.Stream) -> None:
        pointer = array.data.ptr
        kind = nccl.NCCL_FLOAT32, nccl.NCCL_SUM
        connected.allReduce(pointer, pointer, array.size, *kind, stream.ptr)

    return sum_up


class DistributedGpuEngine(GpuEngine):
    """The backend on several GPUs.

    Args:
        communicator: The ranks, with the name "flat" (the gradient is summed by MPI, in the memory
            of the host) or "pure_nccl" (by NCCL, between the GPUs).
        args: As :class:`GpuEngine`'s; the batches are the joint ones.
    """

    def __init__(self, communicator: Communicator, *args: Any) -> None:
        self.communicator = communicator
        if communicator.name == "pure_nccl":
            self._sum_up = _nccl_sum(communicator)
        else:
            self._sum_up = partial(_sum_by_mpi, communicator)
        super().__init__(*args)

    def finished(self, first: int, count: int) -> np.ndarray:
        """As :meth:`GpuEngine.finished`, which all ranks call for the same steps."""
        losses = super().finished(first, count)  # this rank's part of them
        self.communicator.sum(losses)
        return losses

    def _prepare(self, n: int) -> Callable[[], None]:
        share = self.communicator.share(n)
        network = None
        if share.start < share.stop:
            size = share.stop - share.start
            network = VAENetwork(
                self.layers, self.model.act_func, size, self.k, kernels=gpu_kernels
            )
            network.allocate_gradients()
        eps = cp.empty((self.k, n, self.n_latent), cp.float32)
        nothing = cp.zeros(1, cp.float32)
        self._memory += [network, eps, nothing]
        gradient = self._ready(partial(self._enqueue_gradient, n, share, network, eps, nothing))
        update = self._ready(self._enqueue_update)

        def launch() -> None:
            gradient()
            self._sum_up(self.g, self._stream)
            update()

        return launch

    def _enqueue_gradient(
        self,
        n: int,
        share: slice,
        network: Optional[VAENetwork],
        eps: cp.ndarray,
        nothing: cp.ndarray,
    ) -> None:
        """This rank's part of the losses and of the gradient of a joint batch of ``n`` images."""
        tick(self.settings, self.now, self.t, self.step_size)
        losses: Sequence[cp.ndarray] = (nothing, nothing)
        if network is not None:
            order = self.order[share.start :]
            gather(
                self.images, order, self.now, self.batchsize, network.n, len(network.x), network.x
            )
            fetch(self.noise, self.now, self.kept, self.per_step, eps)
            network.encode()
            network.sample(eps[:, share])
            network.decode()
            network.reconstruct(backward=True)
            network.backward(self.C, self._keep, self._start_gradient)
            self.finish()
            losses = network.rec_losses[:1], network.kl
        record(*losses, self.now, self.k * n, n, self.C, self.losses)
        _weigh((share.stop - share.start) / n, self.g)

    def _start_gradient(self, name: str) -> None:
        self.layers[name].update = self.pool.submit([self._kept])

    def _enqueue_update(self) -> None:
        for name, layer in self.layers.items():
            layer.update = self.pool.submit([self._adam(name)])
        self.finish()
