"""While libraries are imported: variables that they read but cannot use."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainer_vae.errors import InputError


@contextmanager
def blamed_on(*prefixes: str) -> Iterator[None]:
    """While a library is imported: one line about its variables, if it fails over one.

    Args:
        prefixes: How the names of its variables begin.

    Raises:
        InputError: The import failed, and such variables are set.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = [name for name in sorted(os.environ) if name.startswith(prefixes)]
        if not found:
            raise
        settings = ", ".join(f"{name}={os.environ[name]!r}" for name in found)
        reason = " ".join(str(error).split())
        raise InputError(
            f"the environment has {settings}, which cannot be used ({reason}); unset or correct it"
        ) from None


@contextmanager
def importing_chainer() -> Iterator[None]:
    """While Chainer is imported, which reads its variables meanwhile.

    Raises:
        InputError: It cannot use one.  As nothing of this package works then, a program that does
            not catch this ends with one line instead of a traceback.
    """
    try:
        # NumPy reads SOURCE_DATE_EPOCH for a module that is imported with Chainer.
        with blamed_on("CHAINER_", "SOURCE_DATE_EPOCH"):
            yield
    except InputError:
        sys.excepthook = _say
        raise


def _say(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    if not issubclass(kind, InputError):
        sys.__excepthook__(kind, error, traceback)
        return
    print(f"chainer-vae: error: {error}", file=sys.stderr)
    sys.exit(2)
