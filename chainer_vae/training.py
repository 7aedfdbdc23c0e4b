"""The article's training loop, in steps that may stop and resume anywhere.

The article's notebook has it in one cell; its lines are here in ::

    for epoch in range(...):                    Training.epochs
        perm = np.random.permutation(N)         Training._train
        for i in range(0, N, batchsize):        ChainerSteps.epoch, or that of chainer_vae.engine
            optimizer.update(loss_func, x)      ChainerSteps._step, or Engine.step
            sum_loss += ...                     Training._train
        (the loss of the test images)           Training._test

:class:`chainer_vae.runs.Run` saves a training in a folder and resumes it.
"""

import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Callable, Optional

import chainer
import numpy as np

from chainer_vae import devices, engine, validation
from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, require_images
from chainer_vae.engine import Backend
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.evaluation import evaluate, squared_error
from chainer_vae.model import build_model
from chainer_vae.random_numbers import cupy_random, numpy_random

TEST_SAMPLES = 10  # the article's k for the test loss


class Training:
    """A model, its optimizer and its data, and how far the training has come.

    Args:
        config: The settings.
        data: The data set that they name.

    Raises:
        ValueError: A pixel is outside [0, 1], or the images' shapes do not fit each other.
        TypeError: The settings or the data are of another class.

    Attributes:
        epoch (int): Finished epochs.
        permutation (numpy.ndarray): This epoch's order of the images; empty between epochs.
        position (int): How many of them this epoch has used.
        sums (numpy.ndarray): loss and rec_loss, summed over those images.
        elapsed (float): Seconds of training.
        random (numpy.random.RandomState): What all random numbers are drawn from, those that
            ``numpy.random`` would give for the seed; nothing else draws from it.
        gpu_random: The ``cupy.random.RandomState`` that Chainer's functions draw from on a GPU.
    """

    def __init__(self, config: Config, data: Dataset) -> None:
        validation.instance(type(self).__name__, config, Config)
        validation.instance(type(self).__name__, data, Dataset)
        require_images(data)  # here, once, so that no step need look
        self.config = config
        self.images = data.train_images
        self.image_shape = data.image_shape
        self.random = np.random.RandomState(config.seed)
        with numpy_random(self.random):
            self.model = build_model(config, n_in=self.images.shape[1])
        devices.move_model(self.model, config.gpu)
        self.test_images = self.model.xp.asarray(data.test_images)
        self.optimizer = chainer.optimizers.Adam()
        self.optimizer.setup(self.model)
        self.gpu_random: Any = None  # made anew for each epoch
        self._gpu_engine: Any = None
        self._fault: Optional[str] = None
        self._busy = threading.Lock()  # held while an epoch is computed, or the training is saved
        self._thread: Optional[int] = None  # which computes the epoch
        self._in_on_step = False

        self.epoch = 0
        self.permutation = np.empty(0, np.int32)
        self.position = 0
        self.sums = np.zeros(2)
        self.elapsed = 0.0

    @property
    def random_state(self) -> Any:
        """The state of ``random``, as ``numpy.random.get_state`` returns it."""
        return self.random.get_state()

    @random_state.setter
    def random_state(self, state: Any) -> None:
        self.random.set_state(state)

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps of one epoch; the last may have fewer images."""
        return math.ceil(len(self.images) / self.config.batchsize)

    @property
    def steps_done(self) -> int:
        """Number of steps done since the beginning."""
        return self.epoch * self.steps_per_epoch + self._steps_of_epoch

    @property
    def _steps_of_epoch(self) -> int:
        """Since the beginning of this epoch."""
        return math.ceil(self.position / self.config.batchsize)

    def epochs(
        self,
        go_on: Callable[[], bool],
        on_step: Optional[Callable[[], None]] = None,
        progress: Callable[[], None] = lambda: None,
    ) -> Iterator[dict[str, float]]:
        """Train and test, epoch by epoch, to the configured number of epochs.

        Args:
            go_on: Asked before each step and each test; False ends the training there.
            on_step: Called after every step, as in :meth:`Run.train <chainer_vae.Run.train>`.
            progress: As there.

        Yields:
            dict: The losses of each epoch in nats per image, named as in Chainer's LogReport.

        Raises:
            NonFiniteLossError: A loss is infinite or not a number; again, if it was so before.
            InputError: As :attr:`backend`; or another thread, or what called ``on_step``, trains
                this already.

        Example:
            >>> from chainer_vae import Config
            >>> from chainer_vae.datasets import load_data
            >>> from chainer_vae.training import Training
            >>> config = Config(epoch=2, test=True)
            >>> training = Training(config, load_data(config))
            >>> [losses["epoch"] for losses in training.epochs(lambda: True)]
            [1, 2]
        """
        self._require_sound()
        while True:
            with self._alone():
                if self.epoch >= self.config.epoch or not go_on():
                    break
                started = time.monotonic()
                try:
                    with chainer.using_device(self.model.device):
                        self._train(go_on, on_step, progress)
                        losses = self._test() if go_on() else None
                finally:
                    self.elapsed += time.monotonic() - started
            if losses is not None:
                yield losses

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """This thread computes an epoch, and nothing else trains or saves."""
        if self._thread is not None:
            raise InputError("this run is being trained already, in another thread or by on_step")
        with self._busy:
            self._thread = threading.get_ident()
            try:
                yield
            finally:
                self._thread = None

    @contextmanager
    def _between_steps(self) -> Iterator[None]:
        """Nothing of the training changes: no step is being made, and no update is running.

        Raises:
            InputError: An epoch is being computed, and this is not called by its ``on_step``.
        """
        if self._thread is None:
            with self._busy:
                yield
        elif self._in_on_step and self._thread == threading.get_ident():
            yield
        else:
            raise InputError("this run is being trained: save it in on_step, or between two epochs")

    def _train(
        self,
        go_on: Callable[[], bool],
        on_step: Optional[Callable[[], None]],
        progress: Callable[[], None],
    ) -> None:
        """One pass over the images: the article's inner loop."""
        n, batchsize = len(self.images), self.config.batchsize
        between = None if on_step is None else partial(self._call, on_step)
        if len(self.permutation) == 0:
            self.permutation = self.random.permutation(n).astype(np.int32)
            self.sums = np.zeros(2)
        while True:  # once, unless on_step changes something that asks for another backend
            unless_replaced = self._unless_replaced(go_on)
            steps = self.backend.epoch(
                self.permutation, self._steps_of_epoch, unless_replaced, progress, between
            )
            with closing(steps):
                for loss, rec_loss in steps:
                    self._require_finite(loss, f"the training loss of step {self.steps_done + 1}")
                    n_batch = min(batchsize, n - self.position)
                    self.sums += np.multiply((loss, rec_loss), n_batch)
                    self.position += n_batch
            if self.position == n or not go_on():
                break

    def _unless_replaced(self, go_on: Callable[[], bool]) -> Callable[[], bool]:
        """``go_on``, but False where ``on_step`` has put another model or optimizer here."""
        model, optimizer = self.model, self.optimizer
        return lambda: go_on() and self.model is model and self.optimizer is optimizer

    def _call(self, on_step: Callable[[], None]) -> None:
        self._in_on_step = True
        try:
            on_step()
        finally:
            self._in_on_step = False

    def _test(self) -> dict[str, float]:
        """End the epoch: the means of the training losses, and the losses of the test images."""
        batchsize = self.config.batchsize
        fused = self.backend.name != "chainer"
        if self.config.model == "autoencoder":
            with numpy_random(self.random):  # for what a model's hooks draw
                test_loss = squared_error(self.model, self.test_images, batchsize, fused)
            test_rec_loss = test_loss
        else:
            with cupy_random(self.gpu_random):
                test_loss, test_rec_loss, _ = evaluate(
                    self.model, self.test_images, TEST_SAMPLES, batchsize, fused, self.random
                )
        self._require_finite(test_loss, f"the test loss after step {self.steps_done}")
        loss, rec_loss = (float(total) for total in self.sums / len(self.images))
        self.epoch += 1
        self.permutation = np.empty(0, np.int32)
        self.position = 0
        return {
            "main/loss": loss,
            "main/rec_loss": rec_loss,
            "validation/main/loss": test_loss,
            "validation/main/rec_loss": test_rec_loss,
            "epoch": self.epoch,
            "iteration": self.epoch * self.steps_per_epoch,
        }

    def _require_finite(self, loss: float, what: str) -> None:
        if not math.isfinite(loss):
            self._fault = f"{what} (epoch {self.epoch + 1}) is {loss}"
        self._require_sound()

    def _require_sound(self) -> None:
        """Refuse to go on after a loss, or a number to be saved, that was not finite.

        The noise of its step has been drawn: what went on would be another training.

        Raises:
            NonFiniteLossError: There was such a number.
        """
        if self._fault is not None:
            raise NonFiniteLossError(self._fault)

    def loss_func(self) -> Callable[[Any], chainer.Variable]:
        """The loss of a batch, by Chainer, with the C and k of the settings.

        Returns:
            callable: As that of :meth:`VAE.get_loss_func <chainer_vae.VAE.get_loss_func>`, or of
            the :class:`~chainer_vae.Autoencoder`'s.
        """
        if self.config.model == "autoencoder":
            return self.model.get_loss_func()
        return self.model.get_loss_func(self.config.C, self.config.k)

    @property
    def backend(self) -> Backend:
        """What computes the steps: the engine where it can, else Chainer's training loop.

        Raises:
            InputError: The setting is "fused", and the engine cannot compute this.
        """
        config = self.config
        reason = "--engine chainer"
        if config.engine != "chainer":
            fault = engine.unsupported(self.model, self.optimizer)
            if fault is None:
                return self._fused_backend()
            if config.engine == "fused":
                raise InputError(
                    f"--engine fused is not possible: {fault}; leave it out to use Chainer's"
                )
            reason = fault
        return ChainerSteps(self, reason)

    def _fused_backend(self) -> Backend:
        config = self.config
        settings = config.C, config.k, self.images, config.batchsize
        arguments = self.model, self.optimizer, *settings, self.random
        if self.model.xp is np:
            return engine.CpuSteps(*arguments)
        # It is kept: to capture a step takes a while.
        if self._gpu_engine is None or not self._gpu_engine.is_current():
            from chainer_vae.engine.gpu_step import GpuEngine  # where there is CuPy

            self._gpu_engine = GpuEngine(*arguments)
        gpu_engine: Backend = self._gpu_engine
        return gpu_engine


class ChainerSteps:
    """Chainer's training loop: forward, backward and update by its own functions."""

    name = "chainer"

    def __init__(self, training: Training, reason: str) -> None:
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
