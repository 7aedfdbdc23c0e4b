"""MNIST, which comes with the package, and any folder of files in its format.

The format (IDX) is a header of big-endian 32-bit numbers, a magic number and the sizes of
the axes, then the bytes of the array: http://yann.lecun.com/exdb/mnist/.  Nothing is
downloaded, and nothing read is executed.
"""

import io
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, NamedTuple, Optional, Union

import numpy as np

from chainer_vae import reading, validation
from chainer_vae.config import Config
from chainer_vae.errors import InputError

DATA_DIR = Path(__file__).parent / "data"
MNIST_SHAPE = (28, 28)  # pixels
TEST_IMAGES = 100  # how many of each set are used where ``Config.test`` is set

IMAGES_MAGIC = 0x00000803  # unsigned bytes, three axes
LABELS_MAGIC = 0x00000801  # unsigned bytes, one axis


class Dataset(NamedTuple):
    """Images and their labels, as :func:`load_mnist` reads them.

    Attributes:
        train_images (numpy.ndarray): Pixels in [0, 1], row by row, shape (number, height * width),
            float32.
        train_labels (numpy.ndarray): The class of each, shape (number,), int32.
        test_images (numpy.ndarray): As ``train_images``.
        test_labels (numpy.ndarray): As ``train_labels``.
        image_shape (tuple of int): Height and width, in pixels.

    Example:
        >>> from chainer_vae import load_mnist
        >>> data = load_mnist()
        >>> image = data.test_images[0].reshape(data.image_shape)
        >>> image.shape, int(data.test_labels[0])
        ((28, 28), 7)
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    image_shape: tuple[int, int]


def load_data(config: Config) -> Dataset:
    """The data set that settings name.

    Args:
        config: The settings; ``dataset`` and ``test`` count.

    Returns:
        Dataset: All of it, or the first 100 images of each set where ``test`` is set.

    Raises:
        InputError: As :func:`load_mnist`.
        TypeError: ``config`` is no :class:`~chainer_vae.Config`.

    Example:
        >>> from chainer_vae import Config
        >>> from chainer_vae.datasets import load_data
        >>> load_data(Config(test=True)).train_images.shape
        (100, 784)
    """
    validation.instance("load_data", config, Config)
    data = load_mnist(config.dataset)
    if not config.test:
        return data
    return Dataset(
        data.train_images[:TEST_IMAGES],
        data.train_labels[:TEST_IMAGES],
        data.test_images[:TEST_IMAGES],
        data.test_labels[:TEST_IMAGES],
        data.image_shape,
    )


def load_mnist(directory: Optional[Union[str, Path]] = None) -> Dataset:
    """MNIST, or another data set in the same format.

    Args:
        directory: A folder with the four files ``train-images-idx3-ubyte``,
            ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, each gzipped (``.gz``) or not; Fashion-MNIST and KMNIST
            come this way.  By default, MNIST itself: 60,000 and 10,000 images of 784 pixels.

    Returns:
        Dataset: Training and test images and labels.

    Raises:
        InputError: The folder or a file is missing, a file is damaged or not of this format, or
            the files do not fit each other.

    Example:
        >>> from chainer_vae import load_mnist
        >>> data = load_mnist()
        >>> data.train_images.shape, data.test_images.shape
        ((60000, 784), (10000, 784))
        >>> data.train_labels[:5]
        array([5, 0, 4, 1, 9], dtype=int32)
    """
    directory = DATA_DIR if directory is None else validation.path("directory", directory)
    if not (reading.is_there(directory) and directory.is_dir()):
        raise InputError(
            f"the data set folder {directory} does not exist or is not a folder; check --dataset"
        )
    train_images, train_labels = _read_pair(directory, "train")
    test_images, test_labels = _read_pair(directory, "t10k")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            f"{directory}: training images are {size_in_words(train_images.shape[1:])} pixels,"
            f" but test images are {size_in_words(test_images.shape[1:])}"
        )
    height, width = train_images.shape[1:]
    return Dataset(
        _scale(train_images), train_labels, _scale(test_images), test_labels, (height, width)
    )


def require_images(data: Dataset) -> None:
    """Refuse a data set, however it was made, that no model can be trained on.

    Args:
        data: The data set; its labels do not count.

    Raises:
        InputError: The training or the test images are none, are no rows of floating-point numbers
            of the size that ``image_shape`` says, or have pixels outside [0, 1].
        TypeError: ``data`` is no :class:`Dataset`.

    Example:
        >>> from chainer_vae import load_mnist
        >>> from chainer_vae.datasets import require_images
        >>> data = load_mnist()
        >>> require_images(data._replace(test_images=data.test_images - 0.5))
        Traceback (most recent call last):
            ...
        chainer_vae.errors.InputError: test_images must be in [0, 1], but go from -0.5 to 0.5
    """
    validation.instance("require_images", data, Dataset)
    n_in = math.prod(validation.image_shape("image_shape", data.image_shape))
    for name, images in (("train_images", data.train_images), ("test_images", data.test_images)):
        if not (isinstance(images, np.ndarray) and images.dtype.kind == "f"):
            raise InputError(f"{name} must be a NumPy array of floating-point numbers")
        if images.ndim != 2 or len(images) == 0 or images.shape[1] != n_in:
            raise InputError(
                f"{name} must have the shape (number, {n_in}), for images of"
                f" {size_in_words(data.image_shape)} pixels, not {images.shape}"
            )
        validation.pixels(name, images)


def _read_pair(directory: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    images_file = _find(directory, f"{prefix}-images-idx3-ubyte")
    labels_file = _find(directory, f"{prefix}-labels-idx1-ubyte")
    shape = _read_shape(images_file, IMAGES_MAGIC, "images")
    labels_shape = _read_shape(labels_file, LABELS_MAGIC, "labels")
    # Of what the headers say: before all the rest is read, which may be more than there is memory.
    if math.prod(shape) > 0:
        if shape[:1] != labels_shape:
            raise InputError(
                f"{images_file} holds {shape[0]} images,"
                f" but {labels_file.name} holds {labels_shape[0]} labels"
            )
        if math.prod(shape[1:]) > validation.MAX_SIZE:
            raise InputError(
                f"{images_file} holds images of {size_in_words(shape[1:])} pixels;"
                f" {validation.MAX_SIZE:,} in all is the most"
            )
    labels = _read_numbers(labels_file, labels_shape)
    return _read_numbers(images_file, shape), labels.astype(np.int32)


def _find(directory: Path, name: str) -> Path:
    for file in (directory / name, directory / f"{name}.gz"):
        if reading.is_there(file) and not file.is_dir():
            return file
    raise InputError(f"{directory} has no file {name} or {name}.gz")


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
        raise InputError(f"{file} is not a valid gzip file: {error}") from None


def _shape(file: Path, start: bytearray, magic: int, content: str) -> list[int]:
    """What the header of an IDX file says, with which ``start`` begins."""
    header = struct.Struct(f">{1 + (magic & 0xFF)}I")
    if len(start) < header.size:
        raise InputError(f"{file} is truncated: {len(start)} bytes, shorter than its header")
    found, *shape = header.unpack_from(start)
    if found != magic:
        raise InputError(
            f"{file} is not an IDX file of {content}:"
            f" its magic number is 0x{found:08x}, not 0x{magic:08x}"
        )
    return shape


def _misfit(file: Path, shape: list[int], expected: int, fault: str, has: str) -> InputError:
    return InputError(
        f"{file} {fault}: its header says {size_in_words(shape)}, {expected} bytes in all,"
        f" but it has {has}"
    )


def _scale(images: np.ndarray) -> np.ndarray:
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    return rows


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
    validation.instance("size_in_words", image_shape, tuple, list)
    return " x ".join(map(str, image_shape))
