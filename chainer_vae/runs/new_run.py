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
from chainer_vae.reading import is_there
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
    cut_off = _cut_off_start(folder)
    left = [] if cut_off is None else _files(folder, read_info(cut_off).config.dimz)
    if cut_off is None and is_there(folder / CONFIG):
        resume = f"resume it with {shell.command('--resume', folder)}, "
        if not any(folder.glob("mlp_*.state")):  # such as a model that was published
            resume = "it has no .state to resume from: "
        raise InputError(
            f"{folder} already holds a run: {resume}choose another folder with --out, or delete it"
        )
    for file in _files(folder, dimz):
        if file not in left and is_there(file):
            raise InputError(
                f"{folder} already holds a file {file.name}: choose another folder with --out"
            )
    if cut_off is None and any((folder / SNAPSHOTS).glob(SNAPSHOT)):
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
    new = not is_there(folder)
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
    if not is_there(config):
        return starting if is_there(starting) else None
    # Once, config.json was written first.
    others = folder.glob("mlp_*"), (folder / SNAPSHOTS).glob(SNAPSHOT)
    return None if is_there(folder / LOG) or any(map(any, others)) else config


def _files(folder: Path, dimz: int) -> list[Path]:
    """Those of a run, without its settings and its snapshots."""
    return [model_file(folder, dimz), state_file(folder, dimz), folder / LOG]


def _discard(folder: Path) -> None:
    """Remove what a start wrote that was cut off."""
    settings = _cut_off_start(folder)
    if settings is None:
        return
    dimz = read_info(settings).config.dimz
    snapshots = (folder / SNAPSHOTS).glob(SNAPSHOT)
    for file in (*_files(folder, dimz), *snapshots):
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):
        (folder / SNAPSHOTS).rmdir()
    with suppress(OSError):
        settings.unlink()
