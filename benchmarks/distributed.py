"""A training step in several processes: each one's part of it, and the allreduce.

    OMP_NUM_THREADS=1 mpiexec -n 2 python benchmarks/distributed.py
    OMP_NUM_THREADS=1 mpiexec -n 2 python benchmarks/distributed.py --out results/distributed.json

Milliseconds, medians.  A step of one process alone, and what one of several computes of it, are the
processor's, so that other programs count little; the allreduce, of the flat gradient and of one
number, is the least by the clock.
"""

import argparse
import json
import statistics
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import numpy as np

from chainer_vae import Config, devices
from chainer_vae.datasets import load_data
from chainer_vae.distributed import Communicator, DistributedEngine
from chainer_vae.engine import Engine, thread_pool
from chainer_vae.runs import files
from chainer_vae.training import Training


class Silent(Communicator):
    """Shares the batches, and sums nothing."""

    def sum(self, array: np.ndarray) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batchsizes", type=int, nargs="+", default=[100, 400, 1600])
    parser.add_argument("--steps", type=int, default=30, help="of each (default: 30)")
    parser.add_argument("--out", type=Path, help="a JSON file for the result")
    args = parser.parse_args()
    communicator, silent = Communicator("naive"), Silent("naive")
    config = Config()
    training = Training(config, load_data(config))
    settings = training.model, training.optimizer, config.C, config.k
    steps: list[dict[str, Any]] = []
    with thread_pool() as pool:
        engine = Engine(*settings, pool, random=training.random)
        part = DistributedEngine(silent, *settings, pool, random=training.random)
        for batchsize in args.batchsizes if communicator.rank == 0 else ():
            x = training.images[:batchsize]
            alone = times(lambda x=x: (engine.step(x), engine.finish()), args.steps)
            share = times(lambda x=x: part.step(x), args.steps)
            found = {"alone": statistics.median(alone), "share": statistics.median(share)}
            steps.append({"batchsize": batchsize, **{k: round(v, 2) for k, v in found.items()}})
    wait_asleep(communicator)
    gradient, number = np.zeros_like(part.g), np.zeros(1)
    reduce = {
        name: round(min(times(lambda a=a: communicator.sum(a), 200, time.perf_counter)), 4)
        for name, a in (("gradient", gradient), ("one_number", number))
    }
    record = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "device": devices.describe(-1),
        "versions": devices.versions(),
        "processes": communicator.size,
        "steps": steps,
        "gradient_bytes": gradient.nbytes,
        "allreduce": reduce,
    }
    if communicator.rank == 0:
        text = json.dumps(record, indent=1) + "\n"
        print(text, end="")
        if args.out is not None:
            files.save_text(args.out, text)


def times(
    step: Callable[[], object], steps: int, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Milliseconds of each step, but for the first three."""
    found = []
    for _ in range(steps + 3):
        start = clock()
        step()
        found.append(1000 * (clock() - start))
    return found[3:]


def wait_asleep(communicator: Communicator) -> None:
    """Wait for rank 0 without the spinning of MPI, which would take a core from it."""
    request = communicator.mpi.Ibarrier()
    while not request.Test():
        time.sleep(0.02)


if __name__ == "__main__":
    main()
