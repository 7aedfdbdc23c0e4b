"""The images that a run was trained on: told from others by a checksum, not by a folder's name."""

import zlib
from pathlib import Path
from typing import Optional, Union

import numpy as np

from chainer_vae.config import ARRAYS
from chainer_vae.datasets import Dataset, drawn_once, load_data, size_in_words
from chainer_vae.errors import InputError
from chainer_vae.runs.folder import RunInfo, load_info

# Of MNIST, for runs that were saved before config.json held checksums.
MNIST_CHECKSUMS = {"train_images": 2978061799, "test_images": 4269881850}


def checksums(data: Dataset) -> dict[str, int]:
    """The CRC-32 of the training and of the test images."""
    return {
        name: zlib.crc32(np.ascontiguousarray(images).data)
        for name, images in (("train_images", data.train_images), ("test_images", data.test_images))
    }


def same_images(info: RunInfo, other: RunInfo) -> bool:
    """Whether two runs were trained on the same data set, or on its first images (``test``)."""
    if info.image_shape != other.image_shape or info.config.binarize != other.config.binarize:
        return False
    if info.config.dataset is None and other.config.dataset is None:  # MNIST
        return True
    sums = _recorded(info), _recorded(other)
    if None in sums:
        return info.config.dataset == other.config.dataset
    return sums[0] == sums[1]


def require_same_images(info: RunInfo, data: Dataset, run: Union[str, Path]) -> None:
    """Refuse a data set that is not, or is no longer, the one that a run was trained on.

    Args:
        info: What the run's config.json says; without checksums, as older ones, only the images'
            size counts.
        data: The data set.
        run: What the user calls it, for the message.

    Raises:
        InputError: Its images are others.
    """
    where = "MNIST" if info.config.dataset is None else info.config.dataset
    where = "the arrays" if where == ARRAYS else where
    if data.image_shape != info.image_shape:
        raise InputError(
            f"the images of {where} have {size_in_words(data.image_shape)} pixels, but the model of"
            f" {run} takes {size_in_words(info.image_shape)}"
        )
    if info.checksums is not None and info.checksums != checksums(data):
        raise InputError(
            f"the images of {where} are not those that the run in {run} was trained on;"
            " put those back (or name them with --dataset, where a command has it)"
        )


def load_run_data(folder: Path) -> Dataset:
    """The data set that the run in a folder was trained on, as :func:`drawn_once` has it.

    Raises:
        InputError: There is no run, or its data set is gone, damaged or has changed since.
    """
    info = load_info(folder)
    data = load_data(info.config)
    require_same_images(info, data, folder)
    return drawn_once(data, info.config)


def _recorded(info: RunInfo) -> Optional[dict[str, int]]:
    mnist = info.config.dataset is None and not info.config.test
    return MNIST_CHECKSUMS if info.checksums is None and mnist else info.checksums
