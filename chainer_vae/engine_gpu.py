"""The engine on a GPU: a step is captured once as a CUDA graph, and then only launched.

The images, an epoch's order of them and its noise lie on the GPU; a counter there tells each launch
which step it is.  The host asks for the losses once, when all is launched.  The gradient of a
layer's weights and their update run on streams of their own beside the rest of the backward pass.

The noise is that of ``numpy.random``, in the same order as on the CPU, but made on the GPU, beside
the steps before (:mod:`chainer_vae.noise_gpu`): so a run is the same on both, but for rounding.

Where a step cannot be captured, its kernels are launched one by one, which is slower.

Imported only where CuPy is there.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import cycle
from typing import Any, Callable, Optional, Union

import chainer
import cupy as cp
import numpy as np

from chainer_vae import devices, kernels_gpu, noise_gpu
from chainer_vae.engine import JoinedModel, Network, layers_of
from chainer_vae.model import VAE

NOISE = 2**25  # numbers of noise that are kept on the GPU, at most
CHUNK = 2**18  # of them, to be drawn at a time, about
COLUMNS = 10_000  # samples that are evaluated at a time, about


class _Streams:
    """What :class:`chainer_vae.team.Team` is to the CPU."""

    def __init__(self, streams: Sequence[cp.cuda.Stream]) -> None:
        self._streams = cycle(streams)

    def run(self, tasks: Sequence[Callable[[], object]]) -> None:
        for task in tasks:
            task()

    def begin(self, tasks: Sequence[Callable[[], object]]) -> "_Join":
        main, side = cp.cuda.get_current_stream(), next(self._streams)
        fork = cp.cuda.Event(disable_timing=True)
        fork.record(main)
        side.wait_event(fork)
        with side:
            for task in tasks:
                task()
        return _Join(side)


class _Join:
    def __init__(self, stream: cp.cuda.Stream) -> None:
        self._done = cp.cuda.Event(disable_timing=True)
        self._done.record(stream)

    def wait(self) -> None:
        cp.cuda.get_current_stream().wait_event(self._done)


@cache
def _streams(device: int) -> list[cp.cuda.Stream]:
    """The same ones for every engine, because cuBLAS keeps memory for each."""
    return [cp.cuda.Stream(non_blocking=True) for _ in range(3)]


_tick = cp.ElementwiseKernel(
    "float64 alpha, float64 beta1, float64 beta2",
    "int32 step, int64 t, float32 size",
    """
    step += 1;
    t += 1;
    size = alpha * sqrt(1 - pow(beta2, (double)t)) / (1 - pow(beta1, (double)t));
    """,
    "vae_tick",
)
_gather = cp.ElementwiseKernel(
    "raw T images, raw int32 order, raw int32 step, int32 batchsize, int32 n, int32 n_in",
    "T x",
    "x = images[(size_t)order[step[0] * batchsize + i % n] * n_in + i / n]",
    "vae_gather",
)
_fetch = cp.ElementwiseKernel(
    "raw T noise, raw int32 step, int32 kept, int32 size",
    "T eps",
    "eps = noise[(size_t)(step[0] % kept) * size + i]",
    "vae_fetch",
)
_note = cp.ElementwiseKernel(
    "T rec_loss, T kl, raw int32 step, float32 samples, float32 n, float32 C",
    "raw T losses",
    """
    losses[2 * step[0]] = rec_loss / samples + C * kl / n;
    losses[2 * step[0] + 1] = rec_loss / samples;
    """,
    "vae_note",
)


class GpuEngine(JoinedModel):
    """Training epochs on a GPU, for a model, its optimizer and a data set.

    Adam's settings may change from epoch to epoch.  A loss that is not finite does not stop an
    epoch: the parameters are lost then, and what was saved before stands.

    Args:
        model: The model, on the current GPU, in float32.
        optimizer: Its Adam.
        C, k: As in :meth:`VAE.get_loss_func`.
        images: Shape (number, n_in), in the host's memory.
        batchsize: Number of images in a step.

    Attributes:
        uncaptured (str): Why a step cannot be captured; None where it is.

    Raises:
        ValueError: The engine cannot compute this.
        MemoryError: The GPU has too little.
    """

    def __init__(
        self,
        model: VAE,
        optimizer: chainer.optimizers.Adam,
        C: float,
        k: int,
        images: np.ndarray,
        batchsize: int,
    ) -> None:
        self._stream, *side = _streams(cp.cuda.Device().id)
        super().__init__(model, optimizer, C, k, _Streams(side), kernels_gpu)
        self.images = cp.asarray(images)
        self.batchsize = batchsize
        self.n_latent = len(model.le3_mu.W)
        self.steps = -(-len(images) // batchsize)  # of an epoch
        self.per_step = k * self._size(0) * self.n_latent  # numbers of noise
        self.kept = max(1, min(self.steps, NOISE // self.per_step))  # steps whose noise is there
        self.noise = cp.zeros(self.kept * self.per_step, cp.float32)
        self.order = cp.zeros(len(images), cp.int32)
        self.losses = cp.empty((self.steps, 2), cp.float32)
        self.now = cp.empty(1, cp.int32)  # the number of the step, from 0
        self.t = cp.empty(1, cp.int64)  # Adam's
        self.step_size = cp.empty(1, cp.float32)
        self._prepare_steps()

    def launch(
        self,
        permutation: np.ndarray,
        first: int = 0,
        go_on: Callable[[], bool] = lambda: True,
        on_step: Callable[[], None] = lambda: None,
    ) -> int:
        """Begin the steps of an epoch.  ``numpy.random`` ends up as after the last of them.

        Args:
            permutation: The order of the images.
            first: The number of the step to begin with, from 0.
            go_on: Asked before each step; False ends the epoch.
            on_step: Called after each launch.

        Returns:
            int: How many steps were begun; :meth:`finished` waits for them.
        """
        if self.optimizer.hyperparam.get_dict() != self._settings:
            self._prepare_steps()
        self.order.set(permutation.astype(np.int32))
        self.now.fill(first - 1)
        self.t.fill(self.optimizer.t)
        cp.cuda.get_current_stream().synchronize()
        step = chunk = drawn = first
        state = np.random.get_state()
        while step < self.steps and go_on():
            if step == drawn:
                chunk, state = step, np.random.get_state()
                drawn = self._fill_noise(step)
            self._begin[self._size(step)]()
            step += 1
            on_step()
        if step < drawn:
            np.random.set_state(state)
            noise_gpu.standard_normal(self._numbers(chunk, step))
        self.optimizer.t += step - first
        for param in self.model.params():
            param.update_rule.t += step - first
        return step - first

    def finished(self, first: int, count: int) -> np.ndarray:
        """Wait for launched steps: their loss and rec_loss, shape (count, 2), per image."""
        self._stream.synchronize()
        return cp.asnumpy(self.losses[first : first + count]).astype(np.float64)

    def _size(self, step: int) -> int:
        """Number of images in a step."""
        return min(self.batchsize, len(self.images) - step * self.batchsize)

    def _numbers(self, first: int, last: int) -> int:
        """How many the noise of the steps from ``first`` to before ``last`` has."""
        images = sum(self._size(step) for step in range(first, last))
        return self.k * images * self.n_latent

    def _fill_noise(self, step: int) -> int:
        """Draw noise from ``step`` on; gives the step before which it ends."""
        place = step % self.kept
        chunk = max(1, CHUNK // self.per_step)
        last = step + min(chunk, self.kept - place, self.steps - step)
        noise = noise_gpu.standard_normal(self._numbers(step, last))
        if place == 0:
            self._stream.synchronize()  # what is there may still be in use
        start = place * self.per_step
        self.noise[start : start + noise.size] = noise
        cp.cuda.get_current_stream().synchronize()
        return last

    def _prepare_steps(self) -> None:
        """Make what begins a step, for each number of images, with Adam's settings of now."""
        self._settings = self.optimizer.hyperparam.get_dict()
        self.uncaptured: Optional[str] = None
        self._used: list[Any] = []  # what the steps work in
        self._begin = {n: self._prepare(n) for n in {self._size(0), self._size(self.steps - 1)}}

    def _prepare(self, n: int) -> Callable[[], None]:
        """What begins a step of ``n`` images."""
        network = Network(self.layers, self.model.act_func, n, self.k, kernels=kernels_gpu)
        network.allocate_gradients()
        eps = cp.empty((self.k, n, self.n_latent), cp.float32)
        self._used += [network, eps]

        def enqueue() -> None:
            with self._stream:
                self._enqueue(network, eps)

        with self._unchanged():
            enqueue()  # compiles the kernels, loads the libraries
            self._stream.synchronize()
            try:
                graph = self._captured(enqueue)
            except Exception as error:  # whatever CUDA, CuPy and cuBLAS raise
                if devices.is_out_of_memory(error):
                    raise
                self.uncaptured = " ".join(str(error).split()) or repr(error)
                return enqueue
        return partial(graph.launch, self._stream)

    def _captured(self, enqueue: Callable[[], None]) -> Any:
        """The CUDA graph of what ``enqueue`` does."""
        self._stream.begin_capture()
        try:
            enqueue()
        except BaseException:
            with suppress(Exception):  # CUDA says once more that it cannot be
                self._stream.end_capture()
            for layer in self.layers.values():
                layer.update = None  # what there is to wait for will never come
            raise
        return self._stream.end_capture()

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Whatever steps are done within, the parameters come out as they went in."""
        self.now.fill(-1)
        self.t.fill(0)
        arrays = self.p, self.m, self.v
        copies = [array.copy() for array in arrays]
        cp.cuda.get_current_stream().synchronize()
        try:
            yield
        finally:
            self._stream.synchronize()
            for array, copy in zip(arrays, copies):
                array[...] = copy
            cp.cuda.get_current_stream().synchronize()

    def _enqueue(self, network: Network, eps: cp.ndarray) -> None:
        hyper, n = self.optimizer.hyperparam, network.n
        _tick(hyper.alpha, hyper.beta1, hyper.beta2, self.now, self.t, self.step_size)
        n_in = len(network.x)
        _gather(self.images, self.order, self.now, self.batchsize, n, n_in, network.x)
        _fetch(self.noise, self.now, self.kept, self.per_step, eps)
        network.encode()
        network.sample(eps)
        network.decode()
        network.reconstruct(backward=True)
        rec_loss, kl = network.rec_losses[:1], network.kl
        _note(rec_loss, kl, self.now, self.k * n, n, self.C, self.losses)
        network.backward(self.C, self._update)
        self.finish()

    def _descend(self, name: str) -> None:
        hyper = self.optimizer.hyperparam
        p, m, v, g = (array[self._places[name]] for array in (self.p, self.m, self.v, self.g))
        kernels_gpu.adam(p, m, v, g, self.step_size, hyper.beta1, hyper.beta2, hyper.eps)


def evaluate(
    model: VAE, images: Union[np.ndarray, cp.ndarray], k: int, batchsize: int
) -> tuple[float, float]:
    """Reconstruction error and divergence of ``images``, summed over them.

    Args:
        model: The model, on the current GPU.
        images: Shape (number, n_in), anywhere.
        k: Number of samples of each.
        batchsize: Number of images for which the CPU draws at a time.
    """
    layers, on_gpu = layers_of(model), cp.asarray(images)
    rec_loss, kl = cp.zeros(1, cp.float64), cp.zeros(1, cp.float64)
    networks: dict[tuple[int, int], Network] = {}  # by their numbers of samples and of images
    start = 0
    for eps in _noise(k, len(images), len(model.le3_mu.W), batchsize):
        n = eps.shape[1]
        x = on_gpu[start : start + n].T
        start += n
        samples = max(1, COLUMNS // n)
        for part in (eps[first : first + samples] for first in range(0, k, samples)):
            size = len(part), n
            if size not in networks:
                networks[size] = Network(layers, model.act_func, n, len(part), kernels=kernels_gpu)
            network = networks[size]
            network.x[...] = x
            network.encode()
            network.sample(part)
            network.decode()
            network.reconstruct()
            rec_loss += network.rec_losses[:1] / k
        kl += network.kl
    return float(rec_loss[0]), float(kl[0])


def _noise(k: int, images: int, n_latent: int, batchsize: int) -> Iterator[cp.ndarray]:
    """That of an evaluation, in the order of the CPU's: arrays (k, n, n_latent), of one or several
    batches each."""
    together = max(1, COLUMNS // (k * batchsize)) * batchsize
    for start in range(0, images, together):
        end = min(start + together, images)
        numbers = noise_gpu.standard_normal(k * (end - start) * n_latent)
        batches, at = [], 0
        for first in range(start, end, batchsize):
            shape = k, min(batchsize, end - first), n_latent
            batches.append(numbers[at : at + math.prod(shape)].reshape(shape))
            at += math.prod(shape)
        yield batches[0] if len(batches) == 1 else cp.concatenate(batches, axis=1)
