"""A new run appears in its folder whole, or not at all.

Its settings are written first, under another name, and get theirs, config.json, when all the rest
is there: that makes a run of the files.  Where a start was cut off, what it wrote counts as
nothing, and the next start removes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

from chainer_vae import shell
from chainer_vae.errors import InputError
from chainer_vae.runs.files import replace
from chainer_vae.runs.folder import (
    CONFIG,
    LOG,
    SNAPSHOT,
    SNAPSHOTS,
    STARTING,
    RunInfo,
    model_file,
    read_info,
    save_info,
    state_file,
)
from chainer_vae.runs.lock import FolderLock


def require_free(folder: Path, dimz: int) -> None:
    """Refuse a folder where a new run would overwrite something, or be mixed with it.

    Raises:
        InputError: It holds a run, or a file of a run's name.
    """
    if _cut_off_start(folder) is not None:
        return
    if (folder / CONFIG).exists():
        resume = f"resume it with {shell.command('--resume', folder)}, "
        if not any(folder.glob("mlp_*.state")):  # such as a model that was published
            resume = "it has no .state to resume from: "
        raise InputError(
            f"{folder} already holds a run: {resume}choose another folder with --out, or delete it"
        )
    for file in (model_file(folder, dimz), state_file(folder, dimz), folder / LOG):
        if file.exists():
            raise InputError(
                f"{folder} already holds a file {file.name}: choose another folder with --out"
            )
    if any((folder / SNAPSHOTS).glob(SNAPSHOT)):
        raise InputError(
            f"{folder} already holds {SNAPSHOTS} of a run: choose another folder with --out"
        )


@contextmanager
def appearing(lock: FolderLock, info: RunInfo) -> Iterator[None]:
    """A block that writes the files of a new run; after it, they are one.

    Args:
        lock: Of its folder.
        info: Its settings.

    Raises:
        InputError: Another program uses the folder, or it cannot be written, or is not free.
    """
    folder = lock.folder
    new = not folder.exists()
    try:
        with lock:
            try:
                require_free(folder, info.config.dimz)
                _discard(folder)
                save_info(folder / STARTING, info)
                yield
                replace(folder / STARTING, folder / CONFIG)
            except BaseException:
                _discard(folder)  # nothing, if it was not free
                if new:
                    lock.remove_folder()
                raise
    except BaseException:
        if new:
            with suppress(OSError):  # it is not empty: another program's run is in it
                folder.rmdir()
        raise


def _cut_off_start(folder: Path) -> Optional[Path]:
    """The settings of a run whose start was cut off; None if there is none."""
    config, starting = folder / CONFIG, folder / STARTING
    if not config.exists():
        return starting if starting.exists() else None
    # Once, config.json was written first.
    others = (folder / LOG).exists() or any(folder.glob("mlp_*"))
    return None if others else config


def _discard(folder: Path) -> None:
    """Remove what a start wrote that was cut off."""
    settings = _cut_off_start(folder)
    if settings is None:
        return
    dimz = read_info(settings).config.dimz
    snapshots = (folder / SNAPSHOTS).glob(SNAPSHOT)
    for file in (model_file(folder, dimz), state_file(folder, dimz), folder / LOG, *snapshots):
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):
        (folder / SNAPSHOTS).rmdir()
    with suppress(OSError):
        settings.unlink()
