"""A training run in a folder: started, saved after each epoch, stopped, resumed."""

import math
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Optional, Union

import chainer
import numpy as np

from chainer_vae import devices, graph, validation
from chainer_vae.config import ARRAYS, CHANGEABLE, Config
from chainer_vae.datasets import Dataset, for_run, load_data, size_in_words
from chainer_vae.errors import InputError, NonFiniteLossError, accessory
from chainer_vae.random_numbers import numpy_random
from chainer_vae.runs import checkpoints
from chainer_vae.runs.files import save_json, save_text
from chainer_vae.runs.folder import (
    CONFIG,
    GRAPH,
    LOG,
    RunInfo,
    is_snapshot_epoch,
    load_info,
    load_log,
    model_file,
    remove_leftovers,
    require_no_links,
    save_info,
    snapshot_epochs,
    snapshot_file,
    state_file,
)
from chainer_vae.runs.images import checksums, require_same_images
from chainer_vae.runs.interrupt import StopSignals
from chainer_vae.runs.lock import FolderLock
from chainer_vae.runs.new_run import appearing, require_free
from chainer_vae.training import Training

SAVE_INTERVAL = 1.0  # seconds between two checkpoints, at least: an epoch may take less than one


class Run(Training):
    """A training run and its folder; made by :meth:`start` or :meth:`resume`.

    It has the attributes of :class:`chainer_vae.training.Training`, too.

    Args:
        config: The settings.
        folder: Where it is saved.
        data: The data set that the settings name.

    Attributes:
        folder (pathlib.Path): Where it is saved; see :mod:`chainer_vae.runs.folder`.
        log (list): The losses of every epoch, as :meth:`train` yields them.
        test_labels (numpy.ndarray): The classes of the test images.
        class_names (tuple of str): The name of each class; empty where the numbers are the names.
        environments (list): What the run was computed on.
        interrupted (bool): Whether the last :meth:`train` was ended by a signal, such as Ctrl-C.
        saved_step (int): How many steps the files in the folder hold.

    Example:
        >>> from chainer_vae import Config, Run
        >>> run = Run.start(Config(epoch=1, test=True), "runs/example")
        >>> [entry["epoch"] for entry in run.train()]
        [1]
        >>> run = Run.resume("runs/example", epoch=3)
        >>> run.epoch, run.steps_done, run.steps_per_epoch, run.backend.name
        (1, 1, 1, 'fused')
        >>> run.random_state[0]  # of its own generator, which nothing else draws from
        'MT19937'
        >>> for entry in run.train():
        ...     print(entry["epoch"], round(entry["validation/main/loss"]))
        2 392
        3 324
        >>> loss = run.loss_func()(run.test_images)  # by Chainer, with a graph
        >>> run.save()  # as train() does
    """

    def __init__(self, config: Config, folder: Union[str, Path], data: Dataset) -> None:
        super().__init__(config, data)
        self.folder = validation.path("folder", folder)
        self.checksums = checksums(data)
        self.test_labels = data.test_labels
        self.class_names = data.class_names
        self.log: list[dict[str, float]] = []
        self.environments: list[dict[str, Any]] = []
        self.interrupted = False
        self.saved_step = 0
        self._saved_epochs = 0
        self._saved_at = -math.inf  # by time.monotonic
        self._lock = FolderLock(self.folder)
        self._saved_as: Optional[tuple[int, ...]] = None  # what tells our .state from another

    @classmethod
    def start(
        cls,
        config: Config,
        folder: Union[str, Path],
        initmodel: Optional[Union[str, Path]] = None,
        initstate: Optional[Union[str, Path]] = None,
        data: Optional[Dataset] = None,
        check: Callable[["Run"], object] = lambda run: None,
    ) -> "Run":
        """A new run.

        Args:
            config: Its settings.
            folder: Where to save it; must not hold a run or a model of this name already.
            initmodel: A saved model to take the weights from.
            initstate: A saved optimizer to take the state from, also of another program.
            data: The images, as of :func:`chainer_vae.make_dataset`; by default, those that
                the settings name.
            check: Called with the run before anything is written; what it raises ends this.

        Returns:
            Run: The run, saved, with no epoch trained.

        Raises:
            InputError: The folder holds a run or cannot be written, or a file, the data set, the
                GPU or the engine that the settings name cannot be used; or ``data`` is no images in
                [0, 1], or the settings name a data set, too.
            TypeError: ``config`` is no :class:`~chainer_vae.Config`, or ``data`` no
                :class:`~chainer_vae.Dataset`.
        """
        validation.instance("Run.start", config, Config)
        folder = validation.path("folder", folder)
        if data is not None:
            if config.dataset is not None:
                raise InputError(f"give either data or the dataset {config.dataset}, not both")
            config = replace(config, dataset=ARRAYS)
        require_free(folder, config.dimz)
        devices.use_device(config.gpu)
        run = cls(config, folder, _images(config, data))
        if initmodel is not None:
            with checkpoints.load_npz(initmodel) as arrays:
                checkpoints.require_activation(arrays, config.act, initmodel)
                checkpoints.restore_model(run.model, arrays, initmodel, finite=True)
        if initstate is not None:
            with checkpoints.load_npz(initstate) as arrays:
                checkpoints.restore_optimizer(run.optimizer, arrays, initstate)
        check(run)
        run._record_environment()
        run._appear()
        return run

    @classmethod
    def resume(
        cls,
        folder: Union[str, Path],
        out: Optional[Union[str, Path]] = None,
        data: Optional[Dataset] = None,
        check: Callable[["Run"], object] = lambda run: None,
        **changes: Any,
    ) -> "Run":
        """Resume a saved run, exactly as if it had not stopped.

        Args:
            folder: Where the run is.
            out: Where to save from here on; by default, ``folder``.
            data: The run's images, as they were given to :meth:`start`; by default, those that its
                settings name.
            check: As for :meth:`start`.
            changes: Settings given anew.  ``epoch``, ``gpu``, ``engine``, ``snapshots`` and
                ``dataset`` (the same images at another path) may differ from the saved ones; the
                rest must agree.

        Returns:
            Run: The run, at the step that was saved last.

        Raises:
            InputError: There is no sound run in the folder, a setting differs, is out of range or
                does not exist, the data set is another, ``out`` holds a run or cannot be written,
                or the GPU or the engine cannot be used.
            TypeError: ``data`` is no :class:`~chainer_vae.Dataset`.
        """
        if data is not None and "dataset" in changes:
            raise InputError("give either data or a dataset, not both")
        folder = validation.path("folder", folder)
        out = folder if out is None else validation.path("out", out)
        saved = load_info(folder)
        moving = os.path.realpath(out) != os.path.realpath(folder)
        if moving:
            require_free(out, saved.config.dimz)
        settings = asdict(saved.config)
        unknown = [name for name in changes if name not in settings]
        if unknown:
            raise InputError(
                f"there is no setting {', '.join(unknown)}; there are {', '.join(settings)}"
            )
        config = Config(**{**settings, **changes})
        for name in changes:
            old, new = settings[name], getattr(config, name)
            if name not in CHANGEABLE and new != old:
                raise InputError(
                    f"the run in {folder} has {name} {old!r}, not {new!r};"
                    " leave that option out to resume it, or start a new run"
                )
        devices.use_device(config.gpu)
        state = state_file(folder, config.dimz)
        saved_as = _identity(state)
        with checkpoints.load_npz(state) as arrays:
            checkpoints.check_sizes(arrays, config, saved.n_in, state, "training/model/")
            data = _images(config, data)
            require_same_images(replace(saved, config=config), data, folder)
            run = cls(config, out, data)
            log = checkpoints.restore_training(run, arrays, state)
        check(run)
        run.environments = saved.environments
        run.log = load_log(folder / LOG, run.epoch) if log is None else log
        if run.epoch < config.epoch:
            run._record_environment()
        if moving:
            run._appear(folder)
            return run
        run._saved_as = saved_as
        run.saved_step, run._saved_epochs = run.steps_done, run.epoch
        if run.epoch < config.epoch or not run._in_agreement():
            with run._writing():
                save_info(folder / CONFIG, run._info())
                run.save()
        else:
            with suppress(InputError), run._writing():  # it may be read-only, as all is done
                pass
        return run

    def train(
        self,
        on_step: Optional[Callable[[], None]] = None,
        progress: Callable[[], None] = lambda: None,
    ) -> Generator[dict[str, float], None, None]:
        """Train to the configured number of epochs, saving after each of them.

        That is at most once a second, and at the end.

        SIGINT (Ctrl-C) ends the training after the current step, saved, with ``interrupted``
        set; a second one ends the program at once, with what was saved last.  SIGTERM and SIGHUP
        end it likewise, and then the program as they always do.  While the caller has an epoch's
        entry, signals are the caller's.

        Args:
            on_step: Called after every step, with the weights, the losses and the optimizer as the
                step left them.  It may change them, such as the learning rate,
                ``run.optimizer.alpha``: that counts from the next step on.  Each step is waited for
                then; on a GPU, this takes much longer.
            progress: Called after every step, too, but at once, while the weights may still be
                changing: for a progress bar.

        Yields:
            dict: The log entry of each epoch as it ends, in nats per image.

        Raises:
            NonFiniteLossError: A loss, or what is to be saved, is infinite or not a number.  The
                folder keeps what was saved last, which is before it; resume that.
            InputError: The folder cannot be written any more, another program uses it, or has
                saved this run since.
            KeyboardInterrupt: Ctrl-C was pressed twice.
        """
        stop = StopSignals()
        self.interrupted = False
        if self.epoch >= self.config.epoch:
            self._wait_for_others()
            return
        with self._writing():
            epochs = self.epochs(lambda: stop.signal is None, on_step, progress)
            try:
                with stop:
                    self._save_graph()
                while True:
                    with stop:  # and not while the caller has the entry
                        losses = next(epochs, None)
                        if losses is None:
                            break
                        self.log.append({**losses, "elapsed_time": self.elapsed})
                        with self._writing():
                            self._save_snapshot()
                        last = self.epoch == self.config.epoch
                        if last or time.monotonic() >= self._saved_at + SAVE_INTERVAL:
                            self.save()
                    yield self.log[-1]
                with stop:
                    self._save_if_needed()
            except NonFiniteLossError as error:
                raise NonFiniteLossError(
                    f"{error}; {self.folder} keeps the state after step {self.saved_step}"
                ) from None
            except GeneratorExit:  # the caller stops here
                self._save_if_needed()
                raise
        # A signal may have been another process's.
        self.interrupted = stop.signal is not None or self.epoch < self.config.epoch
        self._wait_for_others()
        stop.pass_on()

    def _wait_for_others(self) -> None:
        """Of several processes, one that ends before another has saved would end that, too."""
        if self.communicator is not None:
            self.communicator.wait()

    def save(self) -> None:
        """Write the whole run to its folder.

        Raises:
            NonFiniteLossError: A number in it is infinite or not a number.
            InputError: It cannot be written, another program uses the folder, or has saved this run
                since.  What was there before stays.  Or a step is being made: this is neither in
                ``on_step`` nor between two epochs.
        """
        with self._between_steps(), self._writing():
            self._save_files()
            if not (self.folder / CONFIG).exists():  # somebody deleted the folder
                save_info(self.folder / CONFIG, self._info())

    def _save_files(self) -> None:
        """All but config.json.

        The .state is all that a run resumes from, so that a save is done with its replacement, and
        not before; the .model and the log are there for others, and never older than it.
        """
        folder, dimz = self.folder, self.config.dimz
        self._require_sound()
        state = checkpoints.training_to_arrays(self, self.log)
        self._require_finite_numbers(state)
        checkpoints.save_npz(model_file(folder, dimz), checkpoints.to_arrays(self.model))
        save_json(folder / LOG, self.log)
        checkpoints.save_npz(state_file(folder, dimz), state)
        self._saved_as = _identity(state_file(folder, dimz))
        self.saved_step = self.steps_done
        self._saved_epochs = self.epoch
        self._saved_at = time.monotonic()

    def _require_finite_numbers(self, arrays: dict[str, np.ndarray]) -> None:
        try:
            checkpoints.require_finite(arrays, f"after step {self.steps_done}")
        except NonFiniteLossError as error:
            self._fault = str(error)
            raise

    def _appear(self, old: Optional[Path] = None) -> None:
        """Save the run into a new folder, whole or not at all, with the snapshots that it has had
        in an old one."""
        with appearing(self._lock, self._info()):
            require_no_links(self.folder, self.config.dimz)
            remove_leftovers(self.folder, self.config.dimz)
            if old is not None:
                self._copy_snapshots(old)
            elif self.epoch == 0:
                self._save_snapshot()
            self._save_files()

    def _copy_snapshots(self, old: Path) -> None:
        names = checkpoints.to_arrays(self.model)
        for epoch in snapshot_epochs(old, self.epoch):
            file = snapshot_file(old, epoch)
            with checkpoints.load_npz(file) as arrays:
                n_in = self.images.shape[1]
                checkpoints.check_sizes(arrays, self.config, n_in, file)
                parameters = {name: arrays[name] for name in names}
            checkpoints.save_npz(snapshot_file(self.folder, epoch), parameters)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The folder, for this run alone, and as this run left it."""
        first = not self._lock.held
        with self._lock:
            # Each time: somebody may have deleted the folder, and started another run in it.
            found = _identity(state_file(self.folder, self.config.dimz))
            if found is not None and found != self._saved_as:
                raise InputError(
                    f"another program has saved the run in {self.folder} since: resume it anew"
                )
            if first:
                require_no_links(self.folder, self.config.dimz)
                remove_leftovers(self.folder, self.config.dimz)
            yield

    def _in_agreement(self) -> bool:
        """Whether the .model and the log are those of the .state: files may have been copied from a
        folder that was being written."""
        ours = checkpoints.to_arrays(self.model)
        with suppress(InputError, LookupError):
            with checkpoints.load_npz(model_file(self.folder, self.config.dimz)) as saved:
                same = all(np.array_equal(saved[name], ours[name]) for name in ours)
            return same and load_log(self.folder / LOG) == self.log
        return False

    def _info(self) -> RunInfo:
        return RunInfo(self.config, self.image_shape, self.checksums, self.environments)

    def _save_if_needed(self) -> None:
        if (self.saved_step, self._saved_epochs) != (self.steps_done, self.epoch):
            self.save()

    def _save_snapshot(self) -> None:
        if self.config.snapshots and is_snapshot_epoch(self.epoch):
            arrays = checkpoints.to_arrays(self.model)
            self._require_finite_numbers(arrays)
            checkpoints.save_npz(snapshot_file(self.folder, self.epoch), arrays)

    def _save_graph(self) -> None:
        """Write the computational graph of a loss, once; its noise is not that of the run."""
        file = self.folder / GRAPH
        with accessory(str(file)):
            if file.exists():
                return
            batch = self.model.xp.asarray(self.images[: self.config.batchsize])
            # The step in which an overflow happens reports it.
            quiet = np.errstate(over="ignore", invalid="ignore")
            other = numpy_random(np.random.RandomState(0))
            with chainer.using_device(self.model.device), other, quiet:
                text = graph.dump(self.loss_func()(batch))
            save_text(file, text)

    def _record_environment(self) -> None:
        self.environments.append(
            {
                "from_epoch": self.epoch,
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "versions": devices.versions(),
                "device": devices.describe(self.config.gpu),
                "engine": self.backend.name,
            }
        )


def _images(config: Config, data: Optional[Dataset]) -> Dataset:
    """What was given in Python, or what the settings name.

    Raises:
        InputError: As :func:`load_data`; or what was given has not the settings' size.
        TypeError: It is no :class:`~chainer_vae.Dataset`.
    """
    if data is None:
        return load_data(config)
    validation.instance("a run", data, Dataset)
    if config.size not in (None, data.image_shape):
        raise InputError(
            f"the setting size, {size_in_words(config.size)}, is not that of data,"
            f" {size_in_words(data.image_shape)}: leave it out"
        )
    return for_run(data, config)


def _identity(file: Path) -> Optional[tuple[int, ...]]:
    """What tells a file from the one that replaces it; None if there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
