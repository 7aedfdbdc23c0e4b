"""Saving and loading: Chainer's npz layout, written whole or not at all, read without pickle.

``chainer.serializers.load_npz`` unpickles what it finds, so a prepared file runs a program.
The functions here read the same files and take numbers and text only.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Union

import chainer
import numpy as np
from chainer.serializers import DictionarySerializer, NpzDeserializer

from chainer_vae.errors import InputError

Arrays = Mapping[str, np.ndarray]


@contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place at ``path`` only once it has been written to the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_bytes(path: Path, content: bytes) -> None:
    """Write ``content``.

    Raises:
        InputError: The file cannot be written; an older one stays as it was.
    """
    with _written_whole(path) as file:
        file.write(content)


def save_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8.

    Raises:
        InputError: As :func:`save_bytes`.
    """
    save_bytes(path, text.encode("utf-8"))


def save_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON, indented as Chainer's LogReport does.

    Raises:
        InputError: As :func:`save_bytes`.
    """
    save_text(path, json.dumps(content, indent=4) + "\n")


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from None


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
    with _written_whole(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_npz(path: Union[str, Path]) -> dict[str, np.ndarray]:
    """Read every array of an npz file; nothing in it is executed.

    Raises:
        InputError: The file is missing, unreadable, truncated, not an npz file, or holds
            Python objects.
    """
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


def _check(arrays: Arrays, name: str, shape: tuple[int, ...], source: Union[str, Path]) -> None:
    if name not in arrays:
        raise InputError(f"{source} has no {name}: it does not hold what is expected here")
    found = arrays[name]
    if found.shape != shape:
        raise InputError(
            f"{source} is of other sizes: its {name} has shape {found.shape}, but {shape} is needed"
        )
    if found.dtype.kind not in "fiu":
        raise InputError(f"{source} holds no numbers in {name}, but {found.dtype}")
