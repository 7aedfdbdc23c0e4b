"""Checks of arguments: one for each kind, which every entry uses.

Each returns the argument as the package keeps it: NumPy's numbers as Python's, a path as a Path.
"""

import math
import numbers
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from chainer_vae.errors import InputError

MAX_SIZE = 1_000_000  # of sizes and counts; more is a mistake in typing


def whole_number(name: str, value: Any, least: int = 1, most: Optional[int] = None) -> int:
    """A whole number from ``least`` to ``most``, Python's or NumPy's.

    Raises:
        InputError: It is none; True and 2.0 are none, too.
    """
    number = int(value) if isinstance(value, (int, np.integer)) else least - 1
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        limits = f", {least} or more" if most is None else f" from {least} to {most}"
        raise InputError(f"{name} must be a whole number{limits}, not {_shown(value)}")
    return number


def number(name: str, value: Any) -> float:
    """A finite number.

    Raises:
        InputError: It is none, or too large for a float.
    """
    found = _as_float(value)
    if not math.isfinite(found):
        raise InputError(f"{name} must be a finite number, not {_shown(value)}")
    return found


def weight(name: str, value: Any) -> float:
    """A finite number, 0 or more.

    Raises:
        InputError: It is none, or too large for a float.
    """
    found = _as_float(value)
    if not (math.isfinite(found) and found >= 0):
        raise InputError(f"{name} must be a finite number, 0 or more, not {_shown(value)}")
    return found


def positive(name: str, value: Any) -> float:
    """A finite number above 0.

    Raises:
        InputError: It is none, or too large for a float.
    """
    found = _as_float(value)
    if not (math.isfinite(found) and found > 0):
        raise InputError(f"{name} must be a finite number above 0, not {_shown(value)}")
    return found


def _as_float(value: Any) -> float:
    """A number as a float; NaN for what is none."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def flag(name: str, value: Any) -> bool:
    """True or False, Python's or NumPy's.

    Raises:
        InputError: It is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be true or false, not {_shown(value)}")
    return bool(value)


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """One of some words.

    Raises:
        InputError: It is none of them.
    """
    if not (isinstance(value, str) and value in choices):
        raise InputError(f"{name} must be one of {', '.join(choices)}, not {_shown(value)}")
    return str(value)


def path(name: str, value: Any) -> Path:
    """The path of a file or a folder: a string, or an object that stands for one.

    Raises:
        InputError: It is none, or no file can have this name.
    """
    try:
        text = os.fspath(value)
        os.fsencode(text)
    except (TypeError, UnicodeEncodeError):  # the latter of half a surrogate pair
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise InputError(f"{name} must be the path of a file or a folder, not {_shown(value)}")
    return Path(text)


def ending(name: str, value: Any, endings: Sequence[str]) -> Path:
    """The path of a file whose ending says its format.

    Raises:
        InputError: It is no path, or has another ending.
    """
    found = path(name, value)
    if found.suffix.lower() not in endings:
        raise InputError(f"{name} must end in {' or '.join(endings)}, not {_shown(str(found))}")
    return found


def array(name: str, value: Any, axes: Sequence[str] = (), kinds: str = "fiu") -> np.ndarray:
    """Numbers as an array: NumPy's, or what it can make one of.

    Args:
        name: What they are, in the plural.
        value: The array, or a list.
        axes: What its axes are, in words; by default, any.
        kinds: Of its dtype, in NumPy's letters: "iu" for whole numbers.

    Raises:
        InputError: It holds other things than such numbers, or has another number of axes.
    """
    try:
        found = np.asarray(value)
        sound = found.dtype.kind in kinds
    except (TypeError, ValueError):  # of lists of different lengths, for example
        sound = False
    if not sound:
        words = "numbers" if "f" in kinds else "whole numbers" + " or text" * ("U" in kinds)
        raise InputError(f"{name} must be an array of {words}, not {_shown(value)}")
    not_masked(name, value)
    if axes and found.ndim != len(axes):
        shape = ", ".join(axes) + "," * (len(axes) == 1)
        raise InputError(f"{name} must have the shape ({shape}), not {found.shape}")
    return found


def image_shape(name: str, value: Any) -> tuple[int, int]:
    """Height and width in pixels, of images that have any.

    Raises:
        InputError: These are no two whole numbers, 1 or more.
    """
    if not (isinstance(value, (tuple, list)) and len(value) == 2):
        raise InputError(f"{name} must be a height and a width, not {_shown(value)}")
    height, width = (whole_number(name, size, 1, MAX_SIZE) for size in value)
    return height, width


def new_size(name: str, value: Any) -> tuple[int, int]:
    """Height and width in pixels that images are to have.

    Raises:
        InputError: As :func:`image_shape`, or that is more than a model takes.
    """
    height, width = image_shape(name, value)
    if height * width > MAX_SIZE:
        raise InputError(
            f"{name} must be {MAX_SIZE:,} pixels in all at most, not {height} x {width}"
        )
    return height, width


def size_in_words(image_shape: Sequence[int]) -> str:
    """Height and width for a message.

    Args:
        image_shape: Height and width, in pixels.

    Returns:
        str: Both, with an x between.

    Raises:
        TypeError: It is no tuple or list.

    Example:
        >>> from chainer_vae.datasets import size_in_words
        >>> size_in_words((28, 28))
        '28 x 28'
    """
    instance("size_in_words", image_shape, tuple, list)
    return " x ".join(map(str, image_shape))


def pixels(name: str, images: Any) -> None:
    """Refuse images with pixels outside [0, 1], such as bytes and what is scaled to [-1, 1].

    A data set is checked once, not in every step: the article's own functions, those of a model,
    take any numbers.

    Args:
        name: What they are, in the plural.
        images: An array of numbers, of any shape, in the host's memory or a GPU's.

    Raises:
        InputError: A pixel is outside, not a number, or masked.
    """
    if images.size == 0:
        return
    not_masked(name, images)
    least, most = float(images.min()), float(images.max())
    if not (least >= 0 and most <= 1):  # nor NaN
        hint = "; divide bytes by 255" if most >= 2 and least >= 0 else ""
        raise InputError(f"{name} must be in [0, 1], but go from {least:.9g} to {most:.9g}{hint}")


def not_masked(name: str, array: Any) -> None:
    """Refuse an array of NumPy's with masked elements: what is under the mask would count.

    Raises:
        InputError: It has some.
    """
    if np.ma.is_masked(array):
        raise InputError(f"{name} have masked elements: fill them first")


def instance(function: str, value: Any, *kinds: type) -> None:
    """Refuse a model, or other object, of another class.

    Raises:
        TypeError: It is of none of ``kinds``, nor of a subclass.
    """
    if not isinstance(value, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{function} needs an object of class {names}, not {type(value).__name__}")


def _shown(value: Any) -> str:
    """A value in a message: its beginning will do."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # of an int with more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."
