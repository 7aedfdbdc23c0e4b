"""Drawing figures one after another, each from the same clean start."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import matplotlib

from chainer_vae.errors import InputError
from chainer_vae.figures import style
from chainer_vae.figures.output import save
from chainer_vae.figures.registry import Context, FigureSpec, Picture


class Drawn(NamedTuple):
    """What became of a figure."""

    spec: FigureSpec
    files: list[Path]  # what was written
    seconds: float
    error: Optional[InputError]  # why it could not be drawn


def draw(spec: FigureSpec, context: Context) -> Picture:
    """The picture of one figure, whatever matplotlib's settings are.

    Raises:
        InputError: It cannot be drawn.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.settings(context.lang))
        return spec.draw(context)


def draw_figures(
    specs: Iterable[FigureSpec], context: Context, out: Path, suffix: str = "png"
) -> Iterator[Drawn]:
    """Draw figures into a folder; one that cannot be drawn does not keep the others from it.

    Args:
        specs: Which.
        context: Their language and models.
        out: The folder; made where there is none.
        suffix: The format of stills: png, svg or pdf.

    Yields:
        Drawn: For each figure, once it is done.
    """
    for spec in specs:
        started = time.monotonic()
        files = []
        error = None
        try:
            picture = draw(spec, context)
            with matplotlib.rc_context(style.settings(context.lang)):
                file = out / spec.file_name(suffix)
                save(picture, file)
            files.append(file)
        except InputError as fault:
            error = fault
        except ModuleNotFoundError as fault:  # installed without what this package requires
            error = InputError(f"{fault.name} is not installed: pip install {fault.name}")
        for name, write in context.attachments():
            try:
                write(out / name)
                files.append(out / name)
            except InputError as fault:
                error = error or fault
        yield Drawn(spec, files, time.monotonic() - started, error)
