"""Which IDX files are a data set: MNIST's four, torchvision's folders, and EMNIST.

EMNIST (Cohen et al., 2017, https://www.nist.gov/itl/products-and-services/emnist-dataset) has six
data sets in one folder, told by the beginning of their files' names, and its images lie on their
side.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple, Optional

from chainer_vae import reading
from chainer_vae.errors import InputError
from chainer_vae.formats import idx
from chainer_vae.formats.sets import Part, Sets

NAME = re.compile(r"(.+-)?(?:train|t10k|test)-(?:images[-.]idx3|labels[-.]idx1)-ubyte(?:\.gz)?")
TEST = "t10k", "test"  # what the test images are called: by MNIST, by EMNIST
EMNIST = "emnist-"
MAX_MAPPING = 1 << 16  # bytes


class Place(NamedTuple):
    """Where a data set is.

    Attributes:
        folder: Of the files.
        prefix: With which their names begin, such as "emnist-letters-"; mostly "".
    """

    folder: Path
    prefix: str


def locate(path: Path) -> Optional[Place]:
    """The IDX files that a path names; None if it names none.

    Args:
        path: Their folder, or one with torchvision's ``raw`` or ``MNIST/raw`` in it, or with
            ``gzip``, as EMNIST's zip file has it; the first two with ``/emnist-letters``, say,
            where there are several.

    Raises:
        InputError: There is more than one data set, or the folder cannot be read.
    """
    if not reading.is_there(path):
        prefix = f"{path.name}-"
        return Place(path.parent, prefix) if prefix in _prefixes(path.parent) else None
    for folders in (
        [path],
        [path / "raw"],
        [path / "gzip"],
        [sub / "raw" for sub in _folders(path)],
    ):
        found = [Place(folder, prefix) for folder in folders for prefix in _prefixes(folder)]
        if len(found) > 1:
            names = ", ".join(str(place.folder / place.prefix.rstrip("-")) for place in found)
            raise InputError(f"{path} holds more than one data set: name one of {names}")
        if found:
            return found[0]
    return None


def read(place: Place) -> Sets:
    """The data set in IDX files.

    Raises:
        InputError: A file is missing or cannot be used.
    """
    train, test = _read_part(place, ("train",)), _read_part(place, TEST)
    if not place.prefix.startswith(EMNIST):
        return Sets(train, test)
    names = _class_names(place.folder / f"{place.prefix}mapping.txt")
    return Sets(_upright(train), _upright(test), names)


def _prefixes(folder: Path) -> list[str]:
    """Those of the data sets in a folder; of MNIST's own names, that alone."""
    if not (reading.is_there(folder) and folder.is_dir()):
        return []
    found = {match[1] or "" for match in map(NAME.fullmatch, _names(folder)) if match}
    return [""] if "" in found else sorted(found)


def _folders(path: Path) -> list[Path]:
    return [path / name for name in sorted(_names(path))] if path.is_dir() else []


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from None


def _read_part(place: Place, parts: tuple[str, ...]) -> Part:
    return idx.read_part(_find(place, parts, "images", 3), _find(place, parts, "labels", 1))


def _find(place: Place, parts: tuple[str, ...], content: str, axes: int) -> Path:
    names = [
        f"{place.prefix}{part}-{content}{sign}idx{axes}-ubyte" for part in parts for sign in "-."
    ]
    for name in names:
        for file in (place.folder / name, place.folder / f"{name}.gz"):
            if reading.is_there(file) and not file.is_dir():
                return file
    usual = names[2 if place.prefix and len(parts) > 1 else 0]
    raise InputError(f"{place.folder} has no file {usual} or {usual}.gz")


def _upright(part: Part) -> Part:
    """EMNIST's images, of which rows are stored as columns."""
    return Part(part.images.transpose(0, 2, 1), part.labels)


def _class_names(mapping: Path) -> tuple[str, ...]:
    """The characters of the classes, in a line each: a label, and the codes of its characters.

    Without the file, which torchvision leaves out, the labels have no names.
    """
    if not reading.is_there(mapping):
        return ()
    names: dict[int, str] = {}
    for line in reading.read_file(mapping, MAX_MAPPING).split(b"\n"):
        words = line.split()
        if not words:
            continue
        try:
            label, *codes = map(int, words)
            name = "".join(map(chr, codes))
        except (ValueError, OverflowError):
            label, name = -1, ""
        if not (0 <= label < 256 and name.isprintable() and name.strip()) or label in names:
            raise InputError(
                f"{mapping} is not a mapping of EMNIST: a line must be a label and the codes of its"
                " characters, each label once"
            )
        names[label] = name
    return tuple(names.get(label, str(label)) for label in range(max(names, default=-1) + 1))
