"""Loading what :func:`chainer_vae.cli.parser.add_run_and_data` names."""

import argparse
from dataclasses import replace

from chainer_vae.config import Config
from chainer_vae.datasets import Dataset, load_data, size_in_words
from chainer_vae.errors import InputError
from chainer_vae.model import VAE
from chainer_vae.runs import find_run, load_info, load_model


def load_trained(args: argparse.Namespace) -> tuple[VAE, Config, Dataset]:
    """The model, the settings of its run, and the images.

    Raises:
        InputError: There is no such model or data set, or they do not fit each other.
    """
    model, config = load_model(args.run, args.gpu)
    image_shape = load_info(find_run(args.run)).image_shape
    if args.dataset is not None:
        config = replace(config, dataset=args.dataset)
    data = load_data(config)
    if data.image_shape != image_shape:
        raise InputError(
            f"the images have {size_in_words(data.image_shape)} pixels, but the model of"
            f" {args.run} takes {size_in_words(image_shape)}"
        )
    return model, config, data
