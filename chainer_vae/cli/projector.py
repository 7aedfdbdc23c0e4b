"""``chainer-vae projector``."""

import argparse

from chainer_vae import shell
from chainer_vae.cli.parser import add_out, add_run_and_data
from chainer_vae.cli.trained import load_trained
from chainer_vae.errors import printable
from chainer_vae.evaluation import encode

SUMMARY = "write latent vectors for TensorBoard's Embedding Projector"
DESCRIPTION = "Write the latent means of the test images for TensorBoard's Embedding Projector."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser)
    add_out(parser, "projector", "DIR", "folder for the files")


def run(args: argparse.Namespace) -> int:
    from chainer_vae.projector import write_projector  # here: only pictures need Pillow

    model, _, data = load_trained(args)
    images = data.test_images
    means, _ = encode(model, images)
    write_projector(args.out, means, images, data.test_labels, data.image_shape)
    where = printable(args.out)
    print(f"wrote the latent means of {len(images):,} test images to {where}; to see them:")
    print("  pip install tensorboard")
    print(printable(f"  {shell.command('tensorboard', '--logdir', args.out)}"))
    print("then open http://localhost:6006/#projector (Projector, in the menu at the upper right)")
    print('For its t-SNE and UMAP, check "Spherize data" first; for colours, "Color by" class.')
    return 0
