"""What a patch is, and what the modules of patches are written with."""

import types
from importlib import metadata
from typing import Any, Callable, NamedTuple, Optional

import numpy
from packaging.version import Version

__all__ = ["Patch"]  # the rest is for the modules of patches


class Patch(NamedTuple):
    """One repair: what a newer library took from one module of Chainer, and its replacement.

    Attributes:
        module (str): The module of Chainer that is patched.
        gone (str): What it uses that is no longer there.
        since (str): From which version on.
        needed (callable): Takes nothing, returns whether this machine needs the patch.
        provide (dict or None): Names to bind when the module says ``import NAME``, each with a
            function that makes what to bind, called only then.
        apply (callable or None): Called with the module once it has been imported.

    Example:
        >>> from chainer_vae.compat.patch import Patch
        >>> def restore(module):
        ...     module.concat = module.hstack
        >>> patch = Patch("chainer.example", "concat", "9.0", lambda: True, apply=restore)
        >>> patch.needed()
        True
    """

    module: str
    gone: str
    since: str
    needed: Callable[[], bool]
    provide: Optional[dict[str, Callable[[], Any]]] = None
    apply: Optional[Callable[[types.ModuleType], None]] = None


class Extended(types.ModuleType):
    """A library as one module of Chainer sees it: the real one, and the names that it dropped."""

    def __init__(self, module: types.ModuleType, **names: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(names, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)


def installed_version(distribution: str) -> Optional[Version]:
    """The version of an installed distribution; None if it is not installed."""
    try:
        return Version(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return None


def numpy_from(version: str) -> Callable[[], bool]:
    """Whether NumPy is of this version or later."""
    return lambda: Version(numpy.__version__) >= Version(version)


def always() -> bool:
    """For a patch that every machine needs."""
    return True
