"""What every format is read into: training and test images, with their labels."""

import math
from pathlib import Path
from typing import NamedTuple, Union

import numpy as np

from chainer_vae.errors import InputError
from chainer_vae.validation import MAX_SIZE, size_in_words

UNLABELLED = "unlabelled"  # the one class of images without labels
TENTH = 10  # every tenth image of a class is a test image, where a data set does not say
MAX_PIXELS = 1 << 31  # of all images of a set; as float32, that is 8 GiB


class Part(NamedTuple):
    """Images with their labels.

    Attributes:
        images: Bytes, or float32 in [0, 1], shape (number, height, width).
        labels: The class of each, shape (number,), int32.
    """

    images: np.ndarray
    labels: np.ndarray


class Sets(NamedTuple):
    """A data set as a format holds it.

    Attributes:
        train: The training images.
        test: The test images, which may be of another size.
        class_names: The name of each label; empty where the numbers are the names.
    """

    train: Part
    test: Part
    class_names: tuple[str, ...] = ()


def require_sizes(name: Union[str, Path], number: int, height: int, width: int) -> None:
    """Refuse images of which there are none, or that are too large, before they are read.

    Raises:
        InputError: They are.
    """
    if min(number, height, width) < 1:
        raise InputError(f"{name} holds no pixels")
    if height * width > MAX_SIZE:
        raise InputError(
            f"{name} holds images of {size_in_words((height, width))} pixels;"
            f" {MAX_SIZE:,} in all is the most"
        )
    if math.prod((number, height, width)) > MAX_PIXELS:
        raise InputError(
            f"{name} holds {number:,} images of {size_in_words((height, width))} pixels, which are"
            " too many: take fewer or smaller ones"
        )


def places_in_class(labels: np.ndarray) -> np.ndarray:
    """Of each image, how many of its class are before it."""
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    places = np.empty(len(labels), np.intp)
    places[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return places


def split(part: Part, source: Union[str, Path]) -> tuple[Part, Part]:
    """Training and test images: every tenth image of each class is a test image.

    Raises:
        InputError: No class has ten images.
    """
    test = places_in_class(part.labels) % TENTH == TENTH - 1
    if not test.any():
        raise InputError(
            f"{source} has too few images: every tenth of each class is a test image, but no class"
            " has ten; add some, or give the test images by themselves"
        )
    return Part(part.images[~test], part.labels[~test]), Part(part.images[test], part.labels[test])
