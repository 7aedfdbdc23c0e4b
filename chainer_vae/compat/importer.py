"""Applying patches to Chainer's modules while they are imported, and to nothing else.

The patches themselves, and NumPy with them, are imported when Chainer is, so that a program may set
its environment variables before.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import warnings

# Each Python that a program starts imports this: nothing that takes long.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable

    from chainer_vae.compat.patch import Patch

# The packages in Chainer's wheel.
PACKAGES = "chainer", "chainermn", "chainerx", "onnx_chainer"
HOW_TO_INSTALL = (
    'pip install "setuptools<81" wheel; then: pip install --no-build-isolation chainer==7.8.1'
)


def _import_with(provided: dict[str, Callable[[], Any]]) -> Callable[..., Any]:
    def __import__(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if level == 0 and name in provided:
            return provided[name]()
        return builtins.__import__(name, globals, locals, fromlist, level)

    return __import__


class PatchingFinder:
    """Finds the modules that patches are for where they are, and patches them on import.

    Args:
        packages: The names of the packages to which they belong.
        patches: Called when the first of these is imported: the patches.
    """

    def __init__(self, packages: tuple[str, ...], patches: Callable[[], tuple[Patch, ...]]) -> None:
        self.packages = packages
        self._make_patches = patches
        self._patches: tuple[Patch, ...] | None = None
        self.applied: list[Patch] = []

    @property
    def patches(self) -> tuple[Patch, ...]:
        if self._patches is None:
            self._patches = self._make_patches()
        return self._patches

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.partition(".")[0] not in self.packages:
            return None
        patches = [patch for patch in self.patches if patch.module == fullname]
        if not patches and fullname != "chainer":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec: Any = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchingLoader(spec.loader, patches, self.applied)
        return spec

    def patch_loaded(self) -> None:
        """Patch what has been imported already."""
        for patch in self.patches:
            if patch.apply is not None and patch.module in sys.modules and patch.needed():
                patch.apply(sys.modules[patch.module])
                self.applied.append(patch)


class _PatchingLoader:
    """Loads a module as another loader does, with its patches."""

    def __init__(self, loader: Any, patches: list[Patch], applied: list[Patch]) -> None:
        self._loader = loader
        self._module_patches, self._applied = patches, applied

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        create = getattr(self._loader, "create_module", None)
        return create and create(spec)

    def exec_module(self, module: ModuleType) -> None:
        patches = [patch for patch in self._module_patches if patch.needed()]
        provided = {name: make for p in patches for name, make in (p.provide or {}).items()}
        if provided:
            module.__dict__["__builtins__"] = {
                **vars(builtins),
                "__import__": _import_with(provided),
            }
        with warnings.catch_warnings():
            if module.__name__ == "chainer":
                # It does not know this CuPy, and says so.
                warnings.simplefilter("ignore")
            if hasattr(self._loader, "exec_module"):
                self._loader.exec_module(module)
            else:  # of a zip file, until Python 3.9
                exec(self._loader.get_code(module.__name__), vars(module))
        for patch in patches:
            if patch.apply is not None:
                patch.apply(module)
        self._applied += patches


def _table() -> tuple[Patch, ...]:
    from chainer_vae.compat.table import PATCHES

    return PATCHES


_finder = PatchingFinder(PACKAGES, _table)


def activate_later() -> None:
    """Have Chainer imported with the patches that this machine needs, whenever it is imported.

    Example:
        >>> from chainer_vae import compat
        >>> compat.activate_later()
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
    if _finder in sys.meta_path and "chainer" in sys.modules:
        return
    activate_later()
    try:
        importlib.import_module("chainer")
    except BaseException as error:
        sys.meta_path.remove(_finder)
        if not (isinstance(error, ModuleNotFoundError) and error.name == "chainer"):
            raise
        raise ModuleNotFoundError(
            f"chainer-vae needs Chainer 7.8.1; install it with: {HOW_TO_INSTALL}",
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
