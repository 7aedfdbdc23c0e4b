"""A run on disk.

::

    run.py          Run: a training that is saved, stopped and resumed
    folder.py       a run's files: their names, config.json, the log
    images.py       the images that a run was trained on, and no others
    checkpoints.py  models, optimizers and training states as npz files, without pickle
    new_run.py      a new run appears in its folder whole, or not at all
    lock.py         one program at a time in a run's folder
    files.py        files written atomically
    interrupt.py    Ctrl-C, and the signals that ask a program to end
    models.py       trained models: those of runs, and those that come with the package
    choose.py       which run to show where the user names none
    article_log.py  the losses that the article's author recorded
"""

from chainer_vae.runs.choose import choose_run, describe_run
from chainer_vae.runs.folder import load_info, load_log
from chainer_vae.runs.models import (
    PACKAGE,
    SHIPPED,
    find_run,
    load_any_model,
    load_autoencoder,
    load_model,
    load_snapshots,
)
from chainer_vae.runs.run import Run

__all__ = [
    "PACKAGE",
    "SHIPPED",
    "Run",
    "choose_run",
    "describe_run",
    "find_run",
    "load_any_model",
    "load_autoencoder",
    "load_info",
    "load_log",
    "load_model",
    "load_snapshots",
]
