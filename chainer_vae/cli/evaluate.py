"""``chainer-vae evaluate``."""

import argparse
import math

import numpy as np

from chainer_vae.cli.parser import add_run_and_data
from chainer_vae.cli.trained import load_trained
from chainer_vae.config import Config
from chainer_vae.errors import NonFiniteLossError, printable
from chainer_vae.evaluation import evaluate
from chainer_vae.runs import find_run
from chainer_vae.runs.models import MODELS_DIR

SUMMARY = "measure a trained model on test images"
DESCRIPTION = "Measure a trained model on test images: -ELBO, reconstruction error, KL divergence."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_and_data(parser)
    parser.add_argument(
        "--k", type=int, default=10, metavar="N", help="samples of z for each image (default: 10)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the samples (default: 0)"
    )


def run(args: argparse.Namespace) -> int:
    samples = Config(k=args.k, seed=args.seed)  # refuses what these cannot be
    model, config, data = load_trained(args)
    images = data.test_images
    np.random.seed(samples.seed)
    if args.gpu >= 0:  # no cover: needs a GPU
        model.xp.random.seed(samples.seed)
    result = evaluate(model, images, samples.k, config.batchsize)
    if not math.isfinite(result.loss):
        raise NonFiniteLossError(f"the model of {args.run} gives a loss of {result.loss}")
    folder = find_run(args.run)
    shipped = folder.parent == MODELS_DIR
    which = f"{folder.name}, which comes with chainer-vae" if shipped else f"the run in {folder}"
    print(f"{printable(which)}: {config.dimz} latent dimensions, seed {config.seed}")
    print(f"{len(images):,} test images, k = {samples.k}, nats per image")
    print(f"-ELBO           {result.loss:10.3f}")
    print(f"reconstruction  {result.rec_loss:10.3f}")
    print(f"KL divergence   {result.kl:10.3f}")
    return 0
