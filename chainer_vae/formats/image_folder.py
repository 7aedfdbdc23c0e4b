"""Folders of PNG and JPEG files, with a folder for each class or none; and resizing."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional, Union

import numpy as np
from PIL import Image, ImageOps

from chainer_vae import reading
from chainer_vae.errors import InputError, warn
from chainer_vae.formats import contents
from chainer_vae.formats.arrays import grey, in_colour
from chainer_vae.formats.sets import (
    UNLABELLED,
    Part,
    Sets,
    places_in_class,
    require_sizes,
    split,
)
from chainer_vae.validation import MAX_SIZE, size_in_words

PAIRS = ("train", "test"), ("training", "testing")  # folders of the two sets
VALIDATION = "val", "valid", "validation"  # a third, which is left out
# What systems put into folders by themselves, beside what begins with a dot.
NOT_MEANT = "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"
MAX_REASON = 200  # characters of what Pillow says
MAX_PHOTO = 1 << 26  # pixels of an image that is made smaller

Size = Optional[tuple[int, int]]


class _Listed(NamedTuple):
    folders: list[Path]
    files: list[Path]


def read(folder: Path, size: Size = None) -> Sets:
    """The images in a folder.

    The images of the classes take turns, so that the first ones are of all classes.

    Args:
        folder: With images; or with a folder for each class; or with the folders ``train`` and
            ``test`` with either in them.
        size: The height and width to make all images of; by default, they must have one size.

    Raises:
        InputError: Another file is there, an image cannot be read, or the sizes differ.
    """
    halves = _train_and_test(folder)
    found = [_classes(half) for half in halves or [folder]]
    names = sorted({name for classes in found for name in classes})
    labels_of = {name: label for label, name in enumerate(names)}
    files: list[Path] = []
    all_labels: list[np.ndarray] = []
    for classes in found:
        in_order = [(file, labels_of[name]) for name in sorted(classes) for file in classes[name]]
        labels = np.array([label for _, label in in_order], np.int32)
        turns = np.argsort(places_in_class(labels), kind="stable")
        files += [in_order[i][0] for i in turns]
        all_labels.append(labels[turns])
    images = read_files(folder, files, size)
    if not halves:
        return Sets(*split(Part(images, all_labels[0]), folder), tuple(names))
    n_train = len(all_labels[0])
    train, test = Part(images[:n_train], all_labels[0]), Part(images[n_train:], all_labels[1])
    return Sets(train, test, tuple(names))


def _train_and_test(folder: Path) -> list[Path]:
    """The folders of the two sets; none if the folder holds one set only."""
    listed = _listed(folder)
    by_name = {path.name.lower(): path for path in listed.folders}
    for pair in PAIRS:
        if not all(name in by_name for name in pair):
            continue
        taken = {by_name[name] for name in pair}
        others = [
            path
            for path in listed.folders
            if path not in taken and path.name.lower() not in VALIDATION
        ]
        if others or listed.files:
            other = (others + listed.files)[0]
            raise InputError(f"{folder} holds {pair[0]} and {pair[1]}, but also {other.name}")
        return [by_name[name] for name in pair]
    return []


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The files of each class."""
    folders, files = _listed(folder)
    if folders and files:
        raise InputError(
            f"{folder} holds both folders ({folders[0].name}) and files ({files[0].name}): put the"
            " images of each class into a folder, or all into one"
        )
    if not folders and not files:
        raise InputError(
            f"{folder} holds no images: neither IDX files (train-images-idx3-ubyte.gz) nor PNG or"
            " JPEG files"
        )
    if files:
        return {UNLABELLED: files}
    classes = {}
    for each in folders:
        below = _listed(each)
        if below.folders:
            raise InputError(
                f"{each} holds a folder, {below.folders[0].name}: images must be in the folders of"
                " the classes; or in both train and test, each with such folders"
            )
        if not below.files:
            raise InputError(f"{each} holds no images: put some there, or remove the folder")
        classes[each.name] = below.files
    return classes


