"""``chainer-vae import-torch``."""

import argparse
import math

from chainer_vae import shell
from chainer_vae.cli.parser import a_path
from chainer_vae.datasets import MNIST_SHAPE
from chainer_vae.errors import InputError, printable
from chainer_vae.exports.pytorch import load_torch
from chainer_vae.model import VAE
from chainer_vae.runs.checkpoints import save_npz, to_arrays

SUMMARY = "read a model that PyTorch saved"
DESCRIPTION = (
    "Read a state dict of PyTorch, with the names that export --format torch gives, and write it as"
    " a model that train --initmodel takes. No code in the file is run."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=a_path, help="what torch.save has written")
    parser.add_argument(
        "--out", "-o", type=a_path, required=True, metavar="FILE", help="the model, for --initmodel"
    )


def run(args: argparse.Namespace) -> int:
    model = load_torch(args.file)
    if args.out.exists() and args.out.samefile(args.file):
        raise InputError(f"--out {args.out} is the file that is read: choose another")
    save_npz(args.out, to_arrays(model))
    n_h, n_in = model.le1.W.shape
    dimz = model.ld1.W.shape[1]
    print(f"{type(model).__name__} {n_in}-{n_h}-{n_h}-{dimz}; to train it further:")
    kind = [] if isinstance(model, VAE) else ["--model", "autoencoder"]
    words = ["--initmodel", args.out, "--dimz", str(dimz), "--dim-h", str(n_h)]
    images = [] if n_in == math.prod(MNIST_SHAPE) else ["--dataset", "PATH"]
    print(f"  {printable(shell.chainer_vae('train', *kind, *words, *images))}")
    print(f"wrote {printable(args.out)}")
    return 0
