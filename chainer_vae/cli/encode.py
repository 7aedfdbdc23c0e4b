"""``chainer-vae encode``."""

import argparse

from chainer_vae import binarization, validation
from chainer_vae.cli.parser import a_path, add_run_and_data
from chainer_vae.cli.trained import images_of, in_words, load_trained, pictures_of
from chainer_vae.errors import printable
from chainer_vae.evaluation import encode, latent_vectors
from chainer_vae.exports.latents import ENDINGS, write_latents
from chainer_vae.model import VAE

SUMMARY = "write the latent vectors of images, as .npz or .csv"
DESCRIPTION = (
    "Write the latent vectors of all test images, or of images in files: mu and ln_var of a VAE, z"
    " of an autoencoder; with the index and the class of each image, or its path."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser, pictures=True)
    parser.add_argument(
        "--set", choices=("test", "train"),
        help="which images (default: test)",
    )  # fmt: skip
    parser.add_argument(
        "--out", "-o", type=a_path, required=True, metavar="FILE",
        help="the file, .npz (NumPy) or .csv (a table)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    out = validation.ending("--out", args.out, ENDINGS)
    model, config, data = load_trained(args)
    which = args.set or "test"
    shown = pictures_of(args, data, config) if args.pictures else images_of(data, which)
    if isinstance(model, VAE):
        latents = dict(zip(("mu", "ln_var"), encode(model, shown.pixels)))
    else:
        latents = {"z": latent_vectors(model, shown.pixels)}
    write_latents(out, latents, shown.named(data))
    words = {"train": "training ", "test": "test "}[which] if not args.pictures else ""
    number = f"{len(shown.pixels):,} {words}image" + "s" * (len(shown.pixels) != 1)
    line = f"{in_words(args.run)}: {' and '.join(latents)} of {number}"
    print(printable(line + binarization.in_words(config)))
    print(f"wrote {printable(out)}")
    return 0
