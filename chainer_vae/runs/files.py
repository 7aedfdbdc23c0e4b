"""Files written atomically, whole or not at all, and JSON.

Whatever the package writes, it writes by these functions.
"""

import errno
import glob
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from chainer_vae import reading
from chainer_vae.errors import InputError

# Windows says these of a file that another program has open (32, 33), or of one that it has open or
# that may not be changed (5).
WINDOWS_IN_USE = (5, 32, 33)
PATIENCE = 5.0  # seconds
LEFT_BEHIND = 3600.0  # seconds after which a half-written file is nobody's
# What a file system says that cannot put a folder's entries on the disk by itself, or may not.
NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF)
MAX_JSON = 16 << 20  # bytes
MAX_DIGITS = 400  # of a whole number in JSON


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that replaces the one at ``path`` only once all of it is on the disk.

    A link stays one: what it leads to is replaced. The permissions of an older file stay.

    Raises:
        InputError: It cannot be written; an older one stays as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is there already, and no file")
    # Not tempfile's: on Windows, that tries 2 billion names in a folder that cannot be written.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        make_folder(path.parent)
        remove_temporaries(path.parent, glob.escape(path.name), LEFT_BEHIND)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def append_whole(path: Path, content: bytes) -> None:
    """Append to a file, which is made if missing: all of ``content``, or nothing.

    Raises:
        InputError: It cannot be written; what was there stays.
    """
    try:
        make_folder(path.parent)
        with open(path, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
            except BaseException:
                file.truncate(size)
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def check_writable(path: Path) -> None:
    """Find out before a long computation whether its result can be written to ``path``.

    Nothing is left of it.

    Raises:
        InputError: It cannot.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        with suppress(_Unwritten), written_whole(path):
            raise _Unwritten
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


class _Unwritten(Exception):
    """Ends the writing of a file that is not to be there."""


def replace(source: Path, target: Path) -> None:
    """As os.replace, and on the disk when it returns.

    Raises:
        InputError: It cannot be done.
    """
    try:
        _replace_patiently(source, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None


def _replace_patiently(source: Path, target: Path) -> None:
    """As os.replace, but waits for other programs, which Windows does not let a file be replaced
    under: a virus scanner, an indexer or a synchronized folder has it open for a moment only."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in WINDOWS_IN_USE:
                raise
            if time.monotonic() >= give_up:
                raise InputError(
                    f"cannot write {target}: {error.strerror}; another program may have it open:"
                    " close it there, and try again"
                ) from None
        time.sleep(0.1)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises:
        OSError: It cannot be made.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: without it, a file that was written whole may be gone
    after a power cut."""
    if os.name != "posix":  # no cover: Windows has no such call
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def remove_temporaries(folder: Path, name: str, age: float) -> None:
    """Remove what :func:`written_whole` left of files where the program was killed.

    Args:
        folder: Where the files are.
        name: Their name; a pattern, as of :mod:`glob`.
        age: For how many seconds nothing must have been written to them, at least.
    """
    for file in folder.glob(f".{name}.{'[0-9a-f]' * 8}"):
        with suppress(OSError):  # another program may have been faster
            if time.time() - file.stat().st_mtime >= age:
                file.unlink()


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
    save_text(path, json.dumps(content, indent=4, allow_nan=False) + "\n")


def load_json(path: Path, most: int = MAX_JSON) -> Any:
    """Read a JSON file in which every name is once in its object, and all numbers are finite.

    Raises:
        InputError: The file is missing, no regular one, unreadable, larger than ``most`` bytes, or
            not such JSON.
    """
    content = reading.read_file(path, most)
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_each_once,
            parse_int=_whole_number,
            parse_float=_finite_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file: {error}") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice in one object")
    return found


def _finite_number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"it has {digits}, which is too large")
    return number


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:  # Python needs minutes for millions of them
        raise ValueError("it has a number of too many digits")
    return int(digits)


def _no_number(name: str) -> None:
    raise ValueError(f"it has {name}, which is no number")
