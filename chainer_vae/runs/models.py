"""Trained models: those of runs, and those that come with the package."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from chainer_vae import devices, validation
from chainer_vae.config import Config
from chainer_vae.decoders import build_model
from chainer_vae.errors import InputError
from chainer_vae.model import VAE, Autoencoder
from chainer_vae.random_numbers import numpy_random
from chainer_vae.reading import is_there
from chainer_vae.runs import checkpoints
from chainer_vae.runs.folder import (
    CONFIG,
    RunInfo,
    load_info,
    model_file,
    snapshot_epochs,
    snapshot_file,
)

#: Before the name of a model that comes with the package: no path is meant.
PACKAGE = "package:"
MODELS_DIR = Path(__file__).parent.parent / "models"
#: The VAEs that come with the package, and their numbers of latent dimensions.
SHIPPED = {"z20": 20, "z2": 2}
SHIPPED_AUTOENCODER = "ae2"  # the plain autoencoder there, with 2


def find_run(run: Union[str, Path]) -> Path:
    """The folder of a run.

    Args:
        run: A folder, also of any name as a :class:`~pathlib.Path`; or a string that names a
            shipped model: "z20", "z2" or "ae2", or, whatever folders there are, "package:z20",
            "package:z2" or "package:ae2".

    Returns:
        pathlib.Path: ``run`` itself, which need not exist; or the shipped model's folder.

    Raises:
        InputError: ``run`` is no path, names a shipped model that does not exist, or names one but
            also a folder that holds a run.

    Example:
        >>> from chainer_vae.runs import find_run
        >>> find_run("z20").name, find_run("runs/none").exists()
        ('z20', False)
    """
    folder = validation.path("run", run)
    if not isinstance(run, str):
        return folder
    names = (*SHIPPED, SHIPPED_AUTOENCODER)
    if run.startswith(PACKAGE):
        name = validation.choice(f"the model after {PACKAGE}", run[len(PACKAGE) :], names)
        return MODELS_DIR / name
    if run not in names:
        return folder
    if is_there(folder / CONFIG):
        raise InputError(
            f"{run} may be the folder {folder.absolute()} or the model that comes with chainer-vae:"
            f" write ./{run} or {PACKAGE}{run}"
        )
    return MODELS_DIR / run


def load_model(run: Union[str, Path], gpu: int = -1) -> tuple[VAE, Config]:
    """A trained VAE, and the settings that it was trained with.

    Args:
        run: The folder of a run; or "z20" or "z2", the models with 20 and 2 latent dimensions that
            come with the package.
        gpu: Where to put the model: the number of a GPU, or a negative number for the CPU.

    Returns:
        tuple: The model (:class:`~chainer_vae.VAE`) and its settings
        (:class:`~chainer_vae.Config`).

    Raises:
        InputError: There is no run, it is not a VAE's, or its files or the GPU cannot be used.

    Example:
        >>> from chainer_vae import load_model
        >>> model, config = load_model("z20")
        >>> config.dimz, config.epoch
        (20, 100)
    """
    return _load(run, gpu, "vae")


def load_autoencoder(run: Union[str, Path], gpu: int = -1) -> tuple[Autoencoder, Config]:
    """A trained plain autoencoder, and the settings that it was trained with.

    Args:
        run: The folder of a run; or "ae2", the model with 2 latent dimensions that comes with the
            package.
        gpu: Where to put the model: the number of a GPU, or a negative number for the CPU.

    Returns:
        tuple: The model (:class:`~chainer_vae.Autoencoder`) and its settings
        (:class:`~chainer_vae.Config`).

    Raises:
        InputError: There is no run, it is not an autoencoder's, or its files or the GPU cannot be
            used.

    Example:
        >>> from chainer_vae import load_autoencoder
        >>> model, config = load_autoencoder("ae2")
        >>> config.model, config.dimz
        ('autoencoder', 2)
    """
    return _load(run, gpu, "autoencoder")


def load_any_model(run: Union[str, Path], gpu: int = -1) -> tuple[Union[VAE, Autoencoder], Config]:
    """A trained model of either kind, and the settings that it was trained with.

    Args:
        run: The folder of a run; or "z20", "z2" or "ae2", which come with the package.
        gpu: Where to put the model: the number of a GPU, or a negative number for the CPU.

    Returns:
        tuple: The model (:class:`~chainer_vae.VAE` or :class:`~chainer_vae.Autoencoder`) and its
        settings (:class:`~chainer_vae.Config`), whose ``model`` says which it is.

    Raises:
        InputError: There is no run, or its files or the GPU cannot be used.

    Example:
        >>> from chainer_vae.runs import load_any_model
        >>> [load_any_model(name)[1].model for name in ("z2", "ae2")]
        ['vae', 'autoencoder']
    """
    return _load(run, gpu, None)


def load_snapshots(run: Union[str, Path]) -> Iterator[tuple[int, Any]]:
    """The models that a run saved after some epochs, in order.

    Args:
        run: The folder of a run with the setting ``snapshots``.

    Yields:
        tuple: An epoch, and the model (:class:`~chainer_vae.VAE` or
        :class:`~chainer_vae.Autoencoder`) after it.

    Raises:
        InputError: There is no run, or a file cannot be used.

    Example:
        >>> from chainer_vae import Config, Run
        >>> from chainer_vae.runs import load_snapshots
        >>> run = Run.start(Config(epoch=4, test=True, snapshots=True), "runs/snapshots")
        >>> losses = list(run.train())
        >>> [epoch for epoch, model in load_snapshots("runs/snapshots")]
        [0, 1, 2, 3]
    """
    folder = find_run(run)
    info = load_info(folder)
    for epoch in snapshot_epochs(folder, info.config.epoch):
        yield epoch, _restored(info, snapshot_file(folder, epoch))


def _load(run: Union[str, Path], gpu: int, kind: Optional[str]) -> tuple[Any, Config]:
    folder = find_run(run)
    info = load_info(folder)
    if kind is not None and info.config.model != kind:
        raise InputError(f"{run} has --model {info.config.model}, but --model {kind} is needed")
    devices.use_device(gpu)
    model = _restored(info, model_file(folder, info.config.dimz))
    devices.move_model(model, gpu)
    return model, info.config


def _restored(info: RunInfo, file: Path) -> Any:
    with checkpoints.load_npz(file) as arrays:
        checkpoints.check_sizes(arrays, info.config, info.n_in, file)
        with numpy_random(np.random.RandomState(0)):  # its weights are replaced
            model = build_model(info.config, info.n_in)
        checkpoints.restore_model(model, arrays, file)
    return model
