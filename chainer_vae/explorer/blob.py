"""Arrays as text inside an HTML page: integers and float32, deflated and encoded in base 85.

The page reads them back with ``web/blob.js``.
"""

import base64
import zlib
from typing import Any

import numpy as np

# Of Python's base-85 characters, only "<" is not allowed inside <script>; a comma replaces it.
_TO_PAGE = bytes.maketrans(b"<", b",")


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
            array: Floating-point numbers, stored as float32, or integers of at most 32 bits; any
                shape.

        Returns:
            dict: The reference for the page: start (in bytes), shape, width (bytes per number)
            and kind ("float" or "int").
        """
        if array.dtype.kind == "f":
            kind, width = "float", 4
            numbers = np.ascontiguousarray(array, "<f4").ravel()
        else:
            kind = "int"
            signed = np.ascontiguousarray(array, "<i4").ravel()
            # Map 0, -1, 1, -2, 2 ... to 0, 1, 2, 3, 4 ...: the upper bytes of small numbers are 0.
            numbers = (signed << 1) ^ (signed >> 31)
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
        return base64.b85encode(packed).translate(_TO_PAGE).decode("ascii")
