"""Ctrl-C while the command is being imported: no traceback.

Everything else is imported after this, and so it imports only what Python has already.
"""

import os
import sys


def hide() -> None:
    """Let Ctrl-C end the command without a traceback, also while it is being imported.

    Other programs are left as they are.  While Python imports what ``-m`` names, this is all that
    it calls the program.
    """
    program = os.path.basename(sys.argv[0] if sys.argv else "")
    # From Python 3.10 on, it tells which module that is.
    words = getattr(sys, "orig_argv", ["chainer_vae"])
    if program in ("chainer-vae", "chainer-vae.exe") or (
        program == "-m" and "chainer_vae" in words
    ):
        sys.excepthook = _say_nothing_of_interrupts


def _say_nothing_of_interrupts(
    kind: type[BaseException], error: BaseException, traceback: object
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, error.__traceback__)
