"""Loading what :func:`chainer_vae.cli.parser.add_run_and_data` names."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Optional, Union

import numpy as np

from chainer_vae import validation
from chainer_vae.binarization import binarized
from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, drawn_once, load_data
from chainer_vae.errors import InputError
from chainer_vae.formats import idx_folder
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs import find_run, load_any_model, load_info
from chainer_vae.runs.images import load_run_data, require_same_images
from chainer_vae.runs.models import MODELS_DIR


def load_trained(args: argparse.Namespace) -> tuple[Union[VAE, Autoencoder], Config, Dataset]:
    """The model, the settings of its run, and the images.

    Raises:
        InputError: There is no such model or data set, they do not fit each other, or several
            arguments choose images.
    """
    if getattr(args, "pictures", ()):
        for option in ("dataset", "size", "n", "index", "set"):
            if getattr(args, option, None) is not None:
                raise InputError(f"give either images or --{option}, not both")
        require_apart(args.out, *args.pictures)
    model, config = load_any_model(args.run, args.gpu)
    folder = find_run(args.run)
    if hasattr(args, "out"):
        require_apart(args.out, args.dataset, config.dataset)
    if args.dataset is None:
        if args.size is not None:
            raise InputError("--size is for the images of --dataset: name those, too")
        return model, config, load_run_data(folder)
    config = replace(config, dataset=args.dataset, size=args.size or config.size)
    data = load_data(config)
    others = replace(load_info(folder), config=config, checksums=None)
    require_same_images(others, data, args.run)  # of the same size
    return model, config, drawn_once(data, config)


def require_apart(out: Path, *images: Union[str, Path, None]) -> None:
    """Refuse to write over images, or among those of a folder, where every file is one.

    Args:
        out: The file or the folder to write.
        images: Data sets or pictures; those that are not there do not count.

    Raises:
        InputError: It would.
    """
    for each in images:
        if each is None or not os.path.exists(each):
            continue
        if out.exists() and os.path.samefile(out, each):
            raise InputError(f"--out {out} is where the images are: choose another file")
        folder = Path(each).resolve()
        if folder in out.resolve().parents and idx_folder.locate(folder) is None:
            raise InputError(f"--out {out} is among the images of {each}: choose another folder")


class Images(NamedTuple):
    """Images that a command shows, and what a user knows them by."""

    pixels: np.ndarray  # (number, n_in)
    of: dict[str, np.ndarray]  # where each is in its set, from 0, and its class; or its path

    def named(self, data: Dataset) -> dict[str, np.ndarray]:
        """``of``, with what the classes are called, where they have names."""
        if not data.class_names or "label" not in self.of:
            return self.of
        return {**self.of, "class": np.array(data.class_names)[self.of["label"]]}


def images_of(
    data: Dataset, which: str = "test", indices: Optional[Sequence[int]] = None
) -> Images:
    """Some or all images of a set, "test" or "train".

    Raises:
        InputError: It has no image of an index.
    """
    pixels, labels = (getattr(data, f"{which}_{part}") for part in ("images", "labels"))
    if indices is None:
        return Images(pixels, {"index": np.arange(len(pixels)), "label": labels})
    last = len(pixels) - 1
    chosen = [validation.whole_number("--index", index, 0, last) for index in indices]
    return Images(pixels[chosen], {"index": np.array(chosen), "label": labels[chosen]})


def pictures_of(args: argparse.Namespace, data: Dataset, config: Config) -> Images:
    """The files that ``args.pictures`` names, as the run's own images are.

    Raises:
        InputError: One cannot be read.
    """
    from chainer_vae.formats.image_folder import read_files  # here: only pictures need Pillow

    pictures = read_files("the files", args.pictures, data.image_shape)
    pixels = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    files = np.array([str(file) for file in args.pictures])
    return Images(binarized(pixels, config.binarize), {"path": files})


def in_words(run: str) -> str:
    """A run as the first line of an output names it."""
    folder = find_run(run)
    if folder.parent == MODELS_DIR:
        return f"{folder.name}, which comes with chainer-vae"
    return f"the run in {folder}"
