"""``--lend``: the program's own modules find the names again that the libraries have dropped.

They get them by what ``import`` gives them: the library with these names added.  The library itself
and the modules of all others stay as they are.
"""

import atexit
import builtins
import difflib
import os
import platform
import re
import sys
import types
import warnings
from importlib import import_module
from typing import Any, Callable, Optional

from packaging.version import Version

from chainer_vae.compat.dropped_names import DROPPED, MOVED, Dropped
from chainer_vae.compat.importer import PACKAGES

# Of the environment: the packages, for the Pythons that the program starts.
VARIABLE = "LENT_BY_CHAINER_VAE"
_ROOTS = {module.partition(".")[0] for module in (*DROPPED, *MOVED)}
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


class Lender:
    """Lends names, and keeps where they were used.

    Args:
        packages: The installed packages whose modules borrow, too.
    """

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages
        #: For each file and line: the names used there.
        self.used: dict[tuple[str, int], set[tuple[str, str]]] = {}
        self._import: Callable[..., Any] = builtins.__import__
        self._borrows: dict[str, bool] = {}
        self._lent: dict[str, _Lent] = {}

    def import_module(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """What stands for ``builtins.__import__``."""
        if level or name.partition(".")[0] not in _ROOTS or not self._is_borrower(globals):
            return self._import(name, globals, locals, fromlist, level)
        try:
            module = self._import(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            module = self._stand_in(name, fromlist)
            if module is None:
                raise
        return self.lent(module)

    def _is_borrower(self, names: Any) -> bool:
        """Whether the module with these names is the program's own, or of a named package."""
        if not names:
            return False
        module, file = names.get("__name__") or "", names.get("__file__") or ""
        if module not in self._borrows:
            root, path = module.partition(".")[0], os.path.abspath(file)
            own = bool(file) or module == "__main__"
            own = own and not path.startswith(_STANDARD_LIBRARY)
            own = own and not {"site-packages", "dist-packages"} & set(path.split(os.sep))
            own = own and root not in (*PACKAGES, "chainer_vae")
            self._borrows[module] = own or root in self.packages
        return self._borrows[module]

    def _stand_in(self, name: str, fromlist: Any) -> Any:
        """For a module that is gone; None if there is none."""
        root, _, rest = name.partition(".")
        if root in MOVED:
            _, place = MOVED[root]
            try:
                module = import_module(f"{place}.{rest}" if rest else place)
            except ImportError:
                return None
            self.note(root, "", 3)
            return module if fromlist else import_module(place)
        if name not in DROPPED:
            return None
        if rest and not fromlist:
            return import_module(root)
        return types.ModuleType(name)

    def lent(self, module: types.ModuleType) -> types.ModuleType:
        """The module with what is gone from it, or from modules in it."""
        name = module.__name__
        if not any(f"{each}.".startswith(f"{name}.") for each in DROPPED):
            return module
        if name not in self._lent:
            self._lent[name] = _Lent(module, self)
        return self._lent[name]

    def note(self, module: str, name: str, depth: int) -> None:
        """Keep where a name is used: in the frame that is so far above this one."""
        frame = sys._getframe(depth)
        place = frame.f_code.co_filename, frame.f_lineno
        self.used.setdefault(place, set()).add((module, name))


class _Lent(types.ModuleType):
    """A library as the borrowers see it."""

    def __init__(self, module: types.ModuleType, lender: Lender) -> None:
        super().__init__(module.__name__, module.__doc__)
        attributes = ("__package__", "__loader__", "__spec__")
        self.__dict__.update({name: getattr(module, name, None) for name in attributes})
        self.__dict__.update(_module=module, _lender=lender, _made={})

    def __getattr__(self, name: str) -> Any:
        module, lender = self.__dict__["_module"], self.__dict__["_lender"]
        dropped = DROPPED.get(self.__name__, {}).get(name)
        if dropped is not None:
            return self._lend(name, dropped)
        try:
            value = getattr(module, name)
        except AttributeError:
            if f"{self.__name__}.{name}" not in DROPPED:
                raise
            value = types.ModuleType(f"{self.__name__}.{name}")
        return lender.lent(value) if isinstance(value, types.ModuleType) else value

    def _lend(self, name: str, dropped: Dropped) -> Any:
        made = self.__dict__["_made"]
        if name not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it will be gone
                try:
                    return getattr(self.__dict__["_module"], name)
                except AttributeError:
                    made[name] = dropped.make()
        self.__dict__["_lender"].note(self.__name__, name, 3)
        return made[name]

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_module"], name, value)

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_module"])


def lend(packages: str) -> Lender:
    """Lend to the program and to these packages (``a,b``), from now on, and in the Pythons that it
    starts."""
    os.environ[VARIABLE] = packages
    lender = Lender(tuple(filter(None, packages.split(","))))
    builtins.__import__ = lender.import_module
    return lender


def borrowed(lender: Lender) -> list[str]:
    """A line for each use of a name that was lent, by file and line."""
    lines = []
    for (file, line), names in sorted(lender.used.items()):
        for module, name in sorted(names):
            lines.append(f"{_shown(file)}:{line}: {gone(module, name)}")
    return lines


def gone(module: str, name: str) -> str:
    """What is said of a name: since when it is gone, and what to write."""
    if not name:
        since, place = MOVED[module]
        return f"{module} is gone since {since}: write {place}"
    dropped = DROPPED[module][name]
    return f"{module}.{name} is gone since {dropped.since}: write {dropped.mend}"


def _shown(file: str) -> str:
    try:
        path = os.path.relpath(file)
    except ValueError:  # on another drive of Windows
        return file
    return file if path.startswith("..") else path


def as_patch(lender: Lender) -> str:
    """What would mend the sources, as a unified diff; where a line cannot be rewritten by its text
    alone, a comment says what to write."""
    parts: list[str] = []
    for file in sorted({file for file, _ in lender.used}):
        try:
            with open(file, encoding="utf-8") as source:
                old = source.readlines()
        except (OSError, ValueError):  # <stdin>, or not UTF-8
            continue
        new = list(old)
        for (where, line), names in lender.used.items():
            if where == file and line <= len(new):
                for module, name in sorted(names):
                    new[line - 1] = _mended(new[line - 1], module, name)
        parts += difflib.unified_diff(old, new, _shown(file), _shown(file))
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def _mended(line: str, module: str, name: str) -> str:
    mend = DROPPED[module][name].mend if name else ""
    pattern = rf"\b([A-Za-z_][\w.]*)\.{name}\b"
    if name and re.search(pattern, line):
        if mend.startswith(f"{module}."):
            return re.sub(pattern, rf"\1.{mend[len(module) + 1 :]}", line)
        if "." not in mend or re.fullmatch(r"-?[\d.]+", mend):
            return re.sub(pattern, mend, line)
    return f"{line.rstrip()}  # {gone(module, name)}\n"


def report_at_exit(lender: Lender, explain: bool, patch_file: Optional[str]) -> None:
    """Say at the end of the program what was lent: on stderr, and as a patch."""

    @atexit.register
    def report() -> None:
        if explain:
            for line in borrowed(lender):
                print(f"chainer_vae.compat: {line}", file=sys.stderr)
        if patch_file is not None:
            try:
                with open(patch_file, "w", encoding="utf-8") as file:
                    file.write(as_patch(lender))
            except OSError as error:
                reason = f"{error.strerror or error}"
                print(f"chainer_vae.compat: cannot write {patch_file}: {reason}", file=sys.stderr)


def gone_here() -> dict[str, list[str]]:
    """What the installed versions no longer have and :func:`lend` would lend: names by module.

    Example:
        >>> from chainer_vae.compat.lending import gone_here
        >>> "rank" in gone_here()["numpy"]
        True
    """
    result = {}
    for module, names in DROPPED.items():
        there = sys.modules.get(module)  # not imported for this
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lacking = [
                name
                for name, dropped in names.items()
                if _has_come(dropped.since) and not hasattr(there, name)
            ]
        if lacking:
            result[module] = lacking
    return result


def _has_come(version: str) -> bool:
    """Whether that one of a library, or a later one, is installed."""
    from chainer_vae.compat.patch import installed_version  # which imports NumPy

    library, _, number = version.rpartition(" ")
    here = platform.python_version() if library == "Python" else installed_version(library)
    return here is not None and Version(str(here)) >= Version(number)
