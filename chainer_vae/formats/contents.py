"""What a file is, by its first bytes: for messages, where it is not what it should be."""

from pathlib import Path
from typing import Optional

from chainer_vae import reading

START = 512  # bytes that tell
PNG, JPEG, GZIP, ZIP = "a PNG image", "a JPEG image", "a gzip file", "a zip file"
IDX = "an IDX file"
STARTS = {
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"\x1f\x8b": GZIP,
    b"PK\x03\x04": ZIP,
    b"PK\x05\x06": ZIP,  # an empty one
    b"MATLAB ": "a MATLAB file (.mat)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a single array (.npy)",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"\xfd7zXZ": "an xz file",
    b"BZh": "a bzip2 file",
    b"PAR1": "a Parquet file",
    b"\x80": "a Python pickle, which could run a program when loaded",
    b"version https://git-lfs": "a pointer of Git LFS: get the file itself by `git lfs pull`",
}
IDX_NUMBERS = {
    0x08: "bytes",
    0x09: "signed bytes",
    0x0B: "16-bit numbers",
    0x0C: "32-bit numbers",
    0x0D: "floats",
    0x0E: "doubles",
}


def kind_of(start: bytes) -> str:
    """What a file that begins so is; "" for what is not known.

    Args:
        start: Its first bytes, START at most.
    """
    if start[8:12] == b"WEBP":
        return "a WebP image"
    if start[257:262] == b"ustar":
        return "a tar file"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps a download's error message"
    if idx_kind(start):
        return IDX
    return next((kind for magic, kind in STARTS.items() if start.startswith(magic)), "")


def kind_of_file(path: Path) -> str:
    """What a file is; "" for what is not known.

    Raises:
        InputError: It cannot be read.
    """
    with reading.opened(path) as file:
        return kind_of(file.read(START))


def idx_kind(start: bytes) -> Optional[str]:
    """What an IDX file that begins so holds; None if it is none."""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in IDX_NUMBERS:
        return None
    axes = "1 axis" if start[3] == 1 else f"{start[3]} axes"
    colour = ", as of colour images" if start[3] == 4 else ""
    return f"{IDX_NUMBERS[start[2]]} with {axes}{colour}"
