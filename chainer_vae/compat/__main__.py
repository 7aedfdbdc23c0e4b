"""``python -m chainer_vae.compat``: run an unmodified Chainer program on today's machine."""

import os
import runpy
import sys

from chainer_vae import compat

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
    compat.activate()
    if args[0] == "-m":
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        return
    script = args[0]
    if not os.path.exists(script):
        print(f"chainer_vae.compat: can't open file {script!r}: no such file", file=sys.stderr)
        sys.exit(2)
    sys.argv = args
    # Python puts the script's folder first on the path; here that place holds the working folder.
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
