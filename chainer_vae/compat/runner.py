"""Run a program in place of ``__main__``, as Python itself would, with Chainer patched."""

import builtins
import os
import runpy
import sys
from importlib.machinery import SourceFileLoader

from chainer_vae.compat.importer import activate
from chainer_vae.compat.multiprocessing_patches import activate_in_spawned_processes

USAGE = """\
usage: python -m chainer_vae.compat SCRIPT [ARGS...]
       python -m chainer_vae.compat -m MODULE [ARGS...]

Runs a Chainer program, unmodified, as `python SCRIPT ARGS...` would."""


def main(args: list[str]) -> None:
    """Run the program that ``args`` names; its exceptions and exit codes pass through."""
    if args[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return
    if not args or args == ["-m"]:
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    activate()
    activate_in_spawned_processes()
    if args[0] == "-m":
        sys.argv = args[1:]
        # What ``python -m`` calls: it runs the module in the one and only __main__.
        runpy._run_module_as_main(args[1])  # type: ignore[attr-defined]
    elif os.path.isdir(args[0]):
        sys.argv = args
        sys.path[0] = os.path.abspath(args[0])
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
    else:
        sys.argv = args
        _run_script(args[0])


def _run_script(script: str) -> None:
    path = os.path.abspath(script)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {path!r}: {reason}", file=sys.stderr)
        sys.exit(2)
    # Python puts the script's folder first on the path; here that place has the working folder.
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    # The real __main__, so that pickle, threads and multiprocessing find the script's names.
    names = vars(sys.modules["__main__"])
    names.clear()
    names.update(
        __name__="__main__",
        __file__=path,
        __loader__=SourceFileLoader("__main__", path),
        __builtins__=builtins,
        __doc__=None,
        __package__=None,
        __spec__=None,
    )
    if sys.version_info < (3, 14):  # later ones make it when it is asked for
        names["__annotations__"] = {}
    if sys.version_info < (3, 15):
        names["__cached__"] = None
    exec(compile(source, path, "exec", dont_inherit=True), names)
