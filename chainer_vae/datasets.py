"""MNIST, which comes with the package, and any other images.

Nothing is downloaded, and nothing read is executed.  What is taken, and how it is read:
:mod:`chainer_vae.formats`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from chainer_vae import reading, validation
from chainer_vae.binarization import binarized, images_of_epoch
from chainer_vae.config import ARRAYS, Config
from chainer_vae.errors import InputError
from chainer_vae.formats import arrays, idx_folder
from chainer_vae.formats.sets import Sets, require_sizes
from chainer_vae.validation import size_in_words as size_in_words

DATA_DIR = Path(__file__).parent / "data"
MNIST_SHAPE = (28, 28)  # pixels
TEST_IMAGES = 100  # how many of each set are used where ``Config.test`` is set


class Dataset(NamedTuple):
    """Images and their labels, as :func:`load_mnist` and :func:`load_images` read them.

    Attributes:
        train_images (numpy.ndarray): Pixels in [0, 1], row by row, shape (number, height * width),
            float32.
        train_labels (numpy.ndarray): The class of each, shape (number,), int32.
        test_images (numpy.ndarray): As ``train_images``.
        test_labels (numpy.ndarray): As ``train_labels``.
        image_shape (tuple of int): Height and width, in pixels.
        class_names (tuple of str): The name of each label; empty where the numbers are the names.

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
    class_names: tuple[str, ...] = ()

    def class_name(self, label: int) -> str:
        """What a class is called: its name, or its number where the classes have no names.

        Args:
            label: The class.

        Returns:
            str: The name.

        Example:
            >>> from chainer_vae import load_mnist
            >>> load_mnist().class_name(7)
            '7'
        """
        return self.class_names[label] if self.class_names else str(label)


def load_data(config: Config) -> Dataset:
    """The data set that settings name.

    Args:
        config: The settings; ``dataset``, ``size``, ``test`` and ``binarize`` count.

    Returns:
        Dataset: All of it, or the first 100 images of each set where ``test`` is set; with the
        pixels of ``binarize``.  Of stochastic images, those for testing are drawn here, with a seed
        of their own; those for training stay probabilities, of which :class:`Training
        <chainer_vae.training.Training>` draws in each epoch.

    Raises:
        InputError: As :func:`load_images`; or the images were given to a run as arrays.
        TypeError: ``config`` is no :class:`~chainer_vae.Config`.

    Example:
        >>> from chainer_vae import Config
        >>> from chainer_vae.datasets import load_data
        >>> load_data(Config(test=True)).train_images.shape
        (100, 784)
    """
    validation.instance("load_data", config, Config)
    if config.dataset == ARRAYS:
        raise InputError(
            "the run's images were given in Python, as arrays: give them to Run.resume again, or"
            " save them in an .npz file and name that with --dataset"
        )
    data = load_images(DATA_DIR if config.dataset is None else config.dataset, config.size)
    return for_run(data, config)


def for_run(data: Dataset, config: Config) -> Dataset:
    """A data set as a run with these settings trains and tests on it.

    Args:
        data: The data set, whole.
        config: The settings; ``test`` and ``binarize`` count.

    Returns:
        Dataset: As :func:`load_data`.

    Raises:
        TypeError: Either is of another class.

    Example:
        >>> from chainer_vae import Config, load_mnist
        >>> from chainer_vae.datasets import for_run
        >>> data = for_run(load_mnist(), Config(test=True, binarize="threshold"))
        >>> data.train_images.shape, set(data.test_images.ravel().tolist())
        ((100, 784), {0.0, 1.0})
    """
    validation.instance("for_run", data, Dataset)
    validation.instance("for_run", config, Config)
    if config.test:
        data = first_images(data)
    test_images = binarized(data.test_images, config.binarize)
    of_training = "none" if config.binarize == "stochastic" else config.binarize
    train_images = binarized(data.train_images, of_training)
    return data._replace(train_images=train_images, test_images=test_images)


def first_images(data: Dataset) -> Dataset:
    """The first 100 images of each set, for a run with ``test``.

    Args:
        data: The data set.

    Returns:
        Dataset: These images, and their labels.

    Raises:
        TypeError: ``data`` is no :class:`Dataset`.

    Example:
        >>> from chainer_vae import load_mnist
        >>> from chainer_vae.datasets import first_images
        >>> first_images(load_mnist()).test_images.shape
        (100, 784)
    """
    validation.instance("first_images", data, Dataset)
    return data._replace(
        train_images=data.train_images[:TEST_IMAGES],
        train_labels=data.train_labels[:TEST_IMAGES],
        test_images=data.test_images[:TEST_IMAGES],
        test_labels=data.test_labels[:TEST_IMAGES],
    )


def drawn_once(data: Dataset, config: Config) -> Dataset:
    """A data set to show and to measure: stochastic training images as the first epoch has them.

    Args:
        data: What :func:`load_data` returned.
        config: The settings.

    Returns:
        Dataset: ``data`` itself unless ``binarize`` is "stochastic".

    Raises:
        TypeError: Either is of another class.

    Example:
        >>> from chainer_vae import Config
        >>> from chainer_vae.datasets import drawn_once, load_data
        >>> config = Config(test=True, binarize="stochastic")
        >>> int(drawn_once(load_data(config), config).train_images.sum())  # pixels that are 1
        9872
    """
    validation.instance("drawn_once", data, Dataset)
    return data._replace(train_images=images_of_epoch(data.train_images, config, 0))


