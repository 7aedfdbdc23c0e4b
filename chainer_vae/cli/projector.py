"""``chainer-vae projector``."""

import argparse

from chainer_vae import shell
from chainer_vae.cli.parser import add_out, add_run_and_data
from chainer_vae.cli.trained import load_trained
from chainer_vae.errors import InputError, printable
from chainer_vae.evaluation import latent_vectors
from chainer_vae.model import VAE

SUMMARY = "write latent vectors for TensorBoard's Embedding Projector"
DESCRIPTION = (
    "Write the latent means of the test images, or an autoencoder's latent vectors, for"
    " TensorBoard's Embedding Projector."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser)
    add_out(parser, "projector", "DIR", "folder for the files")


def run(args: argparse.Namespace) -> int:
    from chainer_vae.projector import NAMES, write_projector  # here: only pictures need Pillow

    if args.out.is_file():
        raise InputError(f"--out {args.out} is a file; give the name of a folder")
    model, _, data = load_trained(args)
    images = data.test_images
    name = NAMES[0] if isinstance(model, VAE) else NAMES[1]
    latents = latent_vectors(model, images)
    labels, shape = data.test_labels, data.image_shape
    write_projector(args.out, latents, images, labels, shape, name, data.class_names)
    where = printable(args.out)
    print(f"wrote the {name} of {len(images):,} test images to {where}; to see them:")
    print("  pip install tensorboard")
    print(printable(f"  {shell.command('tensorboard', '--logdir', args.out)}"))
    print("then open http://localhost:6006/#projector (Projector, in the menu at the upper right)")
    print('For its t-SNE and UMAP, check "Spherize data" first; for colours, "Color by" class.')
    return 0
