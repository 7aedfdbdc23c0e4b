"""``chainer-vae interpolate``."""

import argparse

import numpy as np

from chainer_vae import latent, validation
from chainer_vae.cli.parser import add_out, add_run_and_data
from chainer_vae.cli.trained import images_of, in_words, load_trained
from chainer_vae.datasets import Dataset
from chainer_vae.environment import blamed_on
from chainer_vae.errors import InputError, printable
from chainer_vae.evaluation import latent_vectors

SUMMARY = "show the way from one image to another in latent space"
DESCRIPTION = (
    "Decode points on the straight line between the latent vectors of two test images: a PNG with"
    " all of them, or a GIF that goes there and back."
)
STEPS = {".png": 10, ".gif": 40}
COLUMNS = 16  # of a strip; more images make a sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser)
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument(
        "--digits", nargs=2, metavar="CLASS",
        help="from the first test image of one class, by its name or number, to that of another"
        " (default: 0 7, or the first and the last class)",
    )  # fmt: skip
    ends.add_argument(
        "--index", type=int, nargs=2, metavar="N",
        help="from one test image to another, counted from 0",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps on the way (default: 10; of a GIF, 40)"
    )
    add_out(parser, "interpolate.png", "FILE", "the picture, .png or .gif")


def _class(word: str, data: Dataset) -> int:
    """A class, by its name or its number.

    Raises:
        InputError: There is no such class.
    """
    if word in data.class_names:
        return data.class_names.index(word)
    numbered = data.class_names and all(name.isdecimal() for name in data.class_names)
    if word.isdecimal() and not numbered:  # else it is meant as a name
        return int(word)
    names = f": {', '.join(data.class_names)}" if data.class_names else "; give its number"
    raise InputError(f"there is no class {word}{names}")


def run(args: argparse.Namespace) -> int:
    with blamed_on("MPLBACKEND"):
        from chainer_vae.figures import sheets  # here: the other commands need no matplotlib
        from chainer_vae.figures.output import save

    out = validation.ending("--out", args.out, tuple(STEPS))
    form = out.suffix.lower()
    steps = STEPS[form] if args.steps is None else validation.whole_number("--steps", args.steps)
    model, _, data = load_trained(args)
    n = steps + 1
    classes = [_class(word, data) for word in args.digits or ()]
    named = [latent.first_of_class(data.test_labels, label) for label in classes]
    ends = args.index or named or latent.ends(data.test_labels)
    shown = images_of(data, indices=ends)
    z_start, z_end = latent_vectors(model, shown.pixels)
    sheets.require_room(n, data.image_shape, form == ".gif")
    images = latent.decode(model, latent.interpolate(z_start, z_end, np.linspace(0, 1, n)))
    if form == ".gif":
        save(sheets.animation(images, data.image_shape), out)
    else:
        columns = n if n <= COLUMNS else sheets.columns_for(n, data.image_shape)
        save(sheets.sheet(sheets.in_rows(images, columns), data.image_shape), out)
    from_to = " to ".join(
        f"test image {index} (class {data.class_name(label)})"
        for index, label in zip(*shown.of.values())
    )
    print(printable(f"{in_words(args.run)}: from {from_to} in {steps:,} step{'s' * (steps != 1)}"))
    print(f"wrote {printable(out)}")
    return 0
