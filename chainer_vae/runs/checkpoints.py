"""Checkpoints: models, optimizers and training states as npz files, in Chainer's layout.

``chainer.serializers.load_npz`` unpickles what it finds, so a prepared file can run a program when
it is loaded.  The functions here read the same files, and take numbers and text only.
"""

import io
import json
import math
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Optional, Union

import chainer
import numpy as np
from chainer.serializers import DictionarySerializer, NpzDeserializer

from chainer_vae import validation
from chainer_vae.config import Config
from chainer_vae.decoders import build_model
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.npz import Arrays, Entry, Npz, check_headers, header_of, read_entries
from chainer_vae.random_numbers import numpy_random
from chainer_vae.runs.files import written_whole
from chainer_vae.runs.folder import LOG_COLUMNS, is_entry
from chainer_vae.training import Training
from chainer_vae.validation import MAX_SIZE

MAX_UPDATES = MAX_SIZE**2  # of an optimizer
MAX_FLOAT = sys.float_info.max
NUMBERS, WHOLE = "fiu", "iu"  # kinds of dtypes

Log = list[dict[str, float]]


def to_arrays(target: Union[chainer.Link, chainer.Optimizer]) -> dict[str, np.ndarray]:
    """The content of a model or an optimizer under the names that Chainer's npz files use."""
    serializer = DictionarySerializer()
    serializer.save(target)
    return serializer.target


def save_npz(path: Path, arrays: Arrays) -> None:
    """Write arrays as an npz file, which ``chainer.serializers.load_npz`` reads.

    Raises:
        InputError: As :func:`save_bytes`.
    """
    # To memory first: on a full disk, Python 3.9 would print tracebacks of a zip file left open.
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    with written_whole(path) as file:
        file.write(content.getbuffer())


def load_npz(path: Union[str, Path]) -> Npz:
    """The arrays of an npz file, each read when it is first asked for; nothing is executed.

    In a ``with`` block, the file is closed at its end.

    Raises:
        InputError: The file is missing, unreadable, truncated, not an npz file, or holds
            Python objects.
    """
    return Npz(validation.path("path", path))


def check_sizes(
    arrays: Arrays, config: Config, n_in: int, source: Union[str, Path], prefix: str = ""
) -> None:
    """Find out whether parameters are a model's, before either is in memory.

    Args:
        arrays: What :func:`load_npz` returned.
        config: The settings of the model.
        n_in: Number of pixels of an image.
        source: Where they come from, for messages.
        prefix: How the names of the parameters begin.

    Raises:
        InputError: A parameter is missing, or has another shape.
    """
    shapes = parameter_shapes(config, n_in)
    table = {prefix + name: Entry(shape, NUMBERS) for name, shape in shapes.items()}
    check_headers(arrays, table, source)


