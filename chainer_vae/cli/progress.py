"""The progress bar, and what is printed while it is there."""

import os
import sys
from typing import Any, Optional

from chainer_vae.errors import accessory, warn_of_missing


class Progress:
    """A progress bar on the standard error, if that is a terminal.

    Where the bar fails, one line says so, and the work goes on without it.

    Args:
        total: Number of things to do.
        unit: What they are.
        initial: How many of them are done.
    """

    def __init__(self, total: int, unit: str, initial: int = 0) -> None:
        self._bar: Optional[Any] = None
        if sys.stderr.isatty():
            with accessory("the progress bar"):
                from tqdm import tqdm  # here, because it reads settings from the environment

                self._bar = tqdm(total=total, initial=initial, unit=unit, dynamic_ncols=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self._call("close")

    def update(self) -> None:
        """One more is done."""
        self._call("update")

    def write(self, line: str) -> None:
        """Print a line above the bar.

        Raises:
            OSError: The standard output fails.
        """
        self._call("clear")
        print(line, flush=True)
        self._call("refresh")

    def _call(self, method: str) -> None:
        if self._bar is None:
            return
        try:
            getattr(self._bar, method)()
        except Exception as error:
            self._bar.disable = True  # else it would try once more at the end
            self._bar = None
            warn_of_missing("the progress bar", error)


def discard_output() -> None:
    """Have nothing that is printed from here on go anywhere, nor fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
