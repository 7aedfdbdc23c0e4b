"""What comes before everything else is imported.

So it imports only what Python has already.
"""

import os
import sys


def hide_interrupts() -> None:
    """Let Ctrl-C end the command without a traceback, also while it is being imported.

    Other programs are left as they are.
    """
    program = os.path.basename(sys.argv[0] if sys.argv else "")
    if program in ("chainer-vae", "chainer-vae.exe") or _is_named_by_m("chainer_vae"):
        sys.excepthook = _say_nothing_of_interrupts


def chainer_comes_later() -> bool:
    """Whether the program that has not begun yet is to import Chainer by itself: that of ``python
    -m chainer_vae.compat``, or of a Python that such a program has started."""
    sitecustomize = sys.modules.get("sitecustomize")
    return getattr(sitecustomize, "chainer_comes_later", False) or _runs_a_program()


def leave_working_folder() -> None:
    """Take the working folder, where ``-m`` looks first, from the path: a six.py or numpy.py there
    is none of ours."""
    if _runs_a_program() and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]


def _runs_a_program() -> bool:
    return _is_named_by_m("chainer_vae.compat")


def _is_named_by_m(module: str) -> bool:
    # While Python imports what ``-m`` names, this is all that it calls the program.
    if sys.argv[:1] != ["-m"]:
        return False
    words = _command_line()
    return module in words or f"-m{module}" in words


def _command_line() -> list[str]:
    """All the words that this Python was started with."""
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv
    import ctypes  # no cover: Python 3.9

    count, words = ctypes.c_int(), ctypes.POINTER(ctypes.c_wchar_p)()  # no cover: Python 3.9
    ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(count), ctypes.byref(words))  # no cover: see above
    return [str(word) for word in words[: count.value]]  # no cover: Python 3.9


def _say_nothing_of_interrupts(
    kind: type[BaseException], error: BaseException, traceback: object
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, error.__traceback__)
