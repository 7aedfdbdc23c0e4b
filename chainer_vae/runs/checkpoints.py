"""Checkpoints: models, optimizers and training states as npz files, in Chainer's layout.

``chainer.serializers.load_npz`` unpickles what it finds, so a prepared file can run a program when
it is loaded.  The functions here read the same files, and take numbers and text only.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

import chainer
import numpy as np
from chainer.serializers import DictionarySerializer, NpzDeserializer

from chainer_vae import validation
from chainer_vae.errors import InputError, NonFiniteLossError
from chainer_vae.runs.files import written_whole
from chainer_vae.runs.folder import LOG_COLUMNS
from chainer_vae.training import Training

Arrays = Mapping[str, np.ndarray]
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


def load_npz(path: Union[str, Path]) -> dict[str, np.ndarray]:
    """Read every array of an npz file; nothing in it is executed.

    Raises:
        InputError: The file is missing, unreadable, truncated, not an npz file, or holds
            Python objects.
    """
    path = validation.path("path", path)
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(f"{path} is not an npz file, or it is truncated")
            file.seek(0)
            with np.load(file, allow_pickle=False) as npz:
                arrays = {name: npz[name] for name in npz.files}
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except InputError:
        raise
    except Exception as error:  # a damaged file makes zipfile and NumPy raise nearly anything
        if "allow_pickle" in str(error):
            raise InputError(
                f"{path} holds Python objects, which could run a program when loaded; refused"
            ) from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is damaged: {reason}") from None
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise InputError(f"{path} is not an npz file: it holds other things than arrays")
    return arrays


def restore_model(model: chainer.Link, arrays: Arrays, source: Union[str, Path]) -> None:
    """Copy saved parameters into ``model``, on whatever device it is.

    Args:
        model: Has the same links as the saved one.
        arrays: What :func:`load_npz` read.
        source: Where they come from, for messages.

    Raises:
        InputError: A parameter is missing or has another shape; the model is left as it was.
    """
    for name, param in model.namedparams():
        _check(arrays, name.lstrip("/"), param.shape, source)
    NpzDeserializer(arrays).load(model)


def restore_optimizer(
    optimizer: chainer.Optimizer, arrays: Arrays, source: Union[str, Path]
) -> None:
    """Copy a saved Adam state into ``optimizer``, set up for its model.

    Chainer 2, the article's, did not count the updates of each parameter by itself; its files
    load, too.

    Raises:
        InputError: An entry is missing or has another shape than its parameter; the
            optimizer is left as it was.
    """
    arrays = dict(arrays)
    _check(arrays, "t", (), source)
    if arrays["t"] == 0:  # saved before the first update: there are no moments yet
        return
    for path, param in optimizer.target.namedparams():
        name = path.lstrip("/")
        arrays.setdefault(f"{name}/t", arrays["t"])
        _check(arrays, f"{name}/t", (), source)
        for moment in ("m", "v"):
            _check(arrays, f"{name}/{moment}", param.shape, source)
    NpzDeserializer(arrays).load(optimizer)


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
        arrays: What :func:`load_npz` read.
        source: Where they come from, for messages.

    Returns:
        list of dict: The log; None if the state is of before version 1.0, and has none.

    Raises:
        InputError: Something is missing or cannot be.
    """
    own = _below("training/", arrays)
    restore_model(training.model, _below("model/", own), source)
    restore_optimizer(training.optimizer, arrays, source)
    try:
        training.epoch = int(own["epoch"])
        training.permutation = own["permutation"]
        training.position = int(own["position"])
        training.sums = own["sums"].reshape(2)
        training.elapsed = float(own["elapsed"])
        training.random_state = (
            "MT19937",
            own["random/keys"],
            int(own["random/position"]),
            int(own["random/has_gauss"]),
            float(own["random/cached_gaussian"]),
        )
        np.random.RandomState().set_state(training.random_state)
    except (LookupError, TypeError, ValueError):
        raise InputError(f"{source} holds no valid state of a training") from None
    n = len(training.permutation)
    if not (
        n in (0, len(training.images))
        and 0 <= training.position <= n
        and np.array_equal(np.sort(training.permutation), np.arange(n))
    ):
        raise InputError(f"{source} holds no valid state of a training")
    if "log" not in own:
        return None
    if own["log"].shape != (training.epoch, len(LOG_COLUMNS)):
        raise InputError(f"{source} holds no valid state of a training")
    log = [dict(zip(LOG_COLUMNS, row)) for row in own["log"].tolist()]
    return [
        {**entry, "epoch": int(entry["epoch"]), "iteration": int(entry["iteration"])}
        for entry in log
    ]


def _below(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _check(arrays: Arrays, name: str, shape: tuple[int, ...], source: Union[str, Path]) -> None:
    if name not in arrays:
        raise InputError(f"{source} has no {name}: it is not the file that is expected here")
    found = arrays[name]
    if found.shape != shape:
        raise InputError(
            f"{source} has other sizes: its {name} has shape {found.shape}, but {shape} is needed"
        )
    if found.dtype.kind not in "fiu":
        raise InputError(f"{source} holds no numbers in {name}, but {found.dtype}")
