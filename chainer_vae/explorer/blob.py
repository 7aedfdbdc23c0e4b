"""Arrays as text inside an HTML page: integers and float32, deflated and encoded in base 116.

The page reads them back with ``web/blob.js``.
"""

import zlib
from typing import Any

import numpy as np

# The digits: the first 116 characters but those that end a script or that HTML, editors and
# programs for transferring texts may change. 116^7 > 256^6: 7 characters hold 6 bytes, a
# fifteenth less than the 7.5 that base 85 takes.
KEPT_OUT = b"\x00\t\n\x0b\x0c\r\x1a\x1b\x7f<&\x08"
DIGITS = bytes(code for code in range(128) if code not in KEPT_OUT)
BYTES, CHARACTERS = 6, 7  # of a group


class Blob:
    """A sequence of arrays. :meth:`add` returns the reference by which the page finds an array."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, array: np.ndarray) -> dict[str, Any]:
        """Append an array.

        The lowest bytes of all numbers are stored first, then the next lowest, up to the highest
        byte that any number needs. Data in this order compresses better.

        Args:
            array: Floating-point numbers, stored as float32, or integers of at most 32 bits (31
                without a sign); any shape.

        Returns:
            dict: The reference for the page: start (in bytes), shape, width (bytes per number)
            and kind ("float", "int" or "unsigned").
        """
        if array.dtype.kind == "f":
            kind, width = "float", 4
            numbers = np.ascontiguousarray(array, "<f4").ravel()
        else:
            kind = "unsigned" if array.dtype.kind == "u" else "int"
            numbers = np.ascontiguousarray(array, "<i4").ravel()
            if kind == "int":
                # 0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ...: upper bytes of small numbers are 0.
                numbers = (numbers << 1) ^ (numbers >> 31)
            largest = int(numbers.view("<u4").max(initial=0))
            width = max(1, (largest.bit_length() + 7) // 8)
        planes = numbers.view(np.uint8).reshape(-1, 4)[:, :width].T
        shape = list(array.shape)
        reference = {"start": self._length, "shape": shape, "width": width, "kind": kind}
        self._parts.append(planes.tobytes())
        self._length += planes.size
        return reference

    def text(self) -> str:
        """All arrays, as the text to put into the page."""
        # Z_FILTERED: sequences of these numbers hardly ever repeat.
        packer = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
        packed = packer.compress(b"".join(self._parts)) + packer.flush()
        return encoded(packed)


def encoded(data: bytes) -> str:
    """Their number and the bytes as text, each 6 as 7 digits in base 116, the highest first.

    Zeros fill up the last group.
    """
    data = len(data).to_bytes(BYTES, "big") + data + bytes(-len(data) % BYTES)
    groups = np.frombuffer(data, np.uint8).reshape(-1, BYTES)
    numbers = np.zeros(len(groups), np.int64)
    for column in groups.T:
        numbers = numbers * 256 + column
    digits = np.empty((len(groups), CHARACTERS), np.uint8)
    for place in reversed(range(CHARACTERS)):
        numbers, digits[:, place] = np.divmod(numbers, len(DIGITS))
    return np.frombuffer(DIGITS, np.uint8)[digits].tobytes().decode("ascii")
