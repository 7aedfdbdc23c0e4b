"""IDX files, the format of MNIST.

A file is a header of big-endian 32-bit numbers, a magic number and the sizes of the axes, then the
bytes of the array: http://yann.lecun.com/exdb/mnist/.
"""

import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable

import numpy as np

from chainer_vae import reading
from chainer_vae.errors import InputError
from chainer_vae.formats import contents
from chainer_vae.formats.sets import Part, require_sizes
from chainer_vae.validation import size_in_words

IMAGES_MAGIC = 0x00000803  # unsigned bytes, three axes
LABELS_MAGIC = 0x00000801  # unsigned bytes, one axis


def read_part(images_file: Path, labels_file: Path) -> Part:
    """The images and the labels in two IDX files, each gzipped (``.gz``) or not.

    Raises:
        InputError: One cannot be read, is damaged or of another format, or they do not fit each
            other.
    """
    shape = _read_shape(images_file, IMAGES_MAGIC, "images")
    labels_shape = _read_shape(labels_file, LABELS_MAGIC, "labels")
    # Of what the headers say: before all the rest is read, which may be more than there is memory.
    if math.prod(shape) > 0:
        if shape[:1] != labels_shape:
            raise InputError(
                f"{images_file} holds {shape[0]} images,"
                f" but {labels_file.name} holds {labels_shape[0]} labels"
            )
        require_sizes(images_file, *shape)
    labels = _read_numbers(labels_file, labels_shape)
    return Part(_read_numbers(images_file, shape), labels.astype(np.int32))


def _read_shape(file: Path, magic: int, content: str) -> list[int]:
    """What the header of an IDX file says, if the file can have as many bytes."""
    with _unpacked(file) as (packed, unpack):
        size, gzipped = os.fstat(packed.fileno()).st_size, file.suffix == ".gz"
        start = unpack(io.BytesIO(packed.read(reading.PIECE)), 4 + 4 * (magic & 0xFF))
        shape = _shape(file, start, magic, content)
    expected = len(start) + math.prod(shape)
    if expected > size * (reading.DEFLATE_RATIO if gzipped else 1):
        raise _misfit(file, shape, expected, "is truncated", f"fewer in its {size}")
    if expected < ((size - reading.PIECE) // 2 if gzipped else size):
        raise _misfit(file, shape, expected, "has trailing bytes", "more")
    return shape


def _read_numbers(file: Path, shape: list[int]) -> np.ndarray:
    """The array of bytes in an IDX file."""
    n_header = 4 + 4 * len(shape)
    expected = n_header + math.prod(shape)
    with _unpacked(file) as (packed, unpack):
        data = unpack(packed, expected + 1)
    if len(data) < expected:
        raise _misfit(file, shape, expected, "is truncated", str(len(data)))
    if len(data) > expected:
        raise _misfit(file, shape, expected, "has trailing bytes", "more")
    if len(shape) > 1 and expected == n_header:  # the other sizes may be any
        raise InputError(f"{file} holds no pixels")
    return np.frombuffer(data, np.uint8, offset=n_header).reshape(shape)


@contextmanager
def _unpacked(file: Path) -> Iterator[tuple[BinaryIO, Callable[[Any, int], bytearray]]]:
    """A file, gzipped or not, and what reads and unpacks its first bytes."""
    try:
        with reading.opened(file) as packed:
            yield packed, reading.gunzip if file.suffix == ".gz" else reading.read
    except EOFError:
        raise InputError(f"{file} is truncated: its gzip stream ends too early") from None
    except zlib.error as error:
        kind = contents.kind_of_file(file)
        reason = error if kind in ("", contents.GZIP) else f"it is {kind}"
        raise InputError(f"{file} is not a valid gzip file: {reason}") from None


def _shape(file: Path, start: bytearray, magic: int, content: str) -> list[int]:
    """What the header of an IDX file says, with which ``start`` begins."""
    header = struct.Struct(f">{1 + (magic & 0xFF)}I")
    if len(start) < header.size:
        raise InputError(f"{file} is truncated: {len(start)} bytes, shorter than its header")
    found, *shape = header.unpack_from(start)
    if found != magic:
        raise InputError(f"{file} is not an IDX file of {content}: {_other(file, start, magic)}")
    return shape


def _other(file: Path, start: bytearray, magic: int) -> str:
    """What a file is that has not the right magic number."""
    kind = contents.kind_of_file(file)
    if kind == contents.GZIP and file.suffix != ".gz":
        return "it is gzipped; add .gz to its name, or unpack it"
    if kind in ("", contents.GZIP, contents.IDX):
        kind = contents.kind_of(bytes(start))
    if kind not in ("", contents.IDX):
        return f"it is {kind}"
    found = int.from_bytes(start[:4], "big")
    holds = contents.idx_kind(bytes(start))
    words = f"; it holds {holds}" if holds else ""
    return f"its magic number is 0x{found:08x}, not 0x{magic:08x}{words}"


def _misfit(file: Path, shape: list[int], expected: int, fault: str, has: str) -> InputError:
    return InputError(
        f"{file} {fault}: its header says {size_in_words(shape)}, {expected} bytes in all,"
        f" but it has {has}"
    )
