"""``chainer-vae sample``."""

import argparse

from chainer_vae import latent, validation
from chainer_vae.cli.parser import add_gpu, add_out, add_run
from chainer_vae.cli.trained import in_words, require_apart
from chainer_vae.config import Config
from chainer_vae.environment import blamed_on
from chainer_vae.errors import InputError, printable
from chainer_vae.runs import find_run, load_any_model, load_info

SUMMARY = "draw new images from the prior"
DESCRIPTION = "Draw latent vectors from the prior N(0, I), and decode them: new images, as a PNG."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--n", type=int, default=100, metavar="N", help="number of images (default: 100)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the draw (default: 0)"
    )
    add_out(parser, "sample.png", "FILE", "the picture")
    add_gpu(parser)


def run(args: argparse.Namespace) -> int:
    with blamed_on("MPLBACKEND"):
        from chainer_vae.figures import sheets  # here: the other commands need no matplotlib
        from chainer_vae.figures.output import save

    out = validation.ending("--out", args.out, (".png",))
    n = validation.whole_number("--n", args.n, 1)
    seed = Config(seed=args.seed).seed  # refuses what it cannot be
    image_shape = load_info(find_run(args.run)).image_shape
    sheets.require_room(n, image_shape)
    model, config = load_any_model(args.run, args.gpu)
    require_apart(out, config.dataset)
    if config.model != "vae":
        raise InputError(
            f"{args.run} is a plain autoencoder, which has no prior to draw from; `chainer-vae"
            " reconstruct` and `interpolate` show it"
        )
    images = latent.decode(model, latent.prior(n, config.dimz, seed))
    columns = sheets.columns_for(n, image_shape)
    save(sheets.sheet(sheets.in_rows(images, columns), image_shape), out)
    print(printable(f"{in_words(args.run)}: {n:,} images from the prior, seed {seed}"))
    print(f"wrote {printable(out)}")
    return 0
