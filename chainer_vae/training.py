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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Callable, Optional

import chainer
import numpy as np

from chainer_vae import devices, engine, validation
from chainer_vae.binarization import images_of_epoch, require_binarized
from chainer_vae.chainer_steps import ChainerSteps
from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, require_images
from chainer_vae.decoders import build_model
from chainer_vae.distributed import Communicator, DistributedSteps, evaluate_together
from chainer_vae.engine import Backend
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.evaluation import evaluate, squared_error
from chainer_vae.iwae import iwae_loss_func
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
        if config.binarize != "none":
            require_binarized("test_images", data.test_images)
        self.config = config
        self.images = self._data_images = data.train_images
        self._images_of: Optional[int] = None  # the epoch that they were drawn for
        self.image_shape = data.image_shape
        self.random = np.random.RandomState(config.seed)
        with numpy_random(self.random):
            self.model = build_model(config, n_in=self.images.shape[1])
        devices.move_model(self.model, config.gpu)
        self.test_images = self.model.xp.asarray(data.test_images)
        self.optimizer = chainer.optimizers.Adam(alpha=config.lr)
        self.optimizer.setup(self.model)
        self.communicator: Optional[Communicator] = None  # where several processes train it
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
    def C(self) -> float:
        """Weight of the KL divergence in the next step.

        With a warm-up of N epochs of S steps each, in step t, counted from 0::

            C_t = C min(1, t / (N S))

        Example:
            >>> from chainer_vae import Config
            >>> from chainer_vae.datasets import load_data
            >>> from chainer_vae.training import Training
            >>> config = Config(C_warmup=4, epoch=3, test=True)  # of one step in each epoch
            >>> training = Training(config, load_data(config))
            >>> training.C, [training.C for losses in training.epochs(lambda: True)]
            (0.0, [0.25, 0.5, 0.75])
        """
        config = self.config
        if config.C_warmup == 0:
            return config.C
        return config.C * min(1.0, self.steps_done / (config.C_warmup * self.steps_per_epoch))

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
        if self.communicator is not None:
            go_on = self.communicator.agreed(go_on)
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
        self._draw_images()
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

    def _draw_images(self) -> None:
        """Where the images are stochastic: draw those of this epoch."""
        if self.config.binarize == "stochastic" and self._images_of != self.epoch:
            self.images = self._data_images  # so that the last epoch's take no memory meanwhile
            self.images = images_of_epoch(self._data_images, self.config, self.epoch)
            self._images_of = self.epoch
            if self._gpu_engine is not None:
                self._gpu_engine.images.set(self.images)

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
            shared = self.communicator and partial(evaluate_together, self.communicator)
            with cupy_random(self.gpu_random):
                test_loss, test_rec_loss, _ = (shared or evaluate)(
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
        """The loss of a batch, by Chainer, with the k of the settings and the :attr:`C` of now.

        Returns:
            callable: As that of :meth:`VAE.get_loss_func <chainer_vae.VAE.get_loss_func>`, or of
            the :class:`~chainer_vae.Autoencoder`'s, or of :func:`chainer_vae.iwae.iwae_loss_func`.
        """
        if self.config.model == "autoencoder":
            return self.model.get_loss_func()
        if self.config.objective == "iwae":
            return iwae_loss_func(self.model, self.config.k)
        return self.model.get_loss_func(self.C, self.config.k)

    @property
    def backend(self) -> Backend:
        """What computes the steps: the engine where it can, else Chainer's training loop.

        Raises:
            InputError: The setting is "fused", and the engine cannot compute this.
        """
        fault = self.not_fused
        if fault is None:
            return self._fused_backend()
        if self.config.engine == "fused":
            raise InputError(
                f"--engine fused is not possible: {fault}; leave it out to use Chainer's"
            )
        return ChainerSteps(self, fault)

    @property
    def not_fused(self) -> Optional[str]:
        """Why the engine does not compute the steps; None where it does.

        Example:
            >>> from chainer_vae import Config
            >>> from chainer_vae.datasets import load_data
            >>> from chainer_vae.training import Training
            >>> config = Config(likelihood="gaussian", test=True)
            >>> Training(config, load_data(config)).not_fused
            '--likelihood gaussian'
        """
        if self.config.engine == "chainer":
            return "--engine chainer"
        return self._unsupported() or engine.unsupported(self.model, self.optimizer)

    def _unsupported(self) -> Optional[str]:
        """The setting that the engine cannot compute."""
        for option in self.config.options(["likelihood"]):
            return option
        if self.model.xp is not np:
            # Its CUDA graph has one C for all steps.
            for option in self.config.options(["objective", "C_warmup"]):
                return f"on a GPU, {option}"
        return None

    def _fused_backend(self) -> Backend:
        config, several = self.config, self.communicator
        settings = config.k, self.images, config.batchsize, self.random
        if self.model.xp is np:
            arguments = self.model, self.optimizer, lambda: self.C, *settings, config.objective
            return DistributedSteps(*arguments, several) if several else engine.CpuSteps(*arguments)
        # It is kept: to capture a step takes a while.
        of_these = getattr(self._gpu_engine, "communicator", None) is several
        if self._gpu_engine is None or not (of_these and self._gpu_engine.is_current()):
            # Imported here, where there is CuPy.
            if several:
                from chainer_vae.distributed_gpu import DistributedGpuEngine

                make: Any = partial(DistributedGpuEngine, several)
            else:
                from chainer_vae.engine.gpu_step import GpuEngine as make
            self._gpu_engine = make(self.model, self.optimizer, config.C, *settings)
        gpu_engine: Backend = self._gpu_engine
        return gpu_engine
