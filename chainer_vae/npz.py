"""npz files, of which nothing is read that was not asked for, and nothing is executed.

A header says of each array how large it is, and of what: that is compared with what is expected,
and with the size of the file, before the array itself is read.
"""

import io
import math
import os
import weakref
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Union

import numpy as np

from chainer_vae import reading
from chainer_vae.errors import InputError

MAGIC = b"\x93NUMPY\x01\x00"  # of an array in format 1.0, the only one for numbers and text
MAX_HEADER = 1024  # bytes of an array's header; NumPy writes 118
MAX_PIECE = 1 << 20  # bytes that zipfile may read at once, as for its list of the members
MAX_REASON = 200  # characters of what zipfile or NumPy says
KINDS = "biufcSU"  # of dtypes: numbers and text
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as NumPy does


class Header(NamedTuple):
    """What is known of an array before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool = False


class Npz(Mapping[str, np.ndarray]):
    """The arrays of an npz file by their names, each read when it is first asked for.

    The file stays open, so that all are of one file even if it is replaced meanwhile: until all
    have been read, :meth:`close` or the end of a ``with`` block, or as long as the object exists.

    Raises:
        InputError: The file is missing, no regular one, unreadable, truncated, damaged or not an
            npz file, or holds Python objects; or, when an array is read, that is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays: dict[str, np.ndarray] = {}
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._headers: dict[str, Header] = {}
        with ExitStack() as opened:
            file = opened.enter_context(reading.opened(path))
            if not zipfile.is_zipfile(file):
                raise InputError(f"{path} is not an npz file, or it is truncated")
            with self._one_line():
                self._zip = opened.enter_context(zipfile.ZipFile(_InPieces(file)))
                self._read_headers(os.fstat(file.fileno()).st_size)
            self.close = weakref.finalize(self, opened.pop_all().close)

    def __enter__(self) -> "Npz":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._headers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __contains__(self, name: object) -> bool:
        return name in self._headers

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            header = self._headers[name]
            with self._one_line():
                self._arrays[name] = self._read(self._members[name], header)
            if len(self._arrays) == len(self._headers):
                self.close()
        return self._arrays[name]

    def header(self, name: str) -> Header:
        """What the file says of an array."""
        return self._headers[name]

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """A damaged file makes zipfile and NumPy raise nearly anything."""
        try:
            yield
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"cannot read {self._path}: {error.strerror or error}") from None
        except Exception as error:
            reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
            raise InputError(f"{self._path} is damaged: {reason}") from None

    def _read_headers(self, file_size: int) -> None:
        for member in self._zip.infolist():
            name = member.filename
            name = name[: -len(".npy")] if name.endswith(".npy") else name
            if name in self._headers:
                raise ValueError(f"it holds {name} twice")
            if member.compress_type not in PACKED:
                raise ValueError(f"its {name} is packed in another way than NumPy's")
            with self._zip.open(member) as stream:
                start = stream.read(len(MAGIC) + 2)
                if not start.startswith(MAGIC):
                    raise InputError(
                        f"{self._path} is not an npz file: it holds other things than arrays"
                    )
                size = int.from_bytes(start[len(MAGIC) :], "little")
                if size > MAX_HEADER:
                    raise ValueError(f"the header of its {name} is too long")
                header = _parsed(start[len(MAGIC) :] + stream.read(size))
            if header.dtype.hasobject:
                raise InputError(
                    f"{self._path} holds Python objects, which could run a program when loaded;"
                    " refused"
                )
            if header.dtype.kind not in KINDS:
                raise ValueError(f"its {name} holds neither numbers nor text")
            unpacked = len(start) + size + math.prod(header.shape) * header.dtype.itemsize
            most = member.compress_size
            most *= reading.DEFLATE_RATIO if member.compress_type == zipfile.ZIP_DEFLATED else 1
            if not unpacked == member.file_size <= most or member.compress_size > file_size:
                raise ValueError(f"the size of its {name} is not what its header says")
            self._members[name], self._headers[name] = member, header

    def _read(self, member: zipfile.ZipInfo, header: Header) -> np.ndarray:
        if not self.close.alive:
            raise ValueError(f"{self._path} has been closed")
        content = np.empty(math.prod(header.shape) * header.dtype.itemsize, np.uint8)
        with self._zip.open(member) as stream:
            stream.read(member.file_size - content.size)
            done = 0
            while piece := stream.read(reading.PIECE):
                content[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
                done += len(piece)
        if done < content.size:
            raise EOFError("it ends too early")
        array = content.view(header.dtype)
        if header.fortran_order:
            return array.reshape(header.shape[::-1]).T
        return array.reshape(header.shape)


class _InPieces:
    """A file for zipfile, which would read as much at once as the file tells it to."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        if size > MAX_PIECE:
            raise ValueError("its list of arrays is too long")
        return self._read(size)


def _parsed(header: bytes) -> Header:
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(header))
    if min(shape, default=0) < 0:
        raise ValueError(f"it has an array of shape {shape}")
    return Header(shape, dtype, fortran_order)


class Entry(NamedTuple):
    """What an array in a file may be.

    Attributes:
        shape: Its shape.
        kinds: Of its dtype, in NumPy's letters: "iu" for whole numbers, "fiu" for any.
        least, most: The limits of its numbers; without them, it may also hold NaN.
    """

    shape: tuple[int, ...]
    kinds: str
    least: float = -math.inf
    most: float = math.inf


Table = Mapping[str, Entry]
Arrays = Mapping[str, np.ndarray]


def header_of(arrays: Arrays, name: str, source: Union[str, Path]) -> Header:
    """The shape and the dtype of an array, which is not read for that.

    Raises:
        InputError: There is none of this name.
    """
    if name not in arrays:
        raise InputError(f"{source} has no {name}: it is not the file that is expected here")
    if isinstance(arrays, Npz):
        return arrays.header(name)
    array = np.asarray(arrays[name])
    return Header(array.shape, array.dtype)


def check_headers(arrays: Arrays, table: Table, source: Union[str, Path]) -> None:
    """Compare arrays with a table, without reading them.

    Raises:
        InputError: One is missing, or has another shape or another kind of dtype.
    """
    for name, entry in table.items():
        found = header_of(arrays, name, source)
        if found.shape != entry.shape:
            raise InputError(
                f"{source} has other sizes:"
                f" its {name} has shape {found.shape}, but {entry.shape} is needed"
            )
        if found.dtype.kind not in entry.kinds:
            numbers = "whole numbers" if "f" not in entry.kinds else "numbers"
            raise InputError(f"{source} holds no {numbers} in {name}, but {found.dtype}")


def read_entries(arrays: Arrays, table: Table, source: Union[str, Path]) -> dict[str, np.ndarray]:
    """The arrays that a table names, and no others.

    Args:
        arrays: What there is: a file, or a dictionary.
        table: What each may be.
        source: Where they come from, for messages.

    Raises:
        InputError: As :func:`check_headers`, before any is read; or a number is out of its limits.
    """
    check_headers(arrays, table, source)
    read = {}
    for name, entry in table.items():
        read[name] = array = np.asarray(arrays[name])
        if (entry.least, entry.most) == (-math.inf, math.inf):
            continue
        least, most = np.float64(entry.least), np.float64(entry.most)  # float16 has no such limits
        inside = (array >= least) & (array <= most)  # not so for NaN
        if not inside.all():
            value = array[~inside].flat[0]
            raise InputError(
                f"{source} holds {value} in {name}, but only numbers from {entry.least:g} to"
                f" {entry.most:g} can be there"
            )
    return read