def parameter_shapes(config: Config, n_in: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a model's parameters, by their names in an npz file, without the model.

    Args:
        config: The settings of the model.
        n_in: Number of pixels of an image.
    """
    # A small model has the same parameters, and each of its sizes tells what it stands for.
    sizes = {1: n_in, 2: config.dimz, 3: config.dim_h}
    with numpy_random(np.random.RandomState(0)):
        small = build_model(replace(config, dimz=2, dim_h=3), n_in=1)
    return {
        path.lstrip("/"): tuple(sizes[size] for size in param.shape)
        for path, param in small.namedparams()
    }


def require_activation(arrays: Arrays, act: str, source: Union[str, Path]) -> None:
    """Refuse weights that were trained for another activation, where their file says so, as that of
    ``export --format npz`` does.

    Raises:
        InputError: They were.
    """
    try:
        found = json.loads(str(arrays["settings"]))["act"]
    except (KeyError, TypeError, ValueError):  # nothing is said, or by another program
        return
    if found != act:
        raise InputError(f"{source} was trained with --act {found}, not {act}: give that, too")


def restore_model(
    model: chainer.Link, arrays: Arrays, source: Union[str, Path], finite: bool = False
) -> None:
    """Copy saved parameters into ``model``, on whatever device it is.

    Args:
        model: Has the same links as the saved one.
        arrays: What :func:`load_npz` returned.
        source: Where they come from, for messages.
        finite: Whether to refuse infinity and NaN, with which no training can go on.

    Raises:
        InputError: A parameter is missing, has another shape or cannot be; the model is left as it
            was.
    """
    NpzDeserializer(_read_model(model, arrays, source, finite)).load(model)


def restore_optimizer(
    optimizer: chainer.Optimizer, arrays: Arrays, source: Union[str, Path]
) -> None:
    """Copy a saved Adam state into ``optimizer``, set up for its model.

    Chainer 2, the article's, did not count the updates of each parameter by itself; its files
    load, too.

    Raises:
        InputError: An entry is missing, has another shape than its parameter, or cannot be; the
            optimizer is left as it was.
    """
    read = _read_optimizer(optimizer, arrays, source)
    if read["t"] > 0:  # else saved before the first update: there are no moments yet
        NpzDeserializer(read).load(optimizer)


def require_finite(arrays: Arrays, when: str) -> None:
    """Refuse to save what is of no use, over what may be.

    Raises:
        NonFiniteLossError: A number is infinite or not a number.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NonFiniteLossError(f"{name} is not finite {when}")


def training_to_arrays(training: Training, log: Log) -> dict[str, np.ndarray]:
    """What a .state file holds: the optimizer, as Chainer saves it, and under "training/" what else
    a training needs to resume exactly.

    That is the parameters and the log again (the .model and the log are not written at the same
    instant), the state of the random generator, and the position in the epoch.
    """
    _, keys, position, has_gauss, cached_gaussian = training.random_state
    own: dict[str, Any] = {
        "epoch": training.epoch,
        "permutation": training.permutation,
        "position": training.position,
        "sums": training.sums,
        "elapsed": training.elapsed,
        "log": np.array([[entry[key] for key in LOG_COLUMNS] for entry in log]).reshape(
            len(log), len(LOG_COLUMNS)
        ),
        "random/keys": keys,
        "random/position": position,
        "random/has_gauss": has_gauss,
        "random/cached_gaussian": cached_gaussian,
        **{f"model/{name}": array for name, array in to_arrays(training.model).items()},
    }
    arrays = to_arrays(training.optimizer)
    arrays.update({f"training/{name}": np.asarray(value) for name, value in own.items()})
    return arrays


def restore_training(training: Training, arrays: Arrays, source: Union[str, Path]) -> Optional[Log]:
    """Bring a training to where :func:`training_to_arrays` took its state.

    Args:
        training: Has the same settings and images as the saved one.
        arrays: What :func:`load_npz` returned.
        source: Where they come from, for messages.

    Returns:
        list of dict: The log; None if the state is of before version 1.0, and has none.

    Raises:
        InputError: Something is missing or cannot be; the training is left as it was.
    """
    model = _read_model(training.model, arrays, source, finite=True, prefix="training/model/")
    optimizer = _read_optimizer(training.optimizer, arrays, source)
    own = _read_own(training, arrays, source)
    _check_progress(training, own, int(optimizer["t"]), source)
    NpzDeserializer(model).load(training.model)
    if optimizer["t"] > 0:
        NpzDeserializer(optimizer).load(training.optimizer)
    training.epoch = int(own["epoch"])
    training.permutation = own["permutation"].astype(np.int32)
    training.position = int(own["position"])
    training.sums = own["sums"].astype(float)
    training.elapsed = float(own["elapsed"])
    training.random_state = (
        "MT19937",
        own["random/keys"].astype(np.uint32),
        int(own["random/position"]),
        int(own["random/has_gauss"]),
        float(own["random/cached_gaussian"]),
    )
    if "log" not in own:
        return None
    return _to_log(own["log"])


def _read_model(
    model: chainer.Link, arrays: Arrays, source: Union[str, Path], finite: bool, prefix: str = ""
) -> dict[str, np.ndarray]:
    table = {}
    for path, param in model.namedparams():
        limits = (-_largest(param), _largest(param)) if finite else ()
        table[prefix + path.lstrip("/")] = Entry(param.shape, NUMBERS, *limits)
    read = read_entries(arrays, table, source)
    return {name[len(prefix) :]: array for name, array in read.items()}


def _read_optimizer(
    optimizer: chainer.Optimizer, arrays: Arrays, source: Union[str, Path]
) -> dict[str, np.ndarray]:
    updates = Entry((), WHOLE, 0, MAX_UPDATES)
    read = read_entries(arrays, {"t": updates, "epoch": updates}, source)
    if read["t"] == 0:
        return read
    table = {}
    for path, param in optimizer.target.namedparams():
        name = path.lstrip("/")
        if f"{name}/t" in arrays:
            table[f"{name}/t"] = updates
        else:
            read[f"{name}/t"] = read["t"]
        table[f"{name}/m"] = Entry(param.shape, "f", -_largest(param), _largest(param))
        table[f"{name}/v"] = Entry(param.shape, "f", 0, _largest(param))
    return {**read, **read_entries(arrays, table, source)}


def _read_own(
    training: Training, arrays: Arrays, source: Union[str, Path]
) -> dict[str, np.ndarray]:
    """What a state holds beside the model and the optimizer."""
    prefix = "training/"
    between_epochs = header_of(arrays, f"{prefix}permutation", source).shape == (0,)
    n = 0 if between_epochs else len(training.images)
    table = {
        "epoch": Entry((), WHOLE, 0, MAX_SIZE),
        "permutation": Entry((n,), WHOLE, 0, n),
        "position": Entry((), WHOLE, 0, n),
        "sums": Entry((2,), "f", -MAX_FLOAT, MAX_FLOAT),
        "elapsed": Entry((), "f", 0, MAX_FLOAT),
        "random/keys": Entry((624,), WHOLE, 0, 2**32 - 1),
        "random/position": Entry((), WHOLE, 0, 624),
        "random/has_gauss": Entry((), WHOLE, 0, 1),
        "random/cached_gaussian": Entry((), "f", -MAX_FLOAT, MAX_FLOAT),
    }
    if f"{prefix}log" in arrays:
        epochs = header_of(arrays, f"{prefix}log", source).shape[:1]
        table["log"] = Entry((*epochs, len(LOG_COLUMNS)), "f", -MAX_FLOAT, MAX_FLOAT)
    read = read_entries(arrays, {prefix + name: entry for name, entry in table.items()}, source)
    return {name: read[prefix + name] for name in table}


def _check_progress(
    training: Training, own: Arrays, updates: int, source: Union[str, Path]
) -> None:
    """Refuse a state whose entries, each for itself possible, do not fit each other."""
    n, batchsize = len(own["permutation"]), training.config.batchsize
    epoch, position = int(own["epoch"]), int(own["position"])
    steps = epoch * training.steps_per_epoch + math.ceil(position / batchsize)
    keys = own["random/keys"]
    fault = ""
    if not np.array_equal(np.sort(own["permutation"]), np.arange(n)):
        fault = "its permutation does not have every image once"
    elif position % batchsize != 0 and position != n:
        fault = f"its position {position} is not between two batches of {batchsize}"
    elif updates < steps:  # more, where the optimizer has come from another run
        fault = f"its optimizer has made {updates} updates in {steps} steps"
    elif "log" in own and not (
        len(own["log"]) == epoch and all(map(is_entry, _to_log(own["log"]), count(1)))
    ):
        fault = f"its log is not of {epoch} epochs"
    elif keys[0] < 2**31 and not keys[1:].any():  # of MT19937: it gives zeros for ever
        fault = "its random generator would never give a number"
    if fault:
        raise InputError(f"{source} holds no valid state of a training: {fault}")


def _to_log(rows: np.ndarray) -> Log:
    """The log that a .state holds as numbers."""
    log = [dict(zip(LOG_COLUMNS, row)) for row in rows.tolist()]
    for entry in log:
        for key in ("epoch", "iteration"):
            if entry[key].is_integer():
                entry[key] = int(entry[key])
    return log


def _largest(param: chainer.Parameter) -> float:
    return float(np.finfo(param.dtype).max)
