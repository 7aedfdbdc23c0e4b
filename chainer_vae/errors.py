"""The errors that this package raises for its user; the command line prints each as one line."""

import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

# Control and format characters, lone surrogates, separators of lines and paragraphs.
UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: object) -> str:
    """A text for a terminal: names of files may hold characters that move its cursor, hide text or
    begin a line; those are escaped as in Python."""
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in UNPRINTABLE
        else char
        for char in str(text)
    )


class _OneLine(Exception):
    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(_OneLine, ValueError):
    """Something given to this package cannot be used; the message says why, and what to do.

    Example:
        >>> from chainer_vae import InputError, load_model
        >>> try:
        ...     load_model("nowhere")
        ... except InputError as error:
        ...     print(error)
        nowhere holds no run: there is no such folder
    """


class NonFiniteLossError(_OneLine, ArithmeticError):
    """A training step or a test gave a loss that is infinite or not a number.

    Example:
        >>> from chainer_vae import Config, NonFiniteLossError, Run
        >>> run = Run.start(Config(epoch=1, test=True, C=1e308), "runs/diverging")
        >>> try:
        ...     losses = list(run.train())
        ... except NonFiniteLossError as error:
        ...     print(error)
        the training loss of step 1 (epoch 1) is inf; runs/diverging keeps the state after step 0
    """


def in_one_line(error: BaseException) -> str:
    """What an error says; of one that was not foreseen, its type, too."""
    text = " ".join(str(error).split())
    if isinstance(error, (InputError, NonFiniteLossError)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def accessory(what: str) -> Iterator[None]:
    """A block that may fail: one line says that ``what`` is missing, and the program goes on."""
    try:
        yield
    except Exception as error:
        warn_of_missing(what, error)


def warn_of_missing(what: str, error: Exception) -> None:
    """Log that ``what`` is missing, and why."""
    warn(f"going on without {what}: {in_one_line(error)}")


def warn(text: str) -> None:
    """Log one line; where logging was not set up, it goes to the standard error."""
    logging.getLogger("chainer_vae").warning("chainer-vae: warning: %s", printable(text))
