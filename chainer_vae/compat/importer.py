"""Applying patches to Chainer's modules while they are imported, and to nothing else."""

import builtins
import importlib
import sys
import types
import warnings
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from typing import Any, Callable

from chainer_vae.compat.patch import Patch
from chainer_vae.compat.table import PATCHES


def _import_with(provided: dict[str, Callable[[], Any]]) -> Callable[..., Any]:
    def __import__(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if level == 0 and name in provided:
            return provided[name]()
        return builtins.__import__(name, globals, locals, fromlist, level)

    return __import__


class PatchingFinder(MetaPathFinder):
    """Finds the modules that patches are for where they are, and patches them on import."""

    def __init__(self, patches: tuple[Patch, ...]) -> None:
        self.modules = {patch.module for patch in patches}
        self.patches = patches
        self.applied: list[Patch] = []

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(fullname, path) if fullname in self.modules else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            patches = [patch for patch in self.patches if patch.module == fullname]
            patches = [patch for patch in patches if patch.needed()]
            provided = {name: make for p in patches for name, make in (p.provide or {}).items()}
            if provided:
                module.__dict__["__builtins__"] = {
                    **vars(builtins),
                    "__import__": _import_with(provided),
                }
            execute(module)
            for patch in patches:
                if patch.apply is not None:
                    patch.apply(module)
            self.applied += patches

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def patch_loaded(self) -> None:
        """Patch what has been imported already."""
        for patch in self.patches:
            if patch.apply is not None and patch.module in sys.modules and patch.needed():
                patch.apply(sys.modules[patch.module])
                self.applied.append(patch)


_finder = PatchingFinder(PATCHES)


def activate() -> None:
    """Import Chainer with the patches that this machine needs, without a warning.

    Raises:
        ModuleNotFoundError: Chainer (or something that it needs) is not installed.

    Example:
        >>> from chainer_vae import compat
        >>> compat.activate()  # the import of chainer_vae has done so already
        >>> import chainer
        >>> chainer.__version__
        '7.8.1'
    """
    if _finder in sys.meta_path:
        return
    sys.meta_path.insert(0, _finder)
    if "chainer" in sys.modules:
        # The user has made it importable in another way; what it misses later is still patched.
        _finder.patch_loaded()
    else:
        # An import of Chainer that failed before this one leaves half of its modules behind.
        for name in [name for name in sys.modules if name.startswith(("chainer.", "chainerx."))]:
            del sys.modules[name]
    with warnings.catch_warnings():
        # Chainer's own: that it does not know this CuPy.
        warnings.simplefilter("ignore")
        try:
            importlib.import_module("chainer")
        except BaseException as error:
            sys.meta_path.remove(_finder)
            if not (isinstance(error, ModuleNotFoundError) and error.name == "chainer"):
                raise
            raise ModuleNotFoundError(
                "chainer-vae needs Chainer 7.8.1; install it with:"
                ' pip install "setuptools<81" wheel'
                "; then: pip install --no-build-isolation chainer==7.8.1",
                name="chainer",
            ) from None


def applied() -> tuple[Patch, ...]:
    """The patches applied so far; modules that Chainer loads later may add to them.

    Returns:
        tuple of Patch: The patches, in the order in which they were applied.

    Example:
        >>> from chainer_vae import compat
        >>> "chainer.datasets.mnist" in [patch.module for patch in compat.applied()]
        True
    """
    return tuple(_finder.applied)