def _listed(folder: Path) -> _Listed:
    """What is meant to be in a folder, in order of names."""
    listed = _Listed([], [])
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in NOT_MEANT:
                    continue
                (listed.folders if _is_folder(entry) else listed.files).append(Path(entry))
                if len(listed.files) > MAX_SIZE:
                    raise InputError(f"{folder} holds more than {MAX_SIZE:,} files")
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from None
    listed.folders.sort()
    listed.files.sort()
    return listed


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # of a link to itself, which is named when it is read
        return False


def read_files(where: Union[str, Path], files: Sequence[Path], size: Size = None) -> np.ndarray:
    """The images in some files.

    Args:
        where: What a user knows them by, in messages.
        files: PNG or JPEG files.
        size: The height and width to make all images of; by default, they must have one size.

    Returns:
        numpy.ndarray: Bytes, shape (number, height, width).

    Raises:
        InputError: One cannot be read, or the sizes differ.
    """
    images = np.empty((0, 0, 0), np.uint8)
    n_turned_grey = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of a file that it can read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for i, file in enumerate(files):
            pixels, turned_grey = _read_image(file, MAX_PHOTO if size else MAX_SIZE)
            n_turned_grey += turned_grey
            if size is not None:
                pixels = resized(pixels[None], size)[0]
            if i == 0:
                require_sizes(where, len(files), *pixels.shape)
                images = np.empty((len(files), *pixels.shape), np.uint8)
            if pixels.shape != images.shape[1:]:
                raise InputError(
                    f"{files[0]} has {size_in_words(images.shape[1:])} pixels, but {file} has"
                    f" {size_in_words(pixels.shape)}; --size makes all of one size"
                )
            images[i] = pixels
    if n_turned_grey:
        warn(
            f"of the images in {where}, {n_turned_grey:,} of {len(files):,} are in colour or have"
            " transparency; they are turned grey"
        )
    return images


def _read_image(file: Path, most: int) -> tuple[np.ndarray, bool]:
    """The pixels of a file as bytes, shape (height, width), and whether they lost colours."""
    with reading.opened(file) as stream:
        kind = contents.kind_of(stream.read(contents.START))
        if kind not in (contents.PNG, contents.JPEG):
            what = f"is {kind}, not" if kind else "is not"
            raise InputError(f"{file} {what} a PNG or JPEG image: take it out")
        stream.seek(0)
        try:
            return _decoded(file, stream, most)
        except InputError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_large(file, most) from None
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            reason = " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
            raise InputError(f"{file} is damaged: {reason}") from None


def _decoded(file: Path, stream: BinaryIO, most: int) -> tuple[np.ndarray, bool]:
    with Image.open(stream, formats=("PNG", "JPEG")) as image:
        if image.width * image.height > most:
            raise _too_large(file, most)
        upright = ImageOps.exif_transpose(image)  # as cameras and viewers mean it
    transparent = upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info
    if upright.mode.startswith("I"):  # 16 bits; Pillow's "L" would cut them off at 255
        return np.rint(np.asarray(upright) / 257).astype(np.uint8), False
    if upright.mode in ("1", "L") and not transparent:
        return np.asarray(upright.convert("L")), False
    pixels = np.asarray(upright.convert("RGBA" if transparent else "RGB"))
    return grey(pixels), in_colour(pixels)


def _too_large(file: Path, most: int) -> InputError:
    hint = "" if most > MAX_SIZE else "; --size makes larger ones smaller"
    return InputError(f"{file} has more than {most:,} pixels, which is the most{hint}")


def resized(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Images of another size, smoothed where they become smaller (Pillow's bilinear filter).

    Args:
        images: Bytes or float32, shape (number, height, width).
        size: The height and width.

    Returns:
        numpy.ndarray: Of the same dtype, shape (number, *size); as they are if they have the size.
    """
    height, width = size
    if images.shape[1:] == (height, width):
        return images
    found = np.empty((len(images), height, width), images.dtype)
    for image, place in zip(images, found):
        picture = Image.fromarray(np.ascontiguousarray(image))
        place[:] = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.minimum(found, 1, out=found) if found.dtype.kind == "f" else found  # rounding
