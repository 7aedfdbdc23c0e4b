"""Draw figures one by one, each with the same fresh settings."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional, Union

import matplotlib

from chainer_vae import validation
from chainer_vae.errors import InputError
from chainer_vae.figures import style
from chainer_vae.figures.output import SUFFIXES, save
from chainer_vae.figures.registry import Context, FigureOrAnimation, FigureSpec


class Drawn(NamedTuple):
    """The result of drawing one figure.

    Attributes:
        spec (FigureSpec): The figure.
        files (list of pathlib.Path): The files and folders written.
        seconds (float): The time taken.
        error (Exception or None): Why it could not be drawn; None if it could.
    """

    spec: FigureSpec
    files: list[Path]
    seconds: float
    error: Optional[Exception]


def draw(spec: FigureSpec, context: Context) -> FigureOrAnimation:
    """Draw one figure, independently of the current matplotlib settings.

    Args:
        spec: The figure.
        context: Its language and models.

    Returns:
        A matplotlib ``Figure``, or an :class:`Animation`.

    Raises:
        InputError: The figure cannot be drawn.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.settings(context.lang))
        return spec.draw(context)


def draw_figures(
    specs: Iterable[FigureSpec], context: Context, out: Union[str, Path], suffix: str = "png"
) -> Iterator[Drawn]:
    """Draw figures into a folder. If one cannot be drawn, the others still are.

    Args:
        specs: The figures to draw.
        context: Their language and models.
        out: The output folder, created if missing.
        suffix: The format of stills: png, svg or pdf.

    Yields:
        Drawn: The result of each figure, as soon as it is done: ``spec``, the ``files`` written,
        the ``seconds`` taken, and ``error``, the exception that ended it or None.

    Raises:
        InputError: ``suffix`` is none of these.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae.figures import Context, all_figures, draw_figures
        >>> context = Context("en", {"z20": "z20", "z2": "z2"})
        >>> specs = [spec for spec in all_figures() if spec.id == "manifold"]
        >>> for drawn in draw_figures(specs, context, Path("figures")):
        ...     print(drawn.spec.id, [file.name for file in drawn.files], drawn.error)
        manifold ['2dim_map.png'] None
    """
    out = validation.path("out", out)
    suffix = validation.choice("suffix", suffix, SUFFIXES)
    for spec in specs:
        started = time.monotonic()
        files = []
        error: Optional[Exception] = None
        try:
            drawn = draw(spec, context)
            with matplotlib.rc_context(style.settings(context.lang)):
                file = out / spec.file_name(suffix)
                save(drawn, file)
            files.append(file)
        except ModuleNotFoundError as fault:  # installed without its requirements
            error = InputError(f"{fault.name} is not installed: pip install {fault.name}")
            error.__cause__ = fault
        except Exception as fault:
            error = fault
        for name, write in context.attachments():
            try:
                write(out / name)
                files.append(out / name)
            except Exception as fault:
                error = error or fault
        yield Drawn(spec, files, time.monotonic() - started, error)