def load_mnist(directory: Optional[Union[str, Path]] = None) -> Dataset:
    """MNIST, or another data set in the same format.

    Args:
        directory: A folder with the four files ``train-images-idx3-ubyte``,
            ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, each gzipped (``.gz``) or not; Fashion-MNIST and KMNIST
            come this way, and EMNIST nearly: see :mod:`chainer_vae.formats.idx_folder`.  By
            default, MNIST itself: 60,000 and 10,000 images of 784 pixels.

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
    place = idx_folder.locate(directory)
    if place is None and not (reading.is_there(directory) and directory.is_dir()):
        raise InputError(
            f"the data set folder {directory} does not exist or is not a folder; check --dataset"
        )
    return _dataset(directory, idx_folder.read(place or idx_folder.Place(directory, "")))


def load_images(path: Union[str, Path], size: Optional[tuple[int, int]] = None) -> Dataset:
    """The images in a folder or a file, of any format that ``--dataset`` takes.

    Args:
        path: A folder of IDX files, as :func:`load_mnist` takes it; a folder of PNG or JPEG files;
            or an npz file.
        size: The height and width that the images are made of, in pixels.  By default, they stay
            as they are, and must have one size.

    Returns:
        Dataset: Training and test images and labels.  Where the data set does not tell them apart,
        every tenth image of each class is a test image.  Images without labels have label 0, of the
        class "unlabelled".

    Raises:
        InputError: It is missing, damaged, of another format, or its parts do not fit each other.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import load_images
        >>> images = np.zeros((50, 8, 6), np.uint8)
        >>> np.savez("images.npz", images=images, labels=np.arange(50) % 2)
        >>> data = load_images("images.npz")
        >>> data.train_images.shape, data.test_images.shape, data.image_shape
        ((46, 48), (4, 48), (8, 6))
    """
    path = validation.path("path", path)
    if size is not None:
        size = validation.new_size("size", size)
    place = idx_folder.locate(path)
    if place is not None:
        sets = idx_folder.read(place)
    elif not reading.is_there(path):
        raise InputError(f"the data set {path} does not exist; check --dataset")
    elif path.is_dir():
        from chainer_vae.formats import image_folder  # here: only pictures need Pillow

        sets = image_folder.read(path, size)
    else:
        sets = arrays.read_npz(path)
    return _dataset(path, sets, size)


def make_dataset(
    train_images: Any,
    train_labels: Any = None,
    test_images: Any = None,
    test_labels: Any = None,
    class_names: Sequence[str] = (),
) -> Dataset:
    """Arrays as a data set, for :meth:`chainer_vae.Run.start`.

    Args:
        train_images: Bytes (uint8, divided by 255 here), booleans, or numbers in [0, 1], of shape
            (number, height, width), (number, height, width, channels) with 1, 3 or 4 channels, or
            (number, pixels) of square images.  Colours are turned grey.
        train_labels: The class of each, whole numbers, shape (number,); by default, all are 0, of
            the class "unlabelled".
        test_images: As ``train_images``; by default, every tenth of each class of those.
        test_labels: As ``train_labels``.
        class_names: The name of each label; by default, the numbers are the names.

    Returns:
        Dataset: The same, as the package keeps it.

    Raises:
        InputError: They are no images and labels that fit each other.

    Example:
        >>> import numpy as np
        >>> from chainer_vae import make_dataset
        >>> images = np.random.RandomState(0).randint(0, 256, (40, 8, 8)).astype(np.uint8)
        >>> data = make_dataset(images, np.arange(40) // 20, class_names=["cat", "dog"])
        >>> data.train_images.shape, data.test_labels.tolist(), data.class_names
        ((36, 64), [0, 0, 1, 1], ('cat', 'dog'))
    """
    sets = arrays.sets_of_arrays(train_images, train_labels, test_images, test_labels, class_names)
    return _dataset("the data set", sets)


def _dataset(
    source: Union[str, Path], sets: Sets, size: Optional[tuple[int, int]] = None
) -> Dataset:
    images = [sets.train.images, sets.test.images]
    if size is not None and any(each.shape[1:] != size for each in images):
        from chainer_vae.formats import image_folder  # here: only pictures need Pillow

        for each in images:
            require_sizes(source, len(each), *size)
        images = [image_folder.resized(each, size) for each in images]
    train, test = images
    if train.shape[1:] != test.shape[1:]:
        raise InputError(
            f"{source}: training images are {size_in_words(train.shape[1:])} pixels,"
            f" but test images are {size_in_words(test.shape[1:])}"
        )
    if train.dtype == np.uint8 and (train.min(), train.max()) == (0, 1):
        raise InputError(
            f"the pixels of {source} are bytes of 0 and 1, which are black: 255 is white; multiply"
            " them by 255, or give an array of booleans"
        )
    last = max(sets.train.labels.max(), sets.test.labels.max())
    if sets.class_names and last >= len(sets.class_names):
        raise InputError(
            f"{source}: there are labels up to {last}, but names only of {len(sets.class_names)}"
            " classes, from 0 on"
        )
    height, width = train.shape[1:]
    return Dataset(
        _rows(train), sets.train.labels, _rows(test), sets.test.labels, (height, width),
        sets.class_names,
    )  # fmt: skip


def _rows(images: np.ndarray) -> np.ndarray:
    """Images as rows of numbers in [0, 1]."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    if images.dtype == np.uint8:
        rows /= 255
    return rows


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
