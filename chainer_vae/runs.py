"""Which runs there are to show: the user's last ones, and the models that come with the package."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Union

from chainer_vae.errors import InputError
from chainer_vae.training import MODELS_DIR, find_run, load_config, load_log

SIDE = 28  # pixels of a digit's side


def choose_run(name: str, folder: Path = Path("runs")) -> Union[str, Path]:
    """The run to show where none is named: the user's last trained one, or the shipped model.

    Args:
        name: A key of SHIPPED, or SHIPPED_AUTOENCODER.
        folder: Where the user's runs are.

    Returns:
        The folder of a run, or ``name`` itself, which stands for the shipped model.
    """
    shipped, _ = load_config(MODELS_DIR / name)
    found = []
    for file in folder.glob(f"*/mlp_{shipped.dimz}.model"):
        try:
            config, content = load_config(file.parent)
        except InputError:
            continue
        same = config.model == shipped.model and content["n_in"] == SIDE * SIDE
        if same and not config.test:
            found.append((file.stat().st_mtime, file.parent))
    return max(found)[1] if found else name


class About(NamedTuple):
    """What there is to say of a run."""

    shipped: bool  # whether it comes with the package
    folder: Path
    seed: int
    epochs: int  # trained


def about_run(run: Union[str, Path]) -> About:
    """What there is to say of a run.

    Raises:
        InputError: There is no run.
    """
    folder = find_run(run)
    config, _ = load_config(folder)
    done = config.epoch
    with suppress(InputError):  # the log is only for this number
        done = len(load_log(folder / "log"))
    return About(folder.parent == MODELS_DIR, folder, config.seed, done)


def describe_run(run: Union[str, Path]) -> str:
    """A run in words: where it is, its seed and how long it was trained."""
    shipped, folder, seed, epochs = about_run(run)
    where = "the model that comes with chainer-vae" if shipped else str(folder)
    return f"{where} (seed {seed}, {epochs} epoch{'' if epochs == 1 else 's'})"
