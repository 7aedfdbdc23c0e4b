"""``chainer-vae figures``."""

import argparse
import contextlib
import sys
import traceback

from chainer_vae.cli.parser import add_gpu, add_out, did_you_mean
from chainer_vae.cli.progress import Progress
from chainer_vae.cli.trained import require_apart
from chainer_vae.environment import blamed_on
from chainer_vae.errors import InputError, in_one_line, printable
from chainer_vae.runs import SHIPPED, choose_run, describe_run, find_run, load_info
from chainer_vae.runs.files import check_writable
from chainer_vae.shell import command

SUMMARY = "draw the article's figures"
DESCRIPTION = "Draw the article's figures, and a page that shows them (index.html)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="list the figures, and draw none")
    parser.add_argument(
        "--only", nargs="+", metavar="ID", help="draw only these figures (default: all)"
    )
    parser.add_argument(
        "--lang", choices=("en", "ja"), default="en",
        help="language of labels and captions (default: en)",
    )  # fmt: skip
    for name, n_latent in SHIPPED.items():
        parser.add_argument(
            f"--run-{name}", metavar="RUN",
            help=f"the run to draw the figures of {name} from (default: your last one on MNIST with"
            f" {n_latent} latent dimensions in runs, or {name}, which comes with the package)",
        )  # fmt: skip
    add_out(parser, "figures", "DIR", "folder for the figures")
    parser.add_argument(
        "--format", choices=("png", "svg", "pdf"), default="png",
        help="format of still figures (default: png); animations are GIFs",
    )  # fmt: skip
    parser.add_argument(
        "--rainbow", action="store_true",
        help="colour the classes as the article does, not for colour-blind readers",
    )  # fmt: skip
    add_gpu(parser)
    parser.add_argument(
        "--debug", action="store_true", help="print the traceback of what fails, too"
    )


def run(args: argparse.Namespace) -> int:
    with blamed_on("MPLBACKEND"):
        from chainer_vae import figures  # here: the other commands need no matplotlib

    specs = {spec.id: spec for spec in figures.all_figures()}
    if args.list:
        for spec in specs.values():
            numbers = ", ".join(map(str, spec.numbers))
            print(f"{spec.id:22}{numbers:7}{spec.needs or '-':5}{spec.file:28}", end="")
            print(spec.caption[args.lang])
        return 0
    faults: dict[str, list[str]] = {}  # which figures could not be drawn, by the reason
    for unknown in [name for name in args.only or () if name not in specs]:
        guess = did_you_mean(unknown, specs, most=3) or "; --list names them all"
        faults[f"there is no such figure{guess}"] = [unknown]
    chosen = [spec for spec in specs.values() if args.only is None or spec.id in args.only]

    runs = {name: getattr(args, f"run_{name}") for name in SHIPPED}
    others, dataset = False, None
    for name in SHIPPED:
        if any(spec.needs == name for spec in chosen):
            if runs[name] is None:
                runs[name] = choose_run(name)
            with contextlib.suppress(InputError):  # said below, of each figure
                print(printable(f"{name}: {describe_run(runs[name])}"))
                dataset = load_info(find_run(runs[name])).config.dataset
                others |= dataset is not None
            require_apart(args.out, dataset)
    if args.out.is_file():
        raise InputError(f"--out {args.out} is a file; give the name of a folder")
    check_writable(args.out / "index.html")
    context = figures.Context(args.lang, runs, args.gpu, args.rainbow)
    n_drawn = 0
    with Progress(len(chosen), "figure") as bar:
        for result in figures.draw_figures(chosen, context, args.out, args.format):
            for file in result.files:
                bar.write(printable(f"{result.spec.id:22} {file}  ({result.seconds:.1f} s)"))
            if result.error is not None:
                faults.setdefault(in_one_line(result.error), []).append(result.spec.id)
                if args.debug:
                    error = result.error
                    traceback.print_exception(type(error), error, error.__traceback__)
            else:
                n_drawn += 1
            bar.update()
    if n_drawn:
        options = ["--rainbow"] if args.rainbow else []
        for name in SHIPPED:
            given = getattr(args, f"run_{name}")
            options += [] if given is None else [command(f"--run-{name}", given)]
        figures.write_index(args.out, args.lang, args.format, printable(" ".join(options)), others)
        drawn = "1 figure" if n_drawn == 1 else f"{n_drawn} figures"
        print(f"{drawn} drawn; to see them, open {printable(args.out / 'index.html')}")
    for reason, ids in faults.items():
        print(printable(f"chainer-vae: error: {', '.join(ids)}: {reason}"), file=sys.stderr)
    return 2 if faults else 0
