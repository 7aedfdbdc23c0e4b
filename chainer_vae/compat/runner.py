"""Run a program in place of ``__main__``, as Python itself would, with Chainer patched."""

import builtins
import importlib.util
import os
import pkgutil
import runpy
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from tempfile import gettempdir
from time import time_ns
from types import TracebackType
from typing import Any, Optional

from chainer_vae.compat.importer import activate_later

USAGE = """\
usage: python -m chainer_vae.compat [OPTIONS] SCRIPT [ARGS...]
       python -m chainer_vae.compat [OPTIONS] -m MODULE [ARGS...]
       python -m chainer_vae.compat [OPTIONS] -c CODE [ARGS...]
       python -m chainer_vae.compat [OPTIONS] - [ARGS...]

Runs a Chainer program, unmodified, as `python SCRIPT ARGS...` would.

  --lend               lend the program's own modules the names that NumPy, Python and others
                       have dropped (np.float, collections.Iterable, distutils, scipy.misc ...)
  --lend=PACKAGE,...   lend them to these installed packages, too
  --explain            lend, and list at the end what was used: file, line, what to write
  --fix-report=FILE    lend, and write a patch for the sources into a new FILE"""
FOLDER = str(Path(__file__).parent)
KINDS = ("-", "-m", "-c")  # of programs that are no file or folder


def main(args: list[str]) -> None:
    """Run the program that ``args`` names; its exceptions and exit codes pass through.

    The path has no longer the working folder that Python puts first for ``-m``; here, what it puts
    there for the program.
    """
    if args[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return
    options = _Options()
    while args and args[0].startswith("--"):
        if not options.take(args[0]):
            print(USAGE, file=sys.stderr)
            sys.exit(2)
        args = args[1:]
    if not args and not sys.stdin.isatty():
        args = ["-"]
    if args and args[0][:2] in ("-m", "-c") and args[0][2:]:
        args = [args[0][:2], args[0][2:], *args[1:]]
    if not args or args in (["-m"], ["-c"]) or (args[0][:1] == "-" and args[0] not in KINDS):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    activate_later()
    _patch_in_children()
    options.apply()
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = show
    try:
        _start(args)
    except KeyboardInterrupt:  # ends as Python does
        sys.excepthook(*sys.exc_info())
        sys.exit(130)


def _start(args: list[str]) -> None:
    kind, first = args[0], args[1:2]
    vars(sys.modules["__main__"]).pop("main", None)  # ours, which a module or folder would find
    if kind == "-m":
        sys.argv = args[1:]
        _look_first_in(os.getcwd())
        # What ``python -m`` calls: it runs the module in the one and only __main__.
        runpy._run_module_as_main(first[0])  # type: ignore[attr-defined]
    elif kind == "-c":
        sys.argv = ["-c", *args[2:]]
        _look_first_in("")
        _run(first[0], "<string>", __loader__=None)
    elif kind == "-":
        sys.argv = args
        _look_first_in("")
        _run(sys.stdin.buffer.read(), "<stdin>", __file__="<stdin>", __loader__=None)
    elif pkgutil.get_importer(os.path.abspath(kind)) is not None:  # a folder, or a zip file
        sys.argv = args
        sys.path.insert(0, os.path.abspath(kind))
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
    else:
        sys.argv = args
        _run_script(kind)


class _Options:
    """What stands before the program."""

    def __init__(self) -> None:
        self.packages: Optional[list[str]] = None
        self.explain = False
        self.patch_file: Optional[str] = None

    def take(self, word: str) -> bool:
        """Whether it is an option."""
        name, _, value = word.partition("=")
        if name == "--lend" and (value or "=" not in word):
            self.packages = [*(self.packages or ()), *filter(None, value.split(","))]
        elif word == "--explain":
            self.explain = True
        elif name == "--fix-report" and value not in ("", "-"):
            self.patch_file = os.path.abspath(value)
        else:
            return False
        return True

    def apply(self) -> None:
        if self.packages is None and not self.explain and self.patch_file is None:
            return
        from chainer_vae.compat.lending import lend

        fault = self._fault()
        if fault is not None:
            print(f"chainer_vae.compat: {fault}", file=sys.stderr)
            sys.exit(2)
        record = None
        if self.explain or self.patch_file is not None:
            from chainer_vae.compat.fix_report import report_at_exit

            record = os.path.join(gettempdir(), f"chainer_vae-{os.getpid()}-{time_ns()}.lent")
            with open(record, "x", encoding="utf-8"):
                pass
            report_at_exit(record, self.explain, self.patch_file)
        lend(",".join(self.packages or ()), record)

    def _fault(self) -> Optional[str]:
        """What is wrong with the options."""
        for package in self.packages or ():
            if not package.isidentifier():
                return f"--lend={package}: give the name by which a package is imported"
            if importlib.util.find_spec(package) is None:
                return f"--lend={package}: no package of this name is installed"
        if self.patch_file is None:
            return None
        if os.path.exists(self.patch_file):
            return f"--fix-report: {self.patch_file} is there already; name a new file"
        if not os.access(os.path.dirname(self.patch_file), os.W_OK):
            return f"--fix-report: {os.path.dirname(self.patch_file)} is no folder to write to"
        return None


def _patch_in_children() -> None:
    """Have every Python that the program starts run children/sitecustomize.py first."""
    ours = os.path.join(FOLDER, "children")
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if ours not in others:
        os.environ["PYTHONPATH"] = os.pathsep.join([ours, *filter(None, others)])


def _look_first_in(folder: str) -> None:
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, folder)


def _run_script(script: str) -> None:
    path = os.path.abspath(script)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {path!r}: {reason}", file=sys.stderr)
        sys.exit(2)
    _look_first_in(os.path.dirname(os.path.realpath(path)))
    _run(source, path, __file__=path, __loader__=SourceFileLoader("__main__", path))


def _run(source: Any, path: str, **more: Any) -> None:
    # The real __main__, so that pickle, threads and multiprocessing find the script's names.
    names = vars(sys.modules["__main__"])
    names.clear()
    names.update(
        __name__="__main__",
        __builtins__=builtins,
        __doc__=None,
        __package__=None,
        __spec__=None,
        **more,
    )
    if sys.version_info < (3, 14):  # later ones make it when it is asked for
        names["__annotations__"] = {}
    if sys.version_info < (3, 15) and "__file__" in names:
        names["__cached__"] = None
    exec(compile(source, path, "exec", dont_inherit=True), names)


def show(
    kind: type[BaseException], error: BaseException, traceback: Optional[TracebackType]
) -> None:
    """Python's own ``sys.excepthook``, without what ran the program, and with a hint."""
    seen: set[int] = set()
    chain: list[Optional[BaseException]] = [error]
    while chain:
        one = chain.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = _theirs(one.__traceback__)
            chain += [one.__cause__, one.__context__]
    sys.__excepthook__(kind, error, error.__traceback__)
    from chainer_vae.compat.hints import print_hint  # what it knows is for this moment alone

    print_hint(error)


def _theirs(traceback: Optional[TracebackType]) -> Optional[TracebackType]:
    """A traceback without the frames of this layer, and those that led to it."""
    frames: list[TracebackType] = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file == __file__:
            frames.clear()  # of runpy, which ran this
        elif not file.startswith((FOLDER, "<frozen importlib")):
            frames.append(traceback)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        traceback = TracebackType(traceback, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return traceback
