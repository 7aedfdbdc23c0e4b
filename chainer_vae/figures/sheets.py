"""Images of any size beside each other, pixel for pixel: a sheet, or the frames of an animation.

Nothing is registered here: these are what ``chainer-vae sample``, ``reconstruct`` and
``interpolate`` write.
"""

import math
from collections.abc import Sequence

import numpy as np

from chainer_vae import validation
from chainer_vae.datasets import size_in_words
from chainer_vae.errors import InputError
from chainer_vae.figures.registry import Animation
from chainer_vae.latent import montage

GAP, GREY = 2, 128  # pixels between two images, and their shade
TILE, LONGEST = 56, 560  # pixels: an image is enlarged up to these, its shorter and its longer side
FRAME, DURATION = 224, 100  # of an animation: pixels of its longer side, milliseconds
LARGEST_GIF = 65_535  # pixels along each side, by its format
MAX_PIXELS = 64_000_000  # of a sheet, or of all frames


def columns_for(number: int, image_shape: tuple[int, int]) -> int:
    """How many of some images are in a row, so that their sheet is about as wide as it is high."""
    height, width = image_shape
    return min(number, max(1, round(math.sqrt(number * height / width))))


def in_rows(images: np.ndarray, columns: int) -> list[np.ndarray]:
    """Images, so many in each row; the last row may have fewer."""
    return [images[start : start + columns] for start in range(0, len(images), columns)]


def require_room(number: int, image_shape: tuple[int, int], animated: bool = False) -> None:
    """Refuse more images than a sheet or an animation has room for, before they are computed.

    Raises:
        InputError: It would have more than 64 million pixels, or be larger than a GIF can be.
    """
    height, width = _tile(image_shape)
    if animated:
        if max(image_shape) > LARGEST_GIF:
            raise InputError(
                f"a GIF cannot show images of {size_in_words(image_shape)} pixels:"
                f" {LARGEST_GIF:,} along each side is the most"
            )
        height, width = (size * _frame_scale(image_shape) for size in image_shape)
    most = MAX_PIXELS // (height * width)
    if number > most:
        raise InputError(
            f"{number:,} images of {size_in_words(image_shape)} pixels are too many for one"
            f" picture: {most:,} is the most"
        )


def sheet(rows: Sequence[np.ndarray], image_shape: tuple[int, int]) -> np.ndarray:
    """Rows of images, enlarged by a whole number, on grey.

    Args:
        rows: Of each row, the images in [0, 1], shape (number, height * width).
        image_shape: Their height and width, in pixels.

    Returns:
        numpy.ndarray: The sheet, shape (its height, its width), uint8; a row that has fewer images
        than others ends in grey.

    Raises:
        InputError: A pixel is outside [0, 1] or not a number.
    """
    height, width = _tile(image_shape)
    tiles = np.full((len(rows), max(map(len, rows)), height, width), GREY, np.uint8)
    for line, images in zip(tiles, rows):
        line[: len(images), GAP:, GAP:] = _enlarged(images, image_shape, _scale(image_shape))
    return np.pad(montage(tiles), ((0, GAP), (0, GAP)), constant_values=GREY)


def animation(images: np.ndarray, image_shape: tuple[int, int]) -> Animation:
    """Images one after another, enlarged by a whole number, there and back in an endless loop.

    Args:
        images: In [0, 1], shape (number, height * width).
        image_shape: Their height and width, in pixels.

    Raises:
        InputError: A pixel is outside [0, 1] or not a number.
    """
    frames = list(_enlarged(images, image_shape, _frame_scale(image_shape)))
    return Animation([*frames, *frames[-2:0:-1]], DURATION, colors=64)


def _enlarged(images: np.ndarray, image_shape: tuple[int, int], scale: int) -> np.ndarray:
    """Bytes, shape (number, scale * height, scale * width)."""
    validation.pixels("the model's images", images)
    small = np.rint(images * 255.0).astype(np.uint8).reshape(-1, *image_shape)
    return small.repeat(scale, axis=1).repeat(scale, axis=2)


def _scale(image_shape: tuple[int, int]) -> int:
    return max(1, min(TILE // min(image_shape), LONGEST // max(image_shape)))


def _frame_scale(image_shape: tuple[int, int]) -> int:
    return max(1, FRAME // max(image_shape))


def _tile(image_shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of an enlarged image and the gap before it."""
    scale = _scale(image_shape)
    return GAP + scale * image_shape[0], GAP + scale * image_shape[1]
