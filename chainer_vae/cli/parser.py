"""Parsing: errors in one line, the nearest name for a mistyped one, and shared options."""

import argparse
import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, Protocol

from chainer_vae import validation
from chainer_vae.errors import InputError, printable
from chainer_vae.runs import PACKAGE


class Command(Protocol):
    """What the module of a command has."""

    SUMMARY: str  # for the list of commands
    DESCRIPTION: str  # for its own help

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments to its parser."""

    def run(self, args: argparse.Namespace) -> int:
        """Run it; returns the exit code."""


class _HelpFormatter(argparse.HelpFormatter):
    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"max_help_position": 28, **settings})
        self._action_max_length = 16  # argparse forgets that commands are indented once more


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def __init__(self, **settings: Any) -> None:
        # No abbreviations: they change their meaning with each new option.
        super().__init__(formatter_class=_HelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        self.exit(2, printable(f"{self.prog}: error: {message} (see {self.prog} --help)") + "\n")

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with an error that names unknown arguments, and the option that is nearest to the
        first."""
        options = [option for action in self._actions for option in action.option_strings]
        name = unknown[0].split("=")[0]
        guess = did_you_mean(name, options) if name.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{guess}")


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """ "; did you mean ...?" with the known names nearest to a mistyped one; "" if none is near."""
    by_lower_case = {other.lower(): other for other in known}
    longer = [other for other in by_lower_case if other.startswith(name.lower())]
    if len(longer) == 1:
        found = longer
    else:
        found = difflib.get_close_matches(name.lower(), by_lower_case, n=most)
    near = [by_lower_case[other] for other in found]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def a_path(text: str) -> Path:
    """For the path of a file or a folder; an empty one, as of ``--out "$UNSET"``, is refused."""
    try:
        return validation.path("it", text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def absolute_path(text: str) -> str:
    """For a folder or a file that is recorded with a run: its absolute path."""
    return os.path.abspath(a_path(text))


def height_and_width(text: str) -> tuple[int, int]:
    """For the size of images: "28x20", 28 pixels high and 20 wide, or "28" for both."""
    try:
        height, *rest = map(int, text.lower().split("x"))
    except ValueError:
        rest = [0, 0]
    if len(rest) > 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no height and width in pixels, such as 28x20, or 28 for both"
        )
    return height, rest[0] if rest else height


def add_gpu(parser: argparse.ArgumentParser) -> None:
    """The option --gpu of a command that shows a trained model."""
    parser.add_argument(
        "--gpu", "-g", type=int, default=-1, metavar="N", help="number of the GPU (default: CPU)"
    )


def add_out(parser: argparse.ArgumentParser, default: str, metavar: str, what: str) -> None:
    """The option --out."""
    parser.add_argument(
        "--out", "-o", type=a_path, default=Path(default), metavar=metavar,
        help=f"{what} (default: {default})",
    )  # fmt: skip


def add_run(parser: argparse.ArgumentParser) -> None:
    """The argument that names a trained model."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", default=f"{PACKAGE}z20",
        help="folder of a run, or z20 (default), z2 or ae2: the trained models of the package",
    )  # fmt: skip


def add_run_and_data(parser: argparse.ArgumentParser, pictures: bool = False) -> None:
    """The arguments that name a trained model and the images to show it; with ``pictures``, also
    files."""
    add_run(parser)
    if pictures:
        parser.add_argument(
            "pictures", metavar="IMAGE", nargs="*", type=a_path,
            help="PNG or JPEG files, made of the size of the run's images, in place of a data set",
        )  # fmt: skip
    add_gpu(parser)
    parser.add_argument(
        "--dataset", type=absolute_path, metavar="PATH",
        help="other images: a folder of IDX, PNG or JPEG files, or an .npz file (default: the run's"
        " own data set)",
    )  # fmt: skip
    add_size(parser)


def add_size(parser: argparse.ArgumentParser, **settings: Any) -> None:
    """The option --size."""
    parser.add_argument(
        "--size", type=height_and_width, metavar="HxW",
        help="height and width to make the images of, such as 28x20, or 28 for both (default: as"
        " they are)", **settings,
    )  # fmt: skip
