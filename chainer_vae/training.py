"""The article's learning loop, made resumable.

A run is a folder:

    mlp_20.model   the parameters, as Chainer saves them (20: the number of latent units)
    mlp_20.state   the optimizer, as Chainer saves it; and, under "training/", what else a run
                   needs to go on exactly: the parameters again (the two files are not written
                   in one instant), the random generator, and where in the epoch it stands
    log            the losses of every epoch, in the layout of Chainer's LogReport
    graph.dot      the computational graph of the first loss, for Graphviz
    config.json    the settings, the data's checksums, and what the run was computed on
    snapshots      where that is a setting: the parameters after some of the epochs, epoch_5.model
"""

import math
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Optional, Union

import chainer
import chainer.functions as F
import numpy as np

from chainer_vae import checkpoints, devices, engine, graph
from chainer_vae.datasets import Dataset, load_mnist
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.evaluation import evaluate, squared_error
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.team import team

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "softplus": F.softplus,
    "tanh": F.tanh,
    "relu": F.relu,
    "sigmoid": F.sigmoid,
}
ENGINES = ("auto", "chainer", "fused")
MODELS = {"vae": VAE, "autoencoder": Autoencoder}
LARGEST = 1_000_000  # of sizes and counts; more is a mistake in typing
MODELS_DIR = Path(__file__).parent / "models"
# The VAEs there, trained models that come with the package, and their latent units.
SHIPPED = {"z20": 20, "z2": 2}
SHIPPED_AUTOENCODER = "ae2"  # the plain autoencoder there, with 2
TEST_SAMPLES = 10  # the article's k for the test loss
SNAPSHOTS = "snapshots"  # the folder of a run for models of earlier epochs
SAVE_INTERVAL = 1.0  # seconds between two savings of a run on a GPU, at least
CHANGEABLE = ("epoch", "gpu", "engine", "snapshots", "dataset")  # settings of a run
QUICK_IMAGES = 100  # how many of each set ``test`` leaves
LOG_KEYS = (
    "main/loss",
    "main/rec_loss",
    "validation/main/loss",
    "validation/main/rec_loss",
    "elapsed_time",
)


