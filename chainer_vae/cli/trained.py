"""Loading what :func:`chainer_vae.cli.parser.add_run_and_data` names."""

import argparse
from dataclasses import replace

from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, load_data
from chainer_vae.model import VAE
from chainer_vae.runs import find_run, load_info, load_model
from chainer_vae.runs.images import load_run_data, require_same_images


def load_trained(args: argparse.Namespace) -> tuple[VAE, Config, Dataset]:
    """The model, the settings of its run, and the images.

    Raises:
        InputError: There is no such model or data set, or they do not fit each other.
    """
    model, config = load_model(args.run, args.gpu)
    folder = find_run(args.run)
    if args.dataset is None:
        return model, config, load_run_data(folder)
    config = replace(config, dataset=args.dataset)
    data = load_data(config)
    others = replace(load_info(folder), config=config, checksums=None)
    require_same_images(others, data, args.run)  # of the same size
    return model, config, data
