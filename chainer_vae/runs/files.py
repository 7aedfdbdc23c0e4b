"""Files written atomically, whole or not at all, and JSON.

Whatever the package writes, it writes by these functions.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chainer_vae.errors import InputError


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that replaces the one at ``path`` only once all of it is on the disk.

    Raises:
        InputError: It cannot be written; an older one stays as it was.
    """
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
    with written_whole(path) as file:
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
