"""Arrays as text in a page: whole numbers and float32, deflated, in base 85.

The page reads them back in ``web/blob.js``.
"""

import base64
import zlib
from typing import Any

import numpy as np

# Of Python's base 85, all but "<" may stand in a page's <script>; a comma stands for that.
_TO_PAGE = bytes.maketrans(b"<", b",")


class Blob:
    """Arrays one after another, to be named by what :meth:`add` returns."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, array: np.ndarray) -> dict[str, Any]:
        """Append an array: floating-point numbers, as float32, or whole numbers within 32 bits.

        The lowest bytes of all numbers come first, then the next, as many as the numbers need: so
        they deflate better.

        Returns:
            dict: Where it is, for the page: start, shape, bytes of a number, and its kind.
        """
        if array.dtype.kind == "f":
            kind, width = "float", 4
            numbers = np.ascontiguousarray(array, "<f4").ravel()
        else:
            kind = "int"
            signed = np.ascontiguousarray(array, "<i4").ravel()
            # 0, -1, 1, -2, 2 ... as 0, 1, 2, 3, 4 ...: small ones have zeros in their upper bytes.
            numbers = (signed << 1) ^ (signed >> 31)
            largest = int(numbers.view("<u4").max(initial=0))
            width = max(1, (largest.bit_length() + 7) // 8)
        planes = numbers.view(np.uint8).reshape(-1, 4)[:, :width].T
        place = {"start": self._length, "shape": list(array.shape), "width": width, "kind": kind}
        self._parts.append(planes.tobytes())
        self._length += planes.size
        return place

    def text(self) -> str:
        """All of it, as it stands in the page."""
        # Filtered: these numbers hardly ever come twice in the same order.
        packer = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
        packed = packer.compress(b"".join(self._parts)) + packer.flush()
        return base64.b85encode(packed).translate(_TO_PAGE).decode("ascii")
