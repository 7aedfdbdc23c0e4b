"""``--lend``: the program's own modules find the names again that the libraries have dropped.

A library asks its ``__getattr__`` for a name that it has not.  Here that looks who asks: the
program, and packages that it names, get what is gone; everybody else gets the library's own answer.
"""

import builtins
import dis
import importlib
import json
import os
import platform
import sys
import types
import warnings
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Any, Callable, Optional

from packaging.version import Version

from chainer_vae.compat.dropped_names import DROPPED, GONE, MOVED
from chainer_vae.compat.importer import PACKAGES

# Of the environment, for the Pythons that the program starts: the packages, and the file that keeps
# what all of them used.
VARIABLE, RECORD = "LENT_BY_CHAINER_VAE", "LENT_RECORD_OF_CHAINER_VAE"
_ROOTS = {module.partition(".")[0] for module in (*DROPPED, *MOVED, "pylab")}
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
# ``from numpy import *`` never gave what Python has under the same name.
_NEVER_BY_STAR = set(dir(builtins)) | {"long", "unicode"}


class Lender:
    """Lends names, and keeps where they were used.

    Args:
        packages: The installed packages whose modules borrow, too.
        record: A file; a line for each use is added to it.
    """

    def __init__(self, packages: tuple[str, ...], record: Optional[str]) -> None:
        self.packages, self.record = packages, record
        self._import: Callable[..., Any] = builtins.__import__
        self._import_by_name: Callable[..., Any] = import_module
        self._borrows: dict[tuple[str, str], bool] = {}
        self._used: set[tuple[str, int, str, str]] = set()
        self._made: dict[tuple[str, str], Any] = {}
        self._gone: dict[str, types.ModuleType] = {}

    def import_module(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """What stands for ``builtins.__import__``: sees what is imported, and finds modules that
        are gone."""
        root = name.partition(".")[0]
        if level or root not in _ROOTS:
            return self._import(name, globals, locals, fromlist, level)
        try:
            module = self._import(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            return self._in_place(name, fromlist, error, sys._getframe(1))
        self._watch(root)
        if "*" in (fromlist or ()) and globals is not None:
            self._give_by_star("numpy" if root == "pylab" else name, globals, sys._getframe(1))
        return module

    def import_by_name(self, name: str, package: Optional[str] = None) -> Any:
        """What stands for ``importlib.import_module``."""
        root = name.partition(".")[0]
        if root not in _ROOTS:  # that of ".part" is ""
            return self._import_by_name(name, package)
        try:
            module = self._import_by_name(name, package)
        except ModuleNotFoundError as error:
            return self._in_place(name, ("*",), error, sys._getframe(1))
        self._watch(root)
        return module

    def watch_all(self) -> None:
        """Answer for the libraries that are there already."""
        for root in _ROOTS:
            self._watch(root)

    def _watch(self, root: str) -> None:
        """Answer for the modules of a library, as far as they are there."""
        for name in {*DROPPED, *(each.rpartition(".")[0] for each in GONE)}:
            module = sys.modules.get(name)
            if module is not None and name.partition(".")[0] == root:
                own = vars(module).get("__getattr__")
                if not isinstance(own, types.MethodType) or not isinstance(own.__self__, _Answer):
                    vars(module)["__getattr__"] = _Answer(self, module, own).get

    def _asker(self, frame: Optional[types.FrameType]) -> Optional[types.FrameType]:
        """The frame that asks, if its module is the program's own or of a named package."""
        while frame is not None:
            file, names = frame.f_code.co_filename, frame.f_globals
            module = names.get("__name__") or ""
            # What exec runs belongs to who calls it; what imports, to who asks for that.
            nobody_s = file.startswith("<") and module != "__main__" and "__file__" not in names
            if not (nobody_s or file.startswith("<frozen importlib") or file == __file__):
                return frame if self._is_borrower(module, names) else None
            frame = frame.f_back
        return None

    def _is_borrower(self, module: str, names: dict[str, Any]) -> bool:
        file = names.get("__file__") or ""
        if (module, file) not in self._borrows:
            root, path = module.partition(".")[0], os.path.abspath(file)
            own = bool(file) or module == "__main__"
            own = own and not path.startswith(_STANDARD_LIBRARY)
            own = own and not {"site-packages", "dist-packages"} & set(path.split(os.sep))
            own = own and root not in (*PACKAGES, "chainer_vae")
            self._borrows[module, file] = own or root in self.packages
        return self._borrows[module, file]

    def _in_place(
        self, name: str, fromlist: Any, error: ModuleNotFoundError, frame: types.FrameType
    ) -> Any:
        """What is lent for a module that has not been found, or else the error again."""
        missing = error.name is not None and f"{name}.".startswith(f"{error.name}.")
        asker = self._asker(frame) if missing else None
        found = None if asker is None else self._stand_in(name, fromlist, asker)
        if found is None:
            raise error
        return found

    def _stand_in(self, name: str, fromlist: Any, asker: types.FrameType) -> Any:
        """For a module that is gone; None if there is none."""
        root, _, rest = name.partition(".")
        if root in MOVED:
            _, place = MOVED[root]
            try:
                module = import_module(f"{place}.{rest}" if rest else place)
            except ImportError:
                return None
            self._note(asker, root, "")
            return module if fromlist else import_module(place)
        if name not in GONE:
            return None
        self._note(asker, name, "")
        return import_module(root) if rest and not fromlist else self.gone_module(name)

    def gone_module(self, name: str) -> types.ModuleType:
        """What stands for a module that is gone."""
        if name not in self._gone:
            module = self._gone[name] = types.ModuleType(name)
            vars(module)["__getattr__"] = _Answer(self, module, None).get
        return self._gone[name]

    def _give_by_star(self, module: str, names: dict[str, Any], frame: types.FrameType) -> None:
        """What ``from module import *`` no longer gives; what the importing module says is used."""
        asker = self._asker(frame)
        if asker is None or module not in DROPPED:
            return
        said = set(_names_in(frame.f_code))
        for name, dropped in DROPPED[module].items():
            here = name in vars(sys.modules[module]) or not _has_come(dropped.since)
            if not here and name not in _NEVER_BY_STAR and name not in names:
                names[name] = self.made(module, name)
                if name in said:
                    self._note(asker, module, name)

    def lent(self, module: str, name: str, asker: types.FrameType) -> Any:
        """What is lent for a name, to who asks."""
        self._note(asker, module, name)
        return self.made(module, name)

    def made(self, module: str, name: str) -> Any:
        """What stands for a name, always the same object."""
        if (module, name) not in self._made:
            self._made[module, name] = DROPPED[module][name].make()
        return self._made[module, name]

    def _note(self, asker: types.FrameType, module: str, name: str) -> None:
        file = asker.f_code.co_filename
        use = file if file.startswith("<") else os.path.abspath(file), asker.f_lineno, module, name
        if self.record is not None and use not in self._used:
            self._used.add(use)
            with open(self.record, "a", encoding="utf-8") as record:
                record.write(json.dumps(use) + "\n")


class _Answer:
    """A library's ``__getattr__``, as the lender gives it."""

    def __init__(
        self, lender: Lender, module: types.ModuleType, own: Optional[Callable[[str], Any]]
    ) -> None:
        self.lender, self.module, self.own = lender, module, own
        self.come: dict[str, bool] = {}  # which names are gone from the version that is here

    def get(self, name: str) -> Any:
        module = self.module.__name__
        dropped = DROPPED.get(module, {}).get(name)
        gone = f"{module}.{name}" in GONE
        if dropped is None and not gone:
            return self._own(name)
        asker = self.lender._asker(sys._getframe(1))
        if asker is None or _only_looks(asker):
            return self._own(name)
        if dropped is not None:
            if name not in self.come:
                self.come[name] = _has_come(dropped.since)
            if self.come[name]:  # without asking the library, which may warn of it
                return self.lender.lent(module, name, asker)
        try:
            return self._own(name)
        except AttributeError:
            if gone:
                return self.lender.gone_module(f"{module}.{name}")
            raise

    def _own(self, name: str) -> Any:
        if self.own is not None:
            return self.own(name)
        raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")


def _only_looks(asker: types.FrameType) -> bool:
    """Whether this is ``hasattr``, of a program that helps itself where there is no such name."""
    code = asker.f_code
    if not dis.opname[code.co_code[asker.f_lasti]].startswith(("CALL", "PRECALL")):
        return False
    starts, line = dict(dis.findlinestarts(code)), None
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset, line)
        if line == asker.f_lineno and instruction.argval == "hasattr":
            return True
    return False


def _names_in(code: types.CodeType) -> Iterator[str]:
    """The global names that code uses, and what is defined in it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def lend(packages: str, record: Optional[str] = None) -> None:
    """Lend to the program and to these packages (``a,b``), from now on, and in the Pythons that it
    starts; keep what is used in the file ``record``."""
    os.environ[VARIABLE] = packages
    if record is not None:
        os.environ[RECORD] = record
    lender = Lender(tuple(filter(None, packages.split(","))), record)
    builtins.__import__ = lender.import_module
    importlib.import_module = lender.import_by_name
    lender.watch_all()


def gone(module: str, name: str) -> str:
    """What is said of a name: since when it is gone, and what to write."""
    if module in MOVED:
        since, place = MOVED[module]
        return f"{module} is gone since {since}: write {place}"
    if not name:
        return f"{module} is gone since {GONE[module]}"
    dropped = DROPPED[module][name]
    return f"{module}.{name} is gone since {dropped.since}: write {dropped.mend}"


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
    for module, (since, _) in MOVED.items():
        if _has_come(since):
            result[module] = ["all of it"]
    return result


def _has_come(version: str) -> bool:
    """Whether that one of a library, or a later one, is installed."""
    library, _, number = version.rpartition(" ")
    try:
        here = platform.python_version() if library == "Python" else metadata.version(library)
    except metadata.PackageNotFoundError:
        return False
    return Version(here) >= Version(number)
