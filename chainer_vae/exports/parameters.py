"""A model's parameters and settings in one npz file, for NumPy."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Union

import numpy as np

from chainer_vae import validation
from chainer_vae.config import Config
from chainer_vae.decoders import require_bernoulli
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.runs.checkpoints import save_npz, to_arrays

OF_THIS_MACHINE = ("gpu", "dataset")  # settings that mean nothing elsewhere


def write_parameters(
    file: Union[str, Path],
    model: Union[VAE, Autoencoder],
    config: Config,
    image_shape: tuple[int, int],
) -> None:
    """Write a model's parameters and its settings as an npz file without Python objects.

    The parameters have Chainer's names, ``le1/W`` (n_out, n_in), ``le1/b`` (n_out,) and so on, so
    that the file is one for ``train --initmodel`` and ``chainer.serializers.load_npz``, too.
    ``settings`` is a string, a JSON object: what :class:`~chainer_vae.Config` has, but for ``gpu``
    and ``dataset``, and ``image_shape``, height and width in pixels.

    Args:
        file: The file, ending in .npz.
        model: The model, on the CPU or a GPU.
        config: The settings that it was trained with.
        image_shape: Height and width of its images, in pixels.

    Raises:
        InputError: The file has another ending or cannot be written, or there is no such shape.
        TypeError: ``model`` or ``config`` is none.

    Example:
        >>> import json
        >>> import numpy as np
        >>> from chainer_vae import load_model
        >>> from chainer_vae.exports.parameters import write_parameters
        >>> model, config = load_model("z2")
        >>> write_parameters("z2.npz", model, config, image_shape=(28, 28))
        >>> with np.load("z2.npz") as arrays:
        ...     settings = json.loads(str(arrays["settings"]))
        ...     print(arrays["le1/W"].shape, settings["act"], settings["image_shape"])
        (500, 784) softplus [28, 28]
    """
    file = validation.ending("file", file, (".npz",))
    validation.instance("write_parameters", model, VAE, Autoencoder)
    require_bernoulli(model, "--format npz")
    validation.instance("write_parameters", config, Config)
    settings = {name: v for name, v in asdict(config).items() if name not in OF_THIS_MACHINE}
    settings["image_shape"] = list(validation.image_shape("image_shape", image_shape))
    save_npz(file, {**to_arrays(model), "settings": np.array(json.dumps(settings))})
