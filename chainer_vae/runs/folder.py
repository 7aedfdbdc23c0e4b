"""A run's folder: what its files are called, and what config.json and the log say.

::

    mlp_20.model   the parameters, as Chainer saves them (20: the number of latent dimensions)
    mlp_20.state   the optimizer, as Chainer saves it, and what else the training needs to resume
    log            the losses of every epoch, in the layout of Chainer's LogReport
    graph.dot      the computational graph of the first loss, for Graphviz
    config.json    the settings, the images' size and checksums, and what the run was computed on
    snapshots      where that is a setting: the parameters after some of the epochs, epoch_5.model
    .lock          held by the program that trains it
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Optional, Union

from chainer_vae import validation
from chainer_vae.config import Config
from chainer_vae.errors import InputError
from chainer_vae.reading import is_there
from chainer_vae.runs.files import load_json, remove_temporaries, save_json
from chainer_vae.validation import MAX_SIZE
from chainer_vae.version import __version__

CONFIG, LOG, GRAPH, SNAPSHOTS = "config.json", "log", "graph.dot", "snapshots"
STARTING = ".config.json.starting"  # what config.json is called until a new run is whole
SNAPSHOT = "epoch_*.model"
CHECKSUMS = "train_images", "test_images"
MAX_LOG = 64 << 20  # bytes
LOG_KEYS = (
    "main/loss",
    "main/rec_loss",
    "validation/main/loss",
    "validation/main/rec_loss",
    "elapsed_time",
)
LOG_COLUMNS = (*LOG_KEYS, "epoch", "iteration")


def model_file(folder: Path, dimz: int) -> Path:
    """The file of the parameters."""
    return folder / f"mlp_{dimz}.model"


def state_file(folder: Path, dimz: int) -> Path:
    """The file of the optimizer and the rest of the training's state."""
    return folder / f"mlp_{dimz}.state"


def snapshot_file(folder: Path, epoch: int) -> Path:
    """The file of the parameters after an epoch."""
    return folder / SNAPSHOTS / f"epoch_{epoch}.model"


def is_snapshot_epoch(epoch: int) -> bool:
    """Whether a snapshot is taken after this epoch: about six for each power of ten."""
    while epoch >= 100 and epoch % 10 == 0:
        epoch //= 10
    return epoch in (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70)


def snapshot_epochs(folder: Path, last: int) -> Iterator[int]:
    """The epochs up to ``last`` of which the folder has a snapshot, in order."""
    found = []
    for file in (folder / SNAPSHOTS).glob(SNAPSHOT):
        digits = file.stem[len("epoch_") :]
        if digits.isdecimal() and digits == str(int(digits)) and int(digits) <= last:
            found.append(int(digits))
    yield from sorted(found)


def require_no_links(folder: Path, dimz: int) -> None:
    """Refuse to write a run of which a file is a link: what it leads to would be overwritten.

    A folder from elsewhere may have such links.  The run's folder itself may be one.

    Raises:
        InputError: One is a link.
    """
    files = [model_file(folder, dimz), state_file(folder, dimz)]
    files += [folder / name for name in (CONFIG, STARTING, LOG, GRAPH, SNAPSHOTS)]
    for file in (*files, *(folder / SNAPSHOTS).glob(SNAPSHOT)):
        if file.is_symlink():
            raise InputError(
                f"{file} is a link, and what it leads to would be overwritten: put a copy there"
            )


def remove_leftovers(folder: Path, dimz: int) -> None:
    """Remove the half-written files of a run that was killed; nobody else may be writing it."""
    files = (model_file(folder, dimz), state_file(folder, dimz))
    for name in (CONFIG, STARTING, LOG, GRAPH, *(file.name for file in files)):
        remove_temporaries(folder, name, age=0)
    remove_temporaries(folder / SNAPSHOTS, SNAPSHOT, age=0)


@dataclass
class RunInfo:
    """What a run's config.json says.

    Attributes:
        config: The settings.
        image_shape: Height and width of the images, in pixels.
        checksums: CRC-32 of the training and the test images; None if it was not recorded.
        environments: From which epoch on, when, with which versions, on what and by which backend
            the run was computed.
    """

    config: Config
    image_shape: tuple[int, int]
    checksums: Optional[dict[str, int]]
    environments: list[dict[str, Any]]

    @property
    def n_in(self) -> int:
        """Number of pixels of an image."""
        return math.prod(self.image_shape)


def save_info(file: Path, info: RunInfo) -> None:
    """Write a run's config.json.

    Raises:
        InputError: It cannot be written.
    """
    content = {
        "arguments": asdict(info.config),
        "n_in": info.n_in,
        "image_shape": list(info.image_shape),
        "checksums": info.checksums,
        "environments": info.environments,
    }
    save_json(file, content)


