"""Reading files that may hold anything: regular ones only, and never more of them than expected.

A run, a model or a data set may come from someone else.  A FIFO or a device in the place of a file
(a link is enough) would be waited for, or never end; a few bytes of gzip unpack to a thousand times
as many.
"""

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from chainer_vae.errors import InputError

PIECE = 1 << 16  # bytes that are read, or unpacked, at a time
DEFLATE_RATIO = 1032  # Deflate, of gzip and zip, packs no more bytes than these into one
EMPTY_MEMBERS = 100  # of a gzip file, at most; bgzip ends its files with one
GZIP_FORMAT = 31  # zlib: with the header and the checksum of gzip, and the largest window


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""


def is_there(path: Path) -> bool:
    """Whether there is a file or a folder, where a link leads, too.

    Raises:
        InputError: That cannot be told: a folder may not be read, or the name is too long.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    return True


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading, in a block where failing to read is one line.

    Raises:
        InputError: There is no such file, it is no regular one, or cannot be read.
    """
    try:
        _require_regular(path, os.stat(path).st_mode)  # first: to open a FIFO waits for a writer
        with open(path, "rb", opener=_open_without_waiting) as file:
            _require_regular(path, os.fstat(file.fileno()).st_mode)  # replaced meanwhile
            yield file
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _require_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise InputError(f"cannot read {path}: it is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"cannot read {path}: it is a pipe or a device, not a file")


def read(stream: Stream, most: int) -> bytearray:
    """The next ``most`` bytes, or all up to the end; takes no more memory than there are."""
    content = bytearray()
    while piece := stream.read(min(PIECE, most - len(content))):
        content += piece
    return content


def read_file(path: Path, most: int) -> bytes:
    """The whole content of a file.

    Raises:
        InputError: As :func:`opened`, or it has more than ``most`` bytes.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most else bytes(read(file, most + 1))
    if max(size, len(content)) > most:
        raise InputError(f"{path} is too large: it has more than {most:,} bytes")
    return content


def gunzip(stream: Stream, most: int) -> bytearray:
    """The first ``most`` bytes, or all, of what a gzip file unpacks to; it may have many members.

    Raises:
        EOFError: The file ends within a member.
        zlib.error: It is damaged, is no gzip file, or has more than EMPTY_MEMBERS without content.
    """
    content = bytearray()
    packed = stream.read(PIECE)
    n_empty = 0
    while packed and len(content) < most:
        before = len(content)
        member = zlib.decompressobj(GZIP_FORMAT)
        while not member.eof and len(content) < most:
            packed = packed or stream.read(PIECE)
            if not packed:
                raise EOFError
            content += member.decompress(packed, min(PIECE, most - len(content)))
            packed = member.unconsumed_tail
        n_empty += len(content) == before
        if n_empty > EMPTY_MEMBERS:
            raise zlib.error("it consists of empty parts")
        packed = member.unused_data or stream.read(PIECE)
        if packed.startswith(b"\0"):  # padding, as tapes have it
            break
    return content
