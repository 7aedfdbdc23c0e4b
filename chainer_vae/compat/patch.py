"""What a patch is, and what the modules of patches are written with."""

import types
from importlib import metadata
from typing import Any, Callable, NamedTuple, Optional

import numpy
from packaging.version import Version


class Patch(NamedTuple):
    """One repair: what a newer library took from one module of Chainer, and its replacement."""

    module: str  # the module of Chainer that is patched
    gone: str  # what it uses that is no longer there
    since: str  # from which version on
    needed: Callable[[], bool]
    # Names to bind when the module says ``import NAME``; made only when it does.
    provide: Optional[dict[str, Callable[[], Any]]] = None
    # Called with the module once it has been imported.
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