def load_info(folder: Union[str, Path]) -> RunInfo:
    """Read a run's config.json.

    Args:
        folder: The folder of the run; see :func:`chainer_vae.runs.find_run`.

    Returns:
        RunInfo: Its settings, the images' shape and checksums, and what it was computed on.

    Raises:
        InputError: There is no run, or its config.json is not one of ours.

    Example:
        >>> from chainer_vae.runs import find_run, load_info
        >>> info = load_info(find_run("z20"))
        >>> info.config.dimz, info.image_shape
        (20, (28, 28))
    """
    folder = validation.path("folder", folder)
    if not is_there(folder / CONFIG):
        fault = f"it has no {CONFIG}" if is_there(folder) else "there is no such folder"
        raise InputError(f"{folder} holds no run: {fault}")
    return read_info(folder / CONFIG)


def read_info(file: Path) -> RunInfo:
    """Read a file of a run's settings, whatever it is called.

    Raises:
        InputError: It is missing, or not one of ours.
    """
    content = load_json(file)
    try:
        arguments = {**content["arguments"]}
        unknown = sorted(arguments.keys() - {field.name for field in fields(Config)})
        for name in unknown:
            del arguments[name]
        info = RunInfo(
            Config(**arguments),
            _image_shape(content),
            content.get("checksums"),
            content["environments"],
        )
        sound = _are_checksums(info.checksums) and _are_environments(info.environments)
    except (LookupError, TypeError, AttributeError, ValueError):
        sound = False
    if not sound:
        raise InputError(f"{file} does not hold the settings of a run")
    if unknown:  # without which the run is another
        raise InputError(
            f"{file} has the setting {unknown[0]!r}, which chainer-vae {__version__} does not know:"
            " use the version that trained the run"
        )
    return info


def _are_environments(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _are_checksums(value: Any) -> bool:
    """Whether this is what :func:`chainer_vae.runs.images.checksums` returns, or None."""
    if value is None:
        return True
    for name in CHECKSUMS:
        validation.whole_number(name, value[name], 0, 2**32 - 1)
    return len(value) == len(CHECKSUMS)


def _image_shape(content: dict[str, Any]) -> tuple[int, int]:
    """Height and width; of a run that did not record them, those of a square."""
    n_in = content["n_in"]
    validation.whole_number("n_in", n_in, 1, MAX_SIZE)
    side = math.isqrt(n_in)
    height, width = content.get("image_shape", (side, side) if side * side == n_in else (1, n_in))
    for name, value in (("height", height), ("width", width)):
        validation.whole_number(name, value, 1, MAX_SIZE)
    if height * width != n_in:
        raise InputError(f"{height} x {width} are not {n_in} pixels")
    return height, width


def load_log(file: Union[str, Path], epochs: Optional[int] = None) -> list[dict[str, float]]:
    """The losses of a run, an entry for each epoch, as :meth:`Run.train` yields them.

    Args:
        file: The run's ``log``.
        epochs: How many to take, at least those; a run cut off while saving has one more than
            its state.  By default, all.

    Returns:
        list of dict: For each epoch, ``main/loss`` and ``validation/main/loss`` (training and
        test), ``main/rec_loss`` and ``validation/main/rec_loss``, in nats per image; ``epoch``,
        ``iteration``, and ``elapsed_time`` in seconds.

    Raises:
        InputError: The file is missing or unreadable, or is not such a log.

    Example:
        >>> from chainer_vae.runs import find_run, load_log
        >>> log = load_log(find_run("z20") / "log")
        >>> len(log), round(log[-1]["validation/main/loss"], 1)
        (100, 97.1)
    """
    if epochs is not None:
        epochs = validation.whole_number("epochs", epochs, 0)
    log = load_json(validation.path("file", file), MAX_LOG)
    expected = "a run's epochs" if epochs is None else f"{epochs} epochs"
    entries = log[:epochs] if isinstance(log, list) else []
    sound = isinstance(log, list) and len(entries) == (len(log) if epochs is None else epochs)
    if not (sound and all(is_entry(entry, i) for i, entry in enumerate(entries, 1))):
        raise InputError(f"{file} is not a log of {expected}")
    return entries


def is_entry(entry: Any, epoch: int) -> bool:
    """Whether this is the log's entry of an epoch."""
    try:
        validation.whole_number("epoch", entry["epoch"], epoch, epoch)
        validation.whole_number("iteration", entry["iteration"], epoch)
        validation.weight("elapsed_time", entry["elapsed_time"])
        for key in LOG_KEYS:
            validation.number(key, entry[key])
    except (LookupError, TypeError, InputError):
        return False
    return True
