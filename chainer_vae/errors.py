"""The errors that this package raises for its user; the command line prints each as one line."""

import unicodedata

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
        nowhere holds no run: it has no config.json
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
