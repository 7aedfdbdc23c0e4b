"""Which run to show where the user names none, and a run described in words."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Union

from chainer_vae import binarization, validation
from chainer_vae.errors import InputError
from chainer_vae.runs.folder import LOG, load_info, load_log, model_file
from chainer_vae.runs.images import same_images
from chainer_vae.runs.models import (
    MODELS_DIR,
    PACKAGE,
    SHIPPED,
    SHIPPED_AUTOENCODER,
    find_run,
)


def choose_run(name: str, folder: Union[str, Path] = "runs") -> Union[str, Path]:
    """The run to show where none is named: the user's last trained one, or the shipped model.

    A run is passed over that was trained on other images than the shipped model, with pixels of
    another distribution, or for no epoch.

    Args:
        name: A shipped model: "z20", "z2" or "ae2".
        folder: Where the user's runs are.

    Returns:
        pathlib.Path or str: The folder of the run of the same kind and size whose model was saved
        last; or the shipped model's name, which no path shadows.

    Raises:
        InputError: There is no shipped model of this name.

    Example:
        >>> from pathlib import Path
        >>> from chainer_vae.runs import choose_run
        >>> choose_run("z2", Path("none"))
        'package:z2'
    """
    name = validation.choice("name", name, (*SHIPPED, SHIPPED_AUTOENCODER))
    shipped = load_info(find_run(PACKAGE + name))
    found = []
    folder = validation.path("folder", folder)
    for file in folder.glob(f"*/{model_file(Path(), shipped.config.dimz).name}"):
        try:
            info = load_info(file.parent)
            trained = len(load_log(file.parent / LOG)) > 0
        except InputError:
            continue
        kinds = [(config.model, config.likelihood) for config in (info.config, shipped.config)]
        alike = kinds[0] == kinds[1] and same_images(info, shipped)
        if trained and alike and not info.config.test:
            found.append((file.stat().st_mtime, file.parent))
    return max(found)[1] if found else PACKAGE + name


class About(NamedTuple):
    """A run, in short."""

    shipped: bool  # whether it comes with the package
    folder: Path
    seed: int
    epochs: int  # trained
    pixels: str  # what they are taken for, as binarization.in_words says it


def about_run(run: Union[str, Path]) -> About:
    """A run, in short.

    Raises:
        InputError: There is no run.
    """
    folder = find_run(run)
    config = load_info(folder).config
    done = config.epoch
    with suppress(InputError):  # without a log, the setting stands for it
        done = len(load_log(folder / LOG))
    pixels = binarization.in_words(config)
    return About(folder.parent == MODELS_DIR, folder, config.seed, done, pixels)


def describe_run(run: Union[str, Path]) -> str:
    """A run in words: where it is, its seed and how long it was trained.

    Args:
        run: The folder of a run, or the name of a shipped model.

    Returns:
        str: The description.

    Raises:
        InputError: There is no run.

    Example:
        >>> from chainer_vae.runs import describe_run
        >>> describe_run("z2")
        'the model that comes with chainer-vae (seed 0, 100 epochs)'
    """
    shipped, folder, seed, epochs, pixels = about_run(run)
    where = "the model that comes with chainer-vae" if shipped else str(folder)
    return f"{where} (seed {seed}, {epochs} epoch{'' if epochs == 1 else 's'}{pixels})"
