"""Data sets whose download addresses are dead: MNIST is read from this package's files."""

import gzip
import types
from pathlib import Path

import numpy

from chainer_vae.compat.patch import Patch, always

MNIST_DIR = Path(__file__).parent.parent / "data"


def _read_mnist_from_package(mnist: types.ModuleType) -> None:
    def retrieve(name: str, urls: list[str]) -> dict[str, numpy.ndarray]:
        images, labels = (
            gzip.decompress((MNIST_DIR / url.rsplit("/", 1)[1]).read_bytes()) for url in urls
        )
        return {
            "x": numpy.frombuffer(images, numpy.uint8, offset=16).reshape(-1, 784),
            "y": numpy.frombuffer(labels, numpy.uint8, offset=8),
        }

    mnist._retrieve_mnist = retrieve  # type: ignore[attr-defined]


PATCHES = (
    Patch(
        "chainer.datasets.mnist",
        "the web address that get_mnist downloads from; the files in this package are read instead",
        "about 2023",
        always,
        apply=_read_mnist_from_package,
    ),
)
