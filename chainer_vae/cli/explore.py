"""``chainer-vae explore``."""

import argparse
import webbrowser

from chainer_vae.cli.parser import add_out
from chainer_vae.cli.trained import require_apart
from chainer_vae.errors import InputError, printable
from chainer_vae.runs import choose_run, find_run, load_info
from chainer_vae.runs.files import check_writable
from chainer_vae.runs.images import same_images

SUMMARY = "write the explorer, an interactive page of the latent space"
DESCRIPTION = (
    "Write the explorer: one HTML file in which the models run. Decode any point of the latent"
    " space, draw a digit, interpolate between digits. It needs no network."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, what in (
        ("z2", "the VAE with 2 latent dimensions"),
        ("z20", "the VAE with more latent dimensions, which the page varies one by one"),
        ("ae2", "the plain autoencoder with 2 latent dimensions"),
    ):
        parser.add_argument(
            f"--run-{name}", metavar="RUN",
            help=f"{what} (default: your last such run on MNIST in runs, or {name}, which comes"
            " with the package)",
        )  # fmt: skip
    add_out(parser, "explorer.html", "FILE", "file to write")
    parser.add_argument("--open", action="store_true", help="open it in the browser")


def run(args: argparse.Namespace) -> int:
    from chainer_vae.explorer import write_page  # here: the other commands need no Pillow

    if args.out.is_dir():
        raise InputError(f"--out {args.out} is a folder; give the name of a file in it")
    runs = {name: getattr(args, f"run_{name}") for name in ("z2", "z20", "ae2")}
    given = [name for name, run in runs.items() if run is not None]
    runs = {name: choose_run(name) if run is None else run for name, run in runs.items()}
    infos = {name: load_info(find_run(run)) for name, run in runs.items()}
    for name in given:
        if not same_images(infos[name], infos["z2"]):
            raise InputError(
                f"--run-{name} {runs[name]} was trained on other images than {runs['z2']}: name a"
                " VAE of 2 latent dimensions on the same images by --run-z2"
            )
    for info in infos.values():
        require_apart(args.out, info.config.dataset)
    check_writable(args.out)  # before what takes long
    print("fitting the models into the page; this takes about 20 seconds", flush=True)
    written = write_page(args.out, **runs)
    for name, words in written.shown.items():
        print(printable(f"{name}: {words}"))
    for name, reason in written.left_out.items():
        print(printable(f"{name}: left out, {reason}"))
    if written.epochs:
        print(f"training: {written.epochs} snapshots")
    else:
        print(
            "training: not shown, as there are no two snapshots yet; `chainer-vae train --dimz 2"
            " --snapshots` saves them after some of the epochs"
        )
    size = f"{printable(args.out)}: {written.size / 1e6:.1f} MB"
    opened = args.open and webbrowser.open(args.out.absolute().as_uri())
    print(size if opened else f"{size}; open it in a browser", flush=True)
    return 0
