"""What may help a program that ends with an error: a line after its traceback."""

import os
import sys
from typing import Optional

from chainer_vae.compat.importer import HOW_TO_INSTALL


def hint(error: BaseException) -> Optional[str]:
    """What to do about an error that today's libraries cause in programs of Chainer's time."""
    text = str(error)
    variables = [
        f"{name}={os.environ[name]!r}" for name in os.environ if name.startswith("CHAINER_")
    ]
    if variables and "chainer" not in sys.modules and isinstance(error, (KeyError, ValueError)):
        return f"the environment has {', '.join(variables)}: Chainer may not be able to use that"
    if isinstance(error, SyntaxError) and text.startswith("Missing parentheses in call to 'print'"):
        return "this is a program for Python 2; convert it (lib2to3 of Python 3.12 or before does)"
    if isinstance(error, ModuleNotFoundError) and error.name == "chainer":
        return f"Chainer is not installed: {HOW_TO_INSTALL}"
    if isinstance(error, ImportError) and error.name == "cupy":
        return "CuPy is not installed, and needs an NVIDIA GPU; many programs run without: --gpu -1"
    if isinstance(error, AttributeError):
        if text.startswith(("module 'numpy' has no attribute", "`np.")):
            return (
                "NumPy has dropped this name: change the line, or install"
                ' "numpy<1.24", on Python 3.9 to 3.11'
            )
        if "has no setter" in text or text.startswith("can't set attribute"):
            return "a later Chainer made this attribute read-only: leave the line out"
    # The second is a warning, of NumPy 1.25 to 2.3, where warnings are errors.
    if text.startswith(("only 0-dimensional arrays can be", "Conversion of an array with ndim")):
        return (
            "since NumPy 2.4, float(x) and int(x) take arrays without axes alone: write x.item(),"
            ' or install "numpy<2.4"'
        )
    return None


def print_hint(error: BaseException) -> None:
    """Print the hint, if there is one."""
    found = hint(error)
    if found is not None:
        print(f"chainer_vae.compat: {found}", file=sys.stderr)
