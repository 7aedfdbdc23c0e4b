"""Arrays as a data set: in an npz file, or from Python.

The names in a file are those of Keras (``x_train``), of MedMNIST (``train_images``), or just
``images`` and ``labels``; ``class_names`` has a text for each label.  Other arrays in it are not
read.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainer_vae import validation
from chainer_vae.errors import InputError, warn
from chainer_vae.formats import contents
from chainer_vae.formats.sets import UNLABELLED, Part, Sets, require_sizes, split
from chainer_vae.npz import Npz
from chainer_vae.validation import MAX_SIZE

# Training images and labels, test images and labels.
NAMES = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
WHOLE = "images", "labels"  # from which the test images are split
CLASS_NAMES = "class_names"
MOST_NAMED = 5  # of a file's arrays, in a message
LUMA = 19595, 38470, 7471  # of red, green and blue, in 65536ths: ITU-R BT.601, as Pillow has it
BLOCK = 1 << 20  # pixels that are turned grey at a time


def read_npz(path: Path) -> Sets:
    """The data set in an npz file.

    Raises:
        InputError: It is another file, is damaged, or has no arrays that are images.
    """
    kind = contents.kind_of_file(path)
    if kind == contents.IDX or (kind == contents.GZIP and "ubyte" in path.name):
        raise InputError(f"{path} is one file of a data set: name the folder of all four")
    if kind != contents.ZIP or path.suffix.lower() == ".zip":
        what = f"is {kind}" if kind else "is of no known format"
        raise InputError(f"{path} {what}; data sets are folders of IDX, PNG or JPEG files, or .npz")
    with Npz(path) as arrays:
        names = _names(arrays, path)
        for name in names[::2]:
            header = arrays.header(name)
            _layout(f"{path}: {name}", header.shape, header.dtype)
        for images, labels in zip(names[::2], names[1::2]):
            if labels in arrays:
                n = arrays.header(images).shape[0]
                _require_one_for_each(f"{path}: {labels}", arrays.header(labels).shape, n)
        train, train_labels, *rest = [arrays.get(name) for name in names]
        test, test_labels = rest or (None, None)
        found = arrays.get(CLASS_NAMES)
        class_names = () if found is None else found.tolist()
        return sets_of_arrays(
            train, train_labels, test, test_labels, class_names, f"{path}: ", names
        )


def _names(arrays: Npz, path: Path) -> tuple[str, ...]:
    """The names of the images and of the labels in a file; the labels may be missing."""
    for names in NAMES:
        if names[0] in arrays:
            return names if names[2] in arrays else names[:2]
    if WHOLE[0] in arrays:
        return WHOLE
    there = ", ".join(sorted(arrays)[:MOST_NAMED]) or "nothing"
    raise InputError(f"{path} has no x_train, no train_images and no images, but {there}")


def sets_of_arrays(
    train_images: Any,
    train_labels: Any = None,
    test_images: Any = None,
    test_labels: Any = None,
    class_names: Sequence[str] = (),
    prefix: str = "",
    names: Sequence[str] = NAMES[1],
) -> Sets:
    """Arrays as a data set; see :func:`chainer_vae.make_dataset`.

    Args:
        train_images, train_labels, test_images, test_labels, class_names: As there.
        prefix: With which messages begin, before the name of an array.
        names: Of the arrays, in messages.

    Raises:
        InputError: They are no images and labels that fit each other.
    """
    if test_images is None and test_labels is not None:
        raise InputError("there are test labels, but no test images")
    if test_images is not None and (train_labels is None) != (test_labels is None):
        raise InputError(
            f"{prefix}{names[1]} and {names[3]}: give the labels of both, or of neither"
        )
    class_names = _class_names(f"{prefix}{CLASS_NAMES}", class_names)
    if train_labels is None:
        if class_names:
            raise InputError(f"{prefix}{CLASS_NAMES} are of labels, but there are no labels")
        class_names = (UNLABELLED,)
    train = _part(train_images, train_labels, prefix, names[:2])
    if test_images is None:
        return Sets(*split(train, f"{prefix}{names[0]}"), class_names)
    return Sets(train, _part(test_images, test_labels, prefix, names[2:]), class_names)


def _part(images: Any, labels: Any, prefix: str, names: Sequence[str]) -> Part:
    array = image_array(f"{prefix}{names[0]}", images)
    if labels is None:
        return Part(array, np.zeros(len(array), np.int32))
    name = f"{prefix}{names[1]}"
    numbers = validation.array(name, labels, kinds="iub")
    _require_one_for_each(name, numbers.shape, len(array))
    if numbers.min() < 0 or numbers.max() > MAX_SIZE:
        raise InputError(
            f"{name} must be classes from 0 to {MAX_SIZE}, but go from {numbers.min()} to"
            f" {numbers.max()}"
        )
    return Part(array, numbers.reshape(-1).astype(np.int32))


def _require_one_for_each(name: str, shape: tuple[int, ...], number: int) -> None:
    if shape not in ((number,), (number, 1)):
        raise InputError(
            f"{name} must be one label for each of the {number:,} images, not of shape {shape}"
        )


def _class_names(what: str, names: Any) -> tuple[str, ...]:
    sound = isinstance(names, (tuple, list)) and all(isinstance(name, str) for name in names)
    if not sound:
        raise InputError(f"{what} must be a list of texts")
    return tuple(map(str, names))


def image_array(name: str, images: Any) -> np.ndarray:
    """Grey images, from arrays as they come.

    Args:
        name: What they are called, in messages.
        images: Bytes, booleans, or numbers in [0, 1], of shape (number, height, width), or
            (number, height, width, channels) with 1, 3 or 4 channels, or (number, pixels) of
            square images.

    Returns:
        numpy.ndarray: Bytes or float32, shape (number, height, width).

    Raises:
        InputError: They are none.
    """
    array = validation.array(name, images, kinds="fiub")
    height, width, channels = _layout(name, array.shape, array.dtype)
    if array.dtype.kind == "f":
        validation.pixels(name, array)
        array = array.astype(np.float32)
    elif array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    if channels == 1:
        return array.reshape(-1, height, width)
    if in_colour(array):
        warn(f"{name} are in colour; they are turned grey")
    return grey(array)


def _layout(name: str, shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int, int]:
    """Height, width and the number of channels of images, by what is known before they are read."""
    if dtype != np.uint8 and dtype.kind not in "bf":
        raise InputError(
            f"{name} must be bytes (uint8), booleans, or floating-point numbers in [0, 1], not"
            f" {dtype}"
        )
    sizes, channels = shape[1:3], 1
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        sizes = (side, side) if side * side == shape[1] else ()
    elif len(shape) == 4:
        channels = shape[3]
    if len(shape) not in (2, 3, 4) or len(sizes) != 2 or channels not in (1, 3, 4):
        raise InputError(
            f"{name} must have the shape (number, height, width), or (number, height, width,"
            f" channels) with 1, 3 or 4 channels, not {shape}"
        )
    require_sizes(name, shape[0], *sizes)
    return (*sizes, channels)


def in_colour(images: np.ndarray) -> bool:
    """Whether images with channels, as for :func:`grey`, have colours or transparency; many files
    have neither, and three channels all the same."""
    red, others = images[..., :1], images[..., 1:3]
    opaque = 255 if images.dtype == np.uint8 else 1
    return bool((red != others).any() or (images[..., 3:] != opaque).any())


def grey(images: np.ndarray) -> np.ndarray:
    """Colours as grey: the luma of ITU-R BT.601, with what is transparent over white.

    Args:
        images: Red, green, blue, and maybe alpha, in the last axis; bytes or float32 in [0, 1].

    Returns:
        numpy.ndarray: Without that axis, of the same dtype; of bytes, as Pillow's ``convert("L")``.
    """
    found = np.empty(images.shape[:-1], images.dtype)
    block = max(1, BLOCK // math.prod(images.shape[1:-1]))
    for start in range(0, len(images), block):
        found[start : start + block] = _grey(images[start : start + block])
    return found


def _grey(images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        luma = (images[..., :3].astype(np.int32) @ np.array(LUMA, np.int32) + 0x8000) >> 16
        if images.shape[-1] == 4:
            alpha = images[..., 3].astype(np.int32)
            luma = (luma * alpha + 255 * (255 - alpha) + 127) // 255
        return luma
    luma = images[..., :3] @ (np.array(LUMA, np.float32) / np.float32(65536))
    if images.shape[-1] == 4:
        luma = luma * images[..., 3] + (1 - images[..., 3])
    return np.clip(luma, 0, 1)
