"""The losses that the article's author recorded, for comparison with our runs."""

import csv
from typing import NamedTuple

from chainer_vae.config import Config
from chainer_vae.datasets import DATA_DIR

# z20, Chainer 2.0.0, NumPy 1.12.1, Python 3.6.1, one GPU; published with the article's code at
# https://github.com/matsuken92/Qiita_Contents/tree/master/chainer-vae
LOGS = ("article_log.csv", "article_log_run2.csv")


# What two runs may differ in, and be compared.
NOT_COUNTED = ("epoch", "seed", "gpu", "engine", "snapshots")


class Losses(NamedTuple):
    """Means over an epoch's images, in nats per image; the test is with k = 10."""

    train_loss: float
    train_rec_loss: float
    test_loss: float
    test_rec_loss: float


def differences(config: Config) -> list[str]:
    """The settings, as options, in which a run differs from the author's: its losses do not compare
    with theirs where there is one."""
    return config.options(name for name in vars(config) if name not in NOT_COUNTED)


def load_logs() -> list[dict[int, Losses]]:
    """The author's two runs: for each epoch from 1 to 100, its losses."""
    logs = []
    for name in LOGS:
        with open(DATA_DIR / name, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        logs.append(
            {
                int(row["epoch"]): Losses(*(float(row[field]) for field in Losses._fields))
                for row in rows
            }
        )
    return logs
