"""Train, measure, start and resume for long in one process, and see that nothing grows.

    make soak                             3,000 of each, 300 runs; writes results/trust.md
    python tests/soak.py --epochs 300     shorter; writes nothing

Each part is a process of its own.  Before its first and after its last tenth, it is measured how
much memory it holds (resident), and how many files and threads it has open.
"""

import argparse
import ctypes
import gc
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from trust import write_section

from chainer_vae import Config, Run, encode, evaluate, load_model
from chainer_vae.datasets import load_data

PARTS = {
    "fused": "epochs, engine",
    "chainer": "epochs, Chainer's loop",
    "encode": "calls of `encode`",
    "evaluate": "calls of `evaluate`",
    "resume": "runs started, trained and resumed",
}


def memory():
    """Resident memory in MB, without what is free but kept; None where the system does not say."""
    gc.collect()
    with suppress(Exception):  # only glibc has this
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return None


def count(what):
    """How many files are open ("fd"), how many threads there are ("task"); None where the system
    does not say."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/self/{what}"))
    return None


def written():
    """MB that this process has written so far; None where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/self/io").read_text().splitlines():
            if line.startswith("wchar:"):
                return int(line.split()[1]) / 1e6
    return None


def files(folder):
    """How many there are below a folder, and their sizes in kB."""
    found = [file for file in Path(folder).rglob("*") if file.is_file()]
    return len(found), sum(file.stat().st_size for file in found) / 1e3


def epochs(config, folder):
    """A training, epoch by epoch."""
    run = Run.start(config, folder)
    for _ in run.train():
        yield


def calls(function, config):
    """A function of a model and images, call by call."""
    model, _ = load_model("z2")
    images = load_data(config).test_images
    while True:
        function(model, images)
        yield


def runs(config, folder):
    """Runs that are started and trained for an epoch, and resumed for another one."""
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        for _ in Run.start(config, folder).train():
            pass
        for _ in Run.resume(folder, epoch=config.epoch + 1).train():
            pass
        yield


def soak(part, n, data, folder):
    """What is measured while something is done ``n`` times.

    Returns:
        dict: For each quantity, its value after the first tenth and at the end.
    """
    settings = dict(dimz=2, dim_h=16, seed=1, dataset=str(data))
    work = {
        "fused": lambda: epochs(Config(**settings, epoch=n, engine="fused"), folder),
        "chainer": lambda: epochs(Config(**settings, epoch=n, engine="chainer"), folder),
        "encode": lambda: calls(encode, Config(**settings)),
        "evaluate": lambda: calls(evaluate, Config(**settings)),
        "resume": lambda: runs(Config(**settings, epoch=1), folder),
    }[part]()
    begin, times, found = written(), [], {}
    started = time.monotonic()
    tenth = n // 10

    def measure():
        number, size = files(folder)
        for name, value in (
            ("memory", memory()), ("open files", count("fd")), ("threads", count("task")),
            ("files", number), ("size", size),
        ):  # fmt: skip
            found.setdefault(name, []).append(value)

    for done in range(n):
        before = time.process_time()  # the processor's: other programs do not count
        next(work)
        times.append(time.process_time() - before)
        if done == tenth:
            measure()
    measure()
    work.close()
    few = min(100, tenth)
    found["ms"] = [1e3 * statistics.median(part) for part in (times[:few], times[-few:])]
    found["seconds"] = time.monotonic() - started
    found["written"] = None if begin is None else written() - begin
    return found


def in_a_process(part, n, data, folder):
    """:func:`soak`, in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(soak, (part, n, data, folder))


def row(part, n, found):
    def pair(name, digits=0):
        first, last = found[name]
        return "-" if first is None else f"{first:,.{digits}f}, {last:,.{digits}f}"

    first, last = found["ms"]
    mb = "-" if found["written"] is None else f"{found['written']:,.1f}"
    return (
        f"| {n:,} {PARTS[part]} | {pair('memory', 1)} | {pair('open files')} | {pair('threads')}"
        f" | {pair('files')} | {pair('size')} | {mb} | {found['seconds']:,.0f} s"
        f" | {first:.2f}, {last:.2f} ms ({last / first:.2f}) |"
    )


TITLE = (
    "memory, MB", "open files", "threads", "files in the folder", "their size, kB", "MB written",
    "in all", "processor time of each",
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3000, metavar="N", help="and calls, each")
    args = parser.parse_args()
    from conftest import write_idx_folder

    from chainer_vae import load_mnist

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the parts: the matrices are small
    rows = []
    with tempfile.TemporaryDirectory() as work:
        data = write_idx_folder(Path(work) / "data", load_mnist(), 100, 10)
        for part in PARTS:
            n = args.epochs // 10 if part == "resume" else args.epochs
            rows.append(row(part, n, in_a_process(part, n, data, Path(work) / part)))
            print(rows[-1], flush=True)
    if args.epochs == 3000:
        head = [f"| | {' | '.join(TITLE)} |", "|---" * (len(TITLE) + 1) + "|"]
        write_section("soak", "\n".join([*head, *rows]))


if __name__ == "__main__":
    sys.exit(main())
