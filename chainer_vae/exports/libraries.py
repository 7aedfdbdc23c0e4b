"""Libraries that not everyone needs: imported when they are, and named where they are missing."""

import importlib
from typing import Any

from chainer_vae.errors import InputError


def library(name: str) -> Any:
    """A library, imported.

    Raises:
        InputError: It is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise InputError(f"{name} is not installed: pip install {name}") from None
    except (ImportError, OSError) as error:  # the latter of a library of its own that is missing
        reason = " ".join(str(error).split())
        raise InputError(f"{name} is installed, but cannot be imported: {reason}") from None
