"""multiprocessing: processes that start from nothing find Chainer patched, too."""

import multiprocessing
import multiprocessing.spawn
from typing import Any, Callable

from chainer_vae.compat.importer import activate


class _Activation:
    """Unpickled first in a process that multiprocessing spawns: patches Chainer there."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return activate, ()


def activate_in_spawned_processes() -> None:
    """Have every process that is spawned from now on call :func:`activate` first."""
    prepare = multiprocessing.spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {"chainer_vae.compat": _Activation(), **prepare(name)}

    multiprocessing.spawn.get_preparation_data = get_preparation_data
    if "forkserver" in multiprocessing.get_all_start_methods():
        # By default, the server imports the program's __main__, and with it Chainer, before any
        # process is prepared, and ends with the error (Python 3.12.8, 3.13.1 and later).
        multiprocessing.set_forkserver_preload(["chainer_vae"])