@dataclass(frozen=True)
class Config:
    """The settings of a run, named as the options of ``chainer-vae train``.

    The defaults are the article's: 100 epochs, 20 latent units (``dimz``), 500 hidden units
    (``dim_h``), softplus, ``C`` = 1, ``k`` = 1, batches of 100.  ``dataset`` is a folder of IDX
    files (None: MNIST), ``gpu`` the number of a GPU (negative: the CPU), and ``test`` leaves 100
    images to try things out.  ``engine`` is "fused" for :mod:`chainer_vae.engine`, "chainer" for
    Chainer's own loop, slower and the same but for rounding, or "auto" for the first where it can.
    ``model`` is "vae" or "autoencoder", the plain one, for which C and k mean nothing.
    ``snapshots`` keeps the model of epochs 0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50 and so on.

    Raises:
        InputError: A setting is out of range.
    """

    epoch: int = 100
    dimz: int = 20  # number of latent units
    dim_h: int = 500  # number of units in each hidden layer
    act: str = "softplus"  # activation of the hidden layers
    C: float = 1.0  # weight of the divergence in the loss
    k: int = 1  # number of samples of z for each training image
    batchsize: int = 100
    seed: int = 0
    gpu: int = -1
    dataset: Optional[str] = None  # a folder of IDX files; None: MNIST
    test: bool = False  # train and test on 100 images only, to try things out
    engine: str = "auto"  # what computes the steps: one of ENGINES
    model: str = "vae"  # one of MODELS
    snapshots: bool = False  # keep the model of some epochs

    def __post_init__(self) -> None:
        for name in ("epoch", "dimz", "dim_h", "k", "batchsize"):
            _require_int(name, getattr(self, name), 1, LARGEST)
        _require_int("seed", self.seed, 0, 2**32 - 1)
        _require_int("gpu", self.gpu, -LARGEST, LARGEST)
        number = isinstance(self.C, (int, float)) and not isinstance(self.C, bool)
        if not (number and math.isfinite(self.C) and self.C >= 0):
            raise InputError(f"C must be a finite number, 0 or more, not {self.C!r}")
        if self.act not in ACTIVATIONS:
            raise InputError(f"act must be one of {', '.join(ACTIVATIONS)}, not {self.act!r}")
        if self.engine not in ENGINES:
            raise InputError(f"engine must be one of {', '.join(ENGINES)}, not {self.engine!r}")
        if self.model not in MODELS:
            raise InputError(f"model must be one of {', '.join(MODELS)}, not {self.model!r}")
        if self.model == "autoencoder" and (self.C, self.k) != (1, 1):
            raise InputError("an autoencoder has no C and no k: leave them out")
        if not (self.dataset is None or isinstance(self.dataset, str)):
            raise InputError(f"dataset must be the path of a folder, not {self.dataset!r}")
        for name in ("test", "snapshots"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be true or false, not {getattr(self, name)!r}")

    def load_data(self) -> Dataset:
        """The data set that these settings name."""
        data = load_mnist(self.dataset)
        return Dataset(*(part[:QUICK_IMAGES] for part in data)) if self.test else data

    def build_model(self, n_in: int) -> Any:
        """A model of these sizes, with random weights from ``numpy.random``."""
        return MODELS[self.model](n_in, self.dimz, self.dim_h, ACTIVATIONS[self.act])


def _require_int(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}, not {value!r}")


class Run:
    """A training run: model, optimizer, data, how far it has come, and its folder."""

    def __init__(self, config: Config, folder: Path, data: Dataset) -> None:
        self.config = config
        self.folder = folder
        self.images = data.train_images
        self.test_images = data.test_images
        self.checksums = {
            "train_images": zlib.crc32(data.train_images.data),
            "test_images": zlib.crc32(data.test_images.data),
        }
        self.model = config.build_model(n_in=data.train_images.shape[1])
        if config.gpu >= 0:
            self.model.to_device(f"@cupy:{config.gpu}")
            self.test_images = self.model.xp.asarray(data.test_images)
        self.optimizer = chainer.optimizers.Adam()
        self.optimizer.setup(self.model)

        self.epoch = 0  # finished epochs
        self.permutation = np.empty(0, np.int32)  # this epoch's order of the images
        self.position = 0  # how many of them this epoch has used
        self.sums = np.zeros(2)  # of loss and rec_loss over those images
        self.elapsed = 0.0  # seconds of training
        self.saved_step = 0  # how many steps the files in the folder hold
        self._saved_epochs = 0
        self._saved_at = -math.inf  # by time.monotonic
        self.random_state: Any = None  # of numpy.random, between calls of ``train``
        self.log: list[dict[str, float]] = []
        self.environments: list[dict[str, Any]] = []  # what the run was computed on
        self.interrupted = False

    # Starting and going on

    @classmethod
    def start(
        cls,
        config: Config,
        folder: Union[str, Path],
        initmodel: Optional[Union[str, Path]] = None,
        initstate: Optional[Union[str, Path]] = None,
    ) -> "Run":
        """A new run.

        Args:
            config: Its settings.
            folder: Where it is saved; must not hold a run or a model of this name already.
            initmodel: A saved model to take the weights from.
            initstate: A saved optimizer to take the state from; one written by other
                programs will do.

        Raises:
            InputError: The folder holds a run or cannot be written, a file cannot be used, or
                the GPU or the data set cannot.
        """
        folder = Path(folder)
        _require_free(folder, config)
        devices.use_device(config.gpu)
        data = config.load_data()
        with _numpy_random(np.random.RandomState(config.seed).get_state()) as get_state:
            run = cls(config, folder, data)
            run.random_state = get_state()
        if initmodel is not None:
            checkpoints.restore_model(run.model, checkpoints.load_npz(initmodel), initmodel)
        if initstate is not None:
            checkpoints.restore_optimizer(run.optimizer, checkpoints.load_npz(initstate), initstate)
        run._note_environment()
        run.save()
        run._keep_snapshot()
        return run

    @classmethod
    def resume(
        cls, folder: Union[str, Path], out: Optional[Union[str, Path]] = None, **changes: Any
    ) -> "Run":
        """Go on with a saved run, exactly as if it had not stopped.

        Args:
            folder: Where the run is.
            out: Where to save from here on; by default, ``folder``.
            changes: Settings given anew.  ``epoch``, ``gpu``, ``engine``, ``snapshots`` and
                ``dataset`` (the same data at another place) may differ from the saved ones; the
                rest must agree.

        Raises:
            InputError: There is no sound run in the folder, a setting differs, or it cannot
                be gone on with here.
        """
        folder = Path(folder)
        out = folder if out is None else Path(out)
        saved, content = load_config(folder)
        moving = os.path.realpath(out) != os.path.realpath(folder)
        if moving:
            _require_free(out, saved)
        for name, value in changes.items():
            if name not in CHANGEABLE and value != getattr(saved, name):
                raise InputError(
                    f"the run in {folder} has {name} {getattr(saved, name)!r}, not {value!r};"
                    " leave that option out to go on with it, or start a new run"
                )
        config = Config(**{**asdict(saved), **changes})
        devices.use_device(config.gpu)
        state_file = folder / f"mlp_{config.dimz}.state"
        arrays = checkpoints.load_npz(state_file)
        data = config.load_data()
        with _numpy_random(np.random.get_state()):
            run = cls(config, out, data)
        if run.checksums != content.get("checksums"):
            raise InputError(
                f"the images of {config.dataset or 'MNIST'} are not those that the run in {folder}"
                " was trained on; give the folder with those by --dataset"
            )
        run.environments = content["environments"]
        run._restore(arrays, state_file)
        run.log = load_log(folder / "log", run.epoch)
        if run.epoch < config.epoch:
            run._note_environment()
        if run.epoch < config.epoch or moving:
            run.save()
        return run

    def _restore(self, arrays: dict[str, np.ndarray], source: Path) -> None:
        own = {
            name[len("training/") :]: array
            for name, array in arrays.items()
            if name.startswith("training/")
        }
        model = {
            name[len("model/") :]: array for name, array in own.items() if name.startswith("model/")
        }
        checkpoints.restore_model(self.model, model, source)
        checkpoints.restore_optimizer(self.optimizer, arrays, source)
        try:
            self.epoch = int(own["epoch"])
            self.permutation = own["permutation"]
            self.position = int(own["position"])
            self.sums = own["sums"].reshape(2)
            self.elapsed = float(own["elapsed"])
            self.random_state = (
                "MT19937",
                own["random/keys"],
                int(own["random/position"]),
                int(own["random/has_gauss"]),
                float(own["random/cached_gaussian"]),
            )
            np.random.RandomState().set_state(self.random_state)
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{source} does not say where its run stands") from None
        n = len(self.permutation)
        if not (
            n in (0, len(self.images))
            and 0 <= self.position <= n
            and np.array_equal(np.sort(self.permutation), np.arange(n))
        ):
            raise InputError(f"{source} does not say where its run stands")

    def _note_environment(self) -> None:
        self.environments.append(
            {
                "from_epoch": self.epoch,
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "versions": devices.versions(),
                "device": devices.describe(self.config.gpu),
                "engine": self.steps_by[0],
            }
        )

    # Saving

    def save(self) -> None:
        """Write the whole run to its folder.

        Raises:
            InputError: It cannot be written; what was there before stays.
        """
        config = {
            "arguments": asdict(self.config),
            "n_in": self.images.shape[1],
            "checksums": self.checksums,
            "environments": self.environments,
        }
        model = checkpoints.to_arrays(self.model)
        _, keys, position, has_gauss, cached_gaussian = self.random_state
        own = {
            "epoch": self.epoch,
            "permutation": self.permutation,
            "position": self.position,
            "sums": self.sums,
            "elapsed": self.elapsed,
            "random/keys": keys,
            "random/position": position,
            "random/has_gauss": has_gauss,
            "random/cached_gaussian": cached_gaussian,
            **{f"model/{name}": array for name, array in model.items()},
        }
        state = checkpoints.to_arrays(self.optimizer)
        state.update({f"training/{name}": np.asarray(value) for name, value in own.items()})
        name = f"mlp_{self.config.dimz}"
        checkpoints.save_json(self.folder / "config.json", config)
        checkpoints.save_npz(self.folder / f"{name}.model", model)
        # Before the state: a log that is an epoch ahead of it is cut when the run goes on.
        checkpoints.save_json(self.folder / "log", self.log)
        checkpoints.save_npz(self.folder / f"{name}.state", state)
        self.saved_step = self.steps_done
        self._saved_epochs = self.epoch
        self._saved_at = time.monotonic()

    def _keep_snapshot(self) -> None:
        if self.config.snapshots and _is_kept(self.epoch):
            file = self.folder / SNAPSHOTS / f"epoch_{self.epoch}.model"
            checkpoints.save_npz(file, checkpoints.to_arrays(self.model))

    def _save_if_needed(self) -> None:
        if (self.saved_step, self._saved_epochs) != (self.steps_done, self.epoch):
            self.save()

    # Training

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.images) // self.config.batchsize)

    @property
    def steps_done(self) -> int:
        return self.epoch * self.steps_per_epoch + -(-self.position // self.config.batchsize)

    def train(self, on_step: Callable[[], None] = lambda: None) -> Iterator[dict[str, float]]:
        """Train to the configured number of epochs, saving after each; on a GPU, not more than once
        a second, and at the end.

        SIGINT (Ctrl-C) ends the training after the step in hand, saved, with ``interrupted``
        set; a second one ends the program at once, with what was saved last.

        Args:
            on_step: Called after every step; on a GPU, after it is launched.

        Yields:
            dict: The log entry of each epoch as it ends, in nats per image.

        Raises:
            NonFiniteLossError: A loss is infinite or not a number.  The folder keeps what was
                saved last, which is before it.
            InputError: The folder cannot be written any more.
        """
        with _SigintFlag() as sigint:
            while self.epoch < self.config.epoch and not sigint.raised:
                started = time.monotonic()
                on_device = chainer.using_device(self.model.device)
                with on_device, _numpy_random(self.random_state) as get_state:
                    complete = self._train_epoch(on_step, sigint)
                    entry = self._end_epoch() if complete else None
                    self.random_state = get_state()
                self.elapsed += time.monotonic() - started
                if entry is not None:
                    self.log.append({**entry, "elapsed_time": self.elapsed})
                    self._keep_snapshot()
                    # A GPU may need less time for an epoch than the disk for its files.
                    pause = 0.0 if self.model.xp is np else SAVE_INTERVAL
                    last = self.epoch == self.config.epoch
                    if last or time.monotonic() >= self._saved_at + pause:
                        self.save()
                    try:
                        yield self.log[-1]
                    except GeneratorExit:  # nobody wants more
                        self._save_if_needed()
                        raise
                if sigint.raised:
                    self._save_if_needed()
            self.interrupted = sigint.raised

    def _train_epoch(self, on_step: Callable[[], None], sigint: "_SigintFlag") -> bool:
        """The steps of this epoch that are to do; False if it is not to be ended now."""
        config = self.config
        if len(self.permutation) == 0:
            self.permutation = np.random.permutation(len(self.images)).astype(np.int32)
            self.sums = np.zeros(2)
        if not (self.folder / "graph.dot").exists():
            self._save_graph()
        if self.unfused is None and self.model.xp is not np:
            return self._train_epoch_on_gpu(on_step, sigint)
        self._seed_gpu()
        with self._steps() as step:
            while self.position < len(self.images) and not sigint.raised:
                rows = self.permutation[self.position : self.position + config.batchsize]
                # A loss that overflows is reported once, below, not by NumPy.
                with np.errstate(over="ignore", invalid="ignore"):
                    losses = step(self.images[rows])
                self._require_finite(losses[0], f"the training loss of step {self.steps_done + 1}")
                self.sums += np.multiply(losses, len(rows))
                self.position += len(rows)
                on_step()
        return not sigint.raised

    def _train_epoch_on_gpu(self, on_step: Callable[[], None], sigint: "_SigintFlag") -> bool:
        config = self.config
        gpu_engine, first = self._gpu_engine, -(-self.position // config.batchsize)
        count = gpu_engine.launch(self.permutation, first, lambda: not sigint.raised, on_step)
        losses = gpu_engine.finished(first, count)
        for step, (loss, rec_loss) in enumerate(losses, self.steps_done + 1):
            self._require_finite(loss, f"the training loss of step {step}")
            n = min(config.batchsize, len(self.images) - self.position)
            self.sums += np.multiply((loss, rec_loss), n)
            self.position += n
        return not sigint.raised

    @cached_property
    def _gpu_engine(self) -> Any:
        """The engine's steps on the GPU, made once the model is what the run begins with."""
        from chainer_vae.engine_gpu import GpuEngine  # where there is CuPy

        config = self.config
        return GpuEngine(
            self.model, self.optimizer, config.C, config.k, self.images, config.batchsize
        )

    @property
    def _gpu_seed(self) -> int:
        """Of the noise of this epoch."""
        return (self.config.seed * 1_000_003 + self.epoch) % 2**32

    @property
    def unfused(self) -> Optional[str]:
        """Why the steps are Chainer's; None where they are those of :mod:`chainer_vae.engine`.

        Raises:
            InputError: The setting is "fused", and that cannot be.
        """
        if self.config.engine == "chainer":
            return "--engine chainer"
        fault = engine.unsupported(self.model, self.optimizer)
        if fault is not None and self.config.engine == "fused":
            raise InputError(f"--engine fused cannot be: {fault}; leave it out to use Chainer's")
        return fault

    @property
    def steps_by(self) -> tuple[str, Optional[str]]:
        """What computes the steps, "fused", "fused, without a CUDA graph" or "chainer"; and why,
        where it is not the first.

        Raises:
            InputError: As :attr:`unfused`.
        """
        if self.unfused is not None:
            return "chainer", self.unfused
        uncaptured = None if self.model.xp is np else self._gpu_engine.uncaptured
        return "fused" if uncaptured is None else "fused, without a CUDA graph", uncaptured

    @contextmanager
    def _steps(self) -> Iterator[Callable[[np.ndarray], tuple[float, float]]]:
        """A function that takes a batch and does a step: loss and rec_loss before it.

        Where the loss is not finite, the parameters stay as they are.
        """
        if self.unfused is not None:
            yield self._chainer_step
            return
        with team() as members:
            fused = engine.Engine(self.model, self.optimizer, self.config.C, self.config.k, members)
            yield fused.step
            fused.finish()

    def _chainer_step(self, images: np.ndarray) -> tuple[float, float]:
        loss = self._loss(images)
        rec_loss = loss if self.config.model == "autoencoder" else self.model.rec_loss
        losses = float(loss.array), float(rec_loss.array)
        if math.isfinite(losses[0]):
            self.model.cleargrads()
            loss.backward()
            self.optimizer.update()
        return losses

    def _loss(self, images: np.ndarray) -> chainer.Variable:
        """The loss of a batch, by Chainer."""
        of_vae = () if self.config.model == "autoencoder" else (self.config.C, self.config.k)
        return self.model.get_loss_func(*of_vae)(self.model.xp.asarray(images))

    def _save_graph(self) -> None:
        """Write the computational graph of the first loss; its noise is not that of the run."""
        batch = self.images[: self.config.batchsize]
        with _numpy_random(np.random.get_state()), np.errstate(over="ignore", invalid="ignore"):
            text = graph.dump(self._loss(batch))
        checkpoints.save_text(self.folder / "graph.dot", text)

    def _end_epoch(self) -> dict[str, float]:
        batchsize, fused = self.config.batchsize, self.unfused is None
        if self.config.model == "autoencoder":
            test_loss = test_rec_loss = squared_error(self.model, self.test_images, batchsize)
        else:
            test_loss, test_rec_loss, _ = evaluate(
                self.model, self.test_images, TEST_SAMPLES, batchsize, fused
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
            raise NonFiniteLossError(
                f"{what} (epoch {self.epoch + 1}) is {loss};"
                f" {self.folder} keeps the state after step {self.saved_step}"
            )

    def _seed_gpu(self) -> None:
        """Make the GPU's noise of this epoch a function of the seed, up to where it stands.

        The state of CuPy's generator cannot be saved, so every epoch starts it anew, and the
        draws of the steps already done are repeated and dropped.
        """
        xp, config = self.model.xp, self.config
        if xp is np:
            return
        xp.random.seed(self._gpu_seed)
        for start in range(0, self.position, config.batchsize):
            n = min(config.batchsize, len(self.images) - start)
            for _ in range(config.k):
                xp.random.standard_normal((n, config.dimz), dtype=np.float32)


def _is_kept(epoch: int) -> bool:
    """Whether a snapshot is taken after this epoch: about six for each power of ten."""
    while epoch >= 100 and epoch % 10 == 0:
        epoch //= 10
    return epoch in (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70)


def _require_free(folder: Path, config: Config) -> None:
    if (folder / "config.json").exists():
        raise InputError(
            f"{folder} already holds a run: go on with it by --resume,"
            " choose another folder by --out, or remove it"
        )
    for name in (f"mlp_{config.dimz}.model", f"mlp_{config.dimz}.state", "log"):
        if (folder / name).exists():
            raise InputError(
                f"{folder} already holds a file {name}: choose another folder by --out"
            )


def load_log(file: Path, epochs: Optional[int] = None) -> list[dict[str, float]]:
    """The losses of a run, an entry for each epoch, as :meth:`Run.train` yields them.

    Args:
        file: The run's ``log``.
        epochs: How many to take, at least those; a run cut off while saving has one more than
            its state.  By default, all.

    Raises:
        InputError: The file is missing or is not such a log.
    """
    log = checkpoints.load_json(file)
    try:
        epochs = len(log) if epochs is None else epochs
        log = log[:epochs]
        sound = [entry["epoch"] for entry in log] == list(range(1, epochs + 1)) and all(
            isinstance(entry[key], (int, float)) for entry in log for key in LOG_KEYS
        )
    except (LookupError, TypeError):
        sound = False
    if not sound:
        raise InputError(f"{file} is not the log of a run of {epochs} epochs")
    return log


def load_config(folder: Path) -> tuple[Config, dict[str, Any]]:
    """The settings of the run in ``folder``, and the whole content of its config.json.

    Raises:
        InputError: There is no run, or its config.json is not one of ours.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no run: it has no config.json")
    content = checkpoints.load_json(folder / "config.json")
    try:
        known = {field.name for field in fields(Config)}
        arguments = {name: v for name, v in content["arguments"].items() if name in known}
        _require_int("n_in", content["n_in"], 1, LARGEST)
        config = Config(**arguments)
        sound = isinstance(content["environments"], list)
    except (LookupError, TypeError, AttributeError, InputError):
        sound = False
    if not sound:
        raise InputError(f"{folder / 'config.json'} is not the settings of a run")
    return config, content


def find_run(run: Union[str, Path]) -> Path:
    """The folder of a run: ``run`` itself or, where there is none, a shipped one of that name."""
    shipped = str(run) in (*SHIPPED, SHIPPED_AUTOENCODER) and not Path(run).exists()
    return MODELS_DIR / str(run) if shipped else Path(run)


def load_model(run: Union[str, Path], gpu: int = -1) -> tuple[VAE, Config]:
    """A trained VAE, and the settings that it was trained with.

    Args:
        run: The folder of a run; or "z20" or "z2", the models with 20 and 2 latent units that
            come with the package.
        gpu: Where to put the model: the number of a GPU, or a negative number for the CPU.

    Returns:
        tuple: The model (:class:`VAE`) and its settings (:class:`Config`).

    Raises:
        InputError: There is no run, it is not a VAE's, or its files cannot be used.
    """
    return _load(run, gpu, "vae")


def load_autoencoder(run: Union[str, Path], gpu: int = -1) -> tuple[Autoencoder, Config]:
    """A trained plain autoencoder, and its settings: of a run, or "ae2", which comes with the
    package and has 2 latent units.

    Raises:
        InputError: As :func:`load_model`, where the run is not an autoencoder's.
    """
    return _load(run, gpu, "autoencoder")


def _load(run: Union[str, Path], gpu: int, kind: str) -> tuple[Any, Config]:
    folder = find_run(run)
    config, content = load_config(folder)
    if config.model != kind:
        raise InputError(f"the run in {run} is of a model {config.model}, but {kind} is needed")
    devices.use_device(gpu)
    file = folder / f"mlp_{config.dimz}.model"
    model = _restored(config, content["n_in"], file)
    if gpu >= 0:
        model.to_device(f"@cupy:{gpu}")
    return model, config


def _restored(config: Config, n_in: int, file: Path) -> Any:
    arrays = checkpoints.load_npz(file)
    with _numpy_random(np.random.get_state()):
        model = config.build_model(n_in)
    checkpoints.restore_model(model, arrays, file)
    return model


def load_snapshots(run: Union[str, Path]) -> Iterator[tuple[int, Any]]:
    """The models that a run kept (``snapshots``), with their epochs, the first ones first.

    Raises:
        InputError: There is no run, or a file cannot be used.
    """
    folder = find_run(run)
    config, content = load_config(folder)
    files = {}
    for file in (folder / SNAPSHOTS).glob("epoch_*.model"):
        digits = file.stem[len("epoch_") :]
        if digits.isdecimal() and int(digits) <= config.epoch:
            files[int(digits)] = file
    for epoch in sorted(files):
        yield epoch, _restored(config, content["n_in"], files[epoch])


@contextmanager
def _numpy_random(state: Any) -> Iterator[Callable[[], Any]]:
    """Put ``numpy.random`` into ``state`` for a while; gives the caller's state back after."""
    callers = np.random.get_state()
    np.random.set_state(state)
    try:
        yield np.random.get_state
    finally:
        np.random.set_state(callers)


class _SigintFlag:
    """Notes a first SIGINT instead of raising it; the second raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.raised = False

    def __enter__(self) -> "_SigintFlag":
        # Python handles signals in the main thread only; nohup and the like ignore this one.
        self._active = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        )
        if self._active:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        self.raised = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *exc: object) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._previous)
