"""``chainer-vae reconstruct``."""

import argparse

from chainer_vae import binarization, latent, validation
from chainer_vae.cli.parser import add_out, add_run_and_data
from chainer_vae.cli.trained import images_of, in_words, load_trained, pictures_of
from chainer_vae.environment import blamed_on
from chainer_vae.errors import printable
from chainer_vae.evaluation import latent_vectors, reconstruction_errors

SUMMARY = "show test images and their reconstructions"
DESCRIPTION = (
    "Write a PNG of test images, or of images in files, above their reconstructions (decoded from"
    " the latent mean, or an autoencoder's latent vector), and print the error of each."
)
N = 10  # images, where none are named
COLUMNS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser, pictures=True)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--n", type=int, metavar="N", help=f"the first N test images (default: {N})")
    which.add_argument(
        "--index", type=int, nargs="+", metavar="N", help="these test images, counted from 0"
    )
    add_out(parser, "reconstruct.png", "FILE", "the picture")


def run(args: argparse.Namespace) -> int:
    with blamed_on("MPLBACKEND"):
        from chainer_vae.figures import sheets  # here: the other commands need no matplotlib
        from chainer_vae.figures.output import save

    out = validation.ending("--out", args.out, (".png",))
    model, config, data = load_trained(args)
    n_test = len(data.test_images)
    if args.pictures:
        shown = pictures_of(args, data, config)
    else:
        n = min(N, n_test) if args.n is None else validation.whole_number("--n", args.n, 1, n_test)
        shown = images_of(data, indices=args.index or range(n))
    sheets.require_room(2 * len(shown.pixels), data.image_shape)
    outputs = latent.decode(model, latent_vectors(model, shown.pixels))
    errors = reconstruction_errors(model, shown.pixels)
    above, below = (sheets.in_rows(images, COLUMNS) for images in (shown.pixels, outputs))
    rows = [row for pair in zip(above, below) for row in pair]
    save(sheets.sheet(rows, data.image_shape), out)
    unit = "-ln p(x|mu), nats" if config.model == "vae" else "|x - x'|^2, summed over the pixels"
    unit += binarization.in_words(config)
    print(printable(f"{in_words(args.run)}: reconstruction error, {unit}"))
    if args.pictures:
        print("     error  file")
        for file, error in zip(shown.of["path"], errors):
            print(printable(f"{error:10.3f}  {file}"))
    else:
        names = [data.class_name(label) for label in shown.of["label"]]
        print("index       error  class")
        for index, name, error in zip(shown.of["index"], names, errors):
            print(printable(f"{index:5}  {error:10.3f}  {name}"))
    print(f"wrote {printable(out)}")
    return 0
