"""A training step on a GPU: captured once as a CUDA graph, and then only launched.

The images, an epoch's permutation and its noise are in GPU memory; a counter there tells each
launch which step it is.  The host reads the losses once, when all steps are launched.  The gradient
of a layer's weights and their update run on streams of their own beside the rest of the backward
pass.

The noise is that of NumPy's generator, in the same order as on the CPU, but made on the GPU while
earlier steps run (:mod:`chainer_vae.engine.gpu_noise`), so a run is the same on both, but for
rounding.

Where a step cannot be captured, its kernels are launched one by one, which is slower.

Import this only where CuPy is installed.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import cycle
from typing import Any, Callable, Optional

import chainer
import cupy as cp
import numpy as np

from chainer_vae import devices
from chainer_vae.engine import gpu_kernels, gpu_noise
from chainer_vae.engine.flat_model import FlatModel
from chainer_vae.engine.network import VAENetwork
from chainer_vae.model import VAE
from chainer_vae.random_numbers import NUMPY

NOISE = 2**25  # numbers of noise that are kept on the GPU, at most
CHUNK = 2**18  # of them, to be drawn at a time, about


class StreamPool:
    """The task pool of a GPU: tasks run on streams, in turn."""

    def __init__(self, streams: Sequence[cp.cuda.Stream]) -> None:
        self._streams = cycle(streams)

    # no cover: only products in blocks need it, which a GPU computes whole
    def run(self, tasks: Sequence[Callable[[], object]]) -> None:  # no cover: see above
        for task in tasks:
            task()

    def submit(self, tasks: Sequence[Callable[[], object]]) -> "_Recorded":
        main, side = cp.cuda.get_current_stream(), next(self._streams)
        fork = cp.cuda.Event(disable_timing=True)
        fork.record(main)
        side.wait_event(fork)
        with side:
            for task in tasks:
                task()
        return _Recorded(side)


class _Recorded:
    """What a stream had to do up to here."""

    def __init__(self, stream: cp.cuda.Stream) -> None:
        self._done = cp.cuda.Event(disable_timing=True)
        self._done.record(stream)

    def wait(self) -> None:
        cp.cuda.get_current_stream().wait_event(self._done)


@cache
def streams(device: int) -> list[cp.cuda.Stream]:
    """The same ones for every engine, because cuBLAS keeps memory for each."""
    return [cp.cuda.Stream(non_blocking=True) for _ in range(3)]


tick = cp.ElementwiseKernel(
    "raw float64 settings",
    "int32 step, int64 t, float32 size",
    """
    const double alpha = settings[0], beta1 = settings[1], beta2 = settings[2];
    step += 1;
    t += 1;
    size = alpha * sqrt(1 - pow(beta2, (double)t)) / (1 - pow(beta1, (double)t));
    """,
    "vae_tick",
)
gather = cp.ElementwiseKernel(
    "raw T images, raw int32 order, raw int32 step, int32 batchsize, int32 n, int32 n_in",
    "T x",
    "x = images[(size_t)order[step[0] * batchsize + i % n] * n_in + i / n]",
    "vae_gather",
)
fetch = cp.ElementwiseKernel(
    "raw T noise, raw int32 step, int32 kept, int32 size",
    "T eps",
    "eps = noise[(size_t)(step[0] % kept) * size + i]",
    "vae_fetch",
)
record = cp.ElementwiseKernel(
    "T rec_loss, T kl, raw int32 step, float32 samples, float32 n, float32 C",
    "raw T losses",
    """
    losses[2 * step[0]] = rec_loss / samples + C * kl / n;
    losses[2 * step[0] + 1] = rec_loss / samples;
    """,
    "vae_record",
)


class GpuEngine(FlatModel):
    """The backend on a GPU, for a model, its optimizer and a data set.

    Adam's settings may change from launch to launch.  A loss that is not finite does not stop an
    epoch: the parameters are lost then, and what was saved before stands.

    Args:
        model: The model, on the current GPU, in float32.
        optimizer: Its Adam.
        C, k: As in :meth:`VAE.get_loss_func`.
        images: Shape (number, n_in), in the host's memory.
        batchsize: Number of images in a step.
        random: The ``numpy.random.RandomState`` of the noise; by default, that of ``numpy.random``.

    Attributes:
        uncaptured (str): Why a step cannot be captured; None where it is.
        name (str), reason (str): As :class:`Backend`'s.

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
        random: Any = NUMPY,
    ) -> None:
        self._stream, *side = streams(cp.cuda.Device().id)
        super().__init__(model, optimizer, C, k, StreamPool(side), gpu_kernels)
        self.images = cp.asarray(images)
        self.batchsize = batchsize
        self.random = random
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
        self.settings = cp.empty(3, cp.float64)  # Adam's alpha, beta1, beta2
        self.factors = cp.empty(5, cp.float32)  # those of gpu_kernels.adam
        self._set_settings()
        self._prepare_steps()

    @property
    def name(self) -> str:
        return "fused" if self.uncaptured is None else "fused, without a CUDA graph"

    @property
    def reason(self) -> Optional[str]:
        return self.uncaptured

    def launch(
        self,
        permutation: np.ndarray,
        first: int = 0,
        go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[], None] = lambda: None,
        last: Optional[int] = None,
    ) -> int:
        """Launch steps of an epoch.  Their generator ends up as after the last of them.

        Args:
            permutation: The order of the images.
            first: The number of the first step to launch, from 0.
            go_on: Asked before each step; False ends the epoch.
            progress: Called after each launch.
            last: The number of the step before which to end; by default, at the end of the epoch.

        Returns:
            int: How many steps were launched; :meth:`finished` waits for them.
        """
        last = self.steps if last is None else last
        self._set_settings()
        self.order.set(permutation.astype(np.int32))
        self.now.fill(first - 1)
        self.t.fill(self.optimizer.t)
        cp.cuda.get_current_stream().synchronize()
        step = chunk = drawn = first
        state = self.random.get_state()
        try:
            while step < last and go_on():
                if step == drawn:
                    chunk, state = step, self.random.get_state()
                    drawn = self._fill_noise(step, last)
                self._launch[self._size(step)]()
                step += 1
                progress()
        finally:  # also where go_on or progress raised something
            if step < drawn:
                self.random.set_state(state)
                gpu_noise.standard_normal(self._noise_size(chunk, step), self.random)
            self.optimizer.t += step - first
            for param in self.model.params():
                param.update_rule.t += step - first
        return step - first

    def epoch(
        self,
        permutation: np.ndarray,
        first: int,
        go_on: Callable[[], bool],
        progress: Callable[[], None],
        on_step: Optional[Callable[[], None]] = None,
    ) -> Generator[tuple[float, float], None, None]:
        """As :meth:`Backend.epoch`; without ``on_step``, yields once all steps are done."""
        if on_step is None:
            t = self.optimizer.t
            try:
                self.launch(permutation, first, go_on, progress)
            finally:  # where progress raised something, the steps before it count
                yield from map(tuple, self.finished(first, self.optimizer.t - t))
            return
        for step in range(first, self.steps):
            if self.launch(permutation, step, go_on, progress, step + 1) == 0:
                break
            yield from map(tuple, self.finished(step, 1))
            on_step()
            if not self.is_current():
                break

    def finished(self, first: int, count: int) -> np.ndarray:
        """Wait for launched steps: their loss and rec_loss, shape (count, 2), per image."""
        self._stream.synchronize()
        return cp.asnumpy(self.losses[first : first + count]).astype(np.float64)

    def _size(self, step: int) -> int:
        """Number of images in a step."""
        return min(self.batchsize, len(self.images) - step * self.batchsize)

    def _noise_size(self, first: int, last: int) -> int:
        """How many numbers of noise the steps from ``first`` to before ``last`` take."""
        images = sum(self._size(step) for step in range(first, last))
        return self.k * images * self.n_latent

    def _set_settings(self) -> None:
        """Let the steps to come have Adam's settings as they are now."""
        hyper = self.optimizer.hyperparam
        beta1, beta2 = hyper.beta1, hyper.beta2
        self.settings.set(np.array([hyper.alpha, beta1, beta2], np.float64))
        factors = [beta1, 1 - beta1, beta2, 1 - beta2, hyper.eps]
        self.factors.set(np.array(factors, np.float32))

    def _fill_noise(self, step: int, last: int) -> int:
        """Draw noise from ``step`` on; returns the step before which it ends."""
        index = step % self.kept
        chunk = max(1, CHUNK // self.per_step)
        last = step + min(chunk, self.kept - index, last - step)
        noise = gpu_noise.standard_normal(self._noise_size(step, last), self.random)
        if index == 0:
            self._stream.synchronize()  # what is there may still be in use
        start = index * self.per_step
        self.noise[start : start + noise.size] = noise
        cp.cuda.get_current_stream().synchronize()
        return last

    def _prepare_steps(self) -> None:
        """Capture a step for each number of images."""
        self.uncaptured: Optional[str] = None
        self._memory: list[Any] = []  # what captured steps read and write
        self._launch = {n: self._prepare(n) for n in {self._size(0), self._size(self.steps - 1)}}

    def _prepare(self, n: int) -> Callable[[], None]:
        """What launches a step of ``n`` images."""
        network = VAENetwork(self.layers, self.model.act_func, n, self.k, kernels=gpu_kernels)
        network.allocate_gradients()
        eps = cp.empty((self.k, n, self.n_latent), cp.float32)
        self._memory += [network, eps]
        return self._ready(partial(self._enqueue, network, eps))

    def _ready(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """What launches, on this engine's stream, all that ``enqueue`` does."""

        def on_stream() -> None:
            with self._stream:
                enqueue()

        with self._unchanged():
            on_stream()  # compiles the kernels, loads the libraries
            self._stream.synchronize()
            try:
                graph = self._captured(on_stream)
            except Exception as error:  # whatever CUDA, CuPy and cuBLAS raise
                if devices.is_out_of_memory(error):
                    raise
                self.uncaptured = " ".join(str(error).split()) or repr(error)
                return on_stream
        return partial(graph.launch, self._stream)

    def _captured(self, enqueue: Callable[[], None]) -> Any:
        """The CUDA graph of what ``enqueue`` does on this engine's stream."""
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

    def _enqueue(self, network: VAENetwork, eps: cp.ndarray) -> None:
        n = network.n
        tick(self.settings, self.now, self.t, self.step_size)
        n_in = len(network.x)
        gather(self.images, self.order, self.now, self.batchsize, n, n_in, network.x)
        fetch(self.noise, self.now, self.kept, self.per_step, eps)
        network.encode()
        network.sample(eps)
        network.decode()
        network.reconstruct(backward=True)
        rec_loss, kl = network.rec_losses[:1], network.kl
        record(rec_loss, kl, self.now, self.k * n, n, self.C, self.losses)
        network.backward(self.C, self._keep, self._start_update)
        self.finish()

    def _keep(self, name: str, g_a: cp.ndarray, h_T: cp.ndarray) -> None:
        self._kept = partial(self._gradient, name, g_a, h_T)

    def _start_update(self, name: str) -> None:
        """Have a stream compute the gradient of a layer, and make Adam's step with it."""
        self.layers[name].update = self.pool.submit([self._kept, self._adam(name)])

    def _adam_settings(self) -> tuple[Any, ...]:
        return self.step_size, self.factors
