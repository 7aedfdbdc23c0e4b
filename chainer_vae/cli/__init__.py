"""The command line: ``chainer-vae COMMAND``, a module for each command.

What a user can get wrong ends in one line on the standard error and exit code 2.
"""

import errno
import os
import sys
from typing import Optional

from chainer_vae import devices
from chainer_vae.cli import (
    doctor,
    encode,
    evaluate,
    explore,
    export,
    figures,
    import_torch,
    interpolate,
    projector,
    reconstruct,
    sample,
    train,
)
from chainer_vae.cli.parser import Command, Parser, did_you_mean
from chainer_vae.cli.progress import discard_output
from chainer_vae.errors import InputError, NonFiniteLossError, printable
from chainer_vae.runs.interrupt import exit_by_signals
from chainer_vae.version import __version__

COMMANDS: dict[str, Command] = {
    "train": train,
    "evaluate": evaluate,
    "sample": sample,
    "reconstruct": reconstruct,
    "interpolate": interpolate,
    "encode": encode,
    "figures": figures,
    "explore": explore,
    "projector": projector,
    "export": export,
    "import-torch": import_torch,
    "doctor": doctor,
}


def main(argv: Optional[list[str]] = None) -> int:
    """Run one command; without one, print the help.

    Args:
        argv: The arguments after the program's name; by default, this process's own.

    Returns:
        int: The exit code: 0 done; 1 the loss is not finite, or nobody reads the output any more;
        2 something given cannot be used; 130 interrupted by Ctrl-C.

    Raises:
        SystemExit: A signal ended it (SIGTERM: 143, SIGHUP: 129).
    """
    _make_printable()
    try:
        try:
            with exit_by_signals():
                return _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # here, and not at the end of the program, where nothing catches
    except KeyboardInterrupt:
        return 130
    except (InputError, NonFiniteLossError, OSError) as error:
        if _nobody_reads(error):
            discard_output()
            return 1
        print(f"chainer-vae: error: {printable(error)}", file=sys.stderr)
        return 1 if isinstance(error, NonFiniteLossError) else 2
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split()) or "this needs more than there is"
        hint = "smaller batches, fewer samples (k) or fewer units need less"
        print(f"chainer-vae: error: not enough memory: {reason}; {hint}", file=sys.stderr)
        return 2


def _run(argv: list[str]) -> int:
    parser, parsers = build_parsers()
    if not argv:
        parser.print_help()
        return 0
    first = argv[0]
    if not first.startswith("-") and first not in COMMANDS:
        guess = did_you_mean(first, COMMANDS) or f" (choose from {', '.join(COMMANDS)})"
        parser.error(f"unknown command {first!r}{guess}")
    if first.startswith("-") and first not in ("-h", "--help", "--version"):
        parser.error(f"unrecognized arguments: {' '.join(argv)}; options follow a command")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parsers[args.command].refuse(unknown)
    return COMMANDS[args.command].run(args)


def _nobody_reads(error: Exception) -> bool:
    """Whether an error says that the output goes to a closed pipe, as with ``| head``."""
    if isinstance(error, BrokenPipeError):
        return True
    # What Windows says of a closed pipe; of a file, it would name it.
    closed = isinstance(error, OSError) and (error.errno, error.filename) == (errno.EINVAL, None)
    return sys.platform == "win32" and closed


def build_parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole command line, and those of the commands by their names."""
    parser = Parser(
        prog="chainer-vae",
        description="The VAE of the article “Variational Autoencoder徹底解説” on today's machines.",
        epilog="Start with: chainer-vae explore",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    parsers = {}
    for name, module in COMMANDS.items():
        parsers[name] = commands.add_parser(
            name, help=module.SUMMARY, description=module.DESCRIPTION
        )
        module.add_arguments(parsers[name])
    return parser, parsers


def _make_printable() -> None:
    """Let nothing that is printed end a training: not a closed stream, not a folder's name."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by ``>&-``
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
