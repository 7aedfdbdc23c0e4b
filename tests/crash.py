"""Kill trainings at every point where they touch the disk, and see that nothing is lost.

    make crash                        all points, and 100 random moments; writes results/trust.md
    python tests/crash.py --random 20 --step 7     every seventh point, and 20 moments

A training of four small epochs, saved after each, is run once as it is, and its calls that change
the disk are counted: files opened, written, synced, renamed and removed, folders made.  Then it is
run again for each of them, and

    kill    the process is killed by SIGKILL there, in the middle of what it writes;
    full    the disk is full from there on, for the rest of the process (ENOSPC);
    read    the disk is read-only from there on (EROFS);
    random  the process is killed at a random moment.

Each run is then started again by whatever its folder is: nothing, or a run to resume.  It must end
with the same parameters, moments, random numbers and log as the uninterrupted one, and leave no
other file behind.
"""

import argparse
import builtins
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

if __name__ == "__main__":  # a test that imports this must not change the others' numbers
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread: the processes are forked

from trust import write_section

from chainer_vae import Config, InputError, Run
from chainer_vae.runs import checkpoints, load_log, load_snapshots
from chainer_vae.runs import run as run_module

SECONDS = 120  # for one training, of less than a second: a fork may wait for a thread that it lacks
FUNCTIONS = ("fsync", "replace", "unlink", "mkdir", "rmdir")  # of os; and open, and write
FULL = {"full": errno.ENOSPC, "read": errno.EROFS}


class Faults:
    """Counts the calls that change the disk below a folder, and lets one go wrong."""

    def __init__(self, folder, kind=None, n=None):
        self.folder, self.kind, self.n = str(folder), kind, n
        self.calls = 0
        for name in FUNCTIONS:
            self._wrap(name)
        self._open = builtins.open
        builtins.open = self.open

    def _wrap(self, name):
        function = getattr(os, name)

        def wrapped(path, *args, **kwargs):
            # Of a descriptor, that is fsync's, it is not known where it leads.
            if isinstance(path, int) or os.path.abspath(path).startswith(self.folder):
                self.call(name)
            return function(path, *args, **kwargs)

        setattr(os, name, wrapped)

    def open(self, path, mode="r", *args, **kwargs):
        changes = not isinstance(path, int) and set(mode) & set("wxa+")
        if not (changes and os.path.abspath(path).startswith(self.folder)):
            return self._open(path, mode, *args, **kwargs)
        self.call("open")
        return File(self._open(path, mode, *args, **kwargs), self)

    def call(self, name, half=lambda: None):
        """One call; ``half`` does half of it."""
        self.calls += 1
        if self.kind == "kill" and self.calls == self.n:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        # A full disk can still remove files; one that is read-only cannot.
        removes = self.kind == "full" and name in ("unlink", "rmdir")
        if self.kind in FULL and self.calls >= self.n and not removes:
            half()
            raise OSError(FULL[self.kind], os.strerror(FULL[self.kind]))


class File:
    """A file of which writing can go wrong."""

    def __init__(self, file, faults):
        self._file, self._faults = file, faults

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._file.close()

    def write(self, content):
        def half():
            self._file.write(content[: len(content) // 2])
            self._file.flush()

        self._faults.call("write", half)
        return self._file.write(content)


def config(data, engine):
    return Config(
        dimz=3, dim_h=16, batchsize=100, seed=5, epoch=4, snapshots=True, engine=engine,
        dataset=str(data),
    )  # fmt: skip


def train(data, folder, engine):
    """Start or resume the run, whatever there is, and train it to its end."""
    run_module.SAVE_INTERVAL = 0
    if (folder / "config.json").exists():
        run = Run.resume(folder)
    else:
        run = Run.start(config(data, engine), folder)
    for _ in run.train():
        pass


def in_a_process(function, *args, kill_after=None):
    """Run a function in a fork of this process; its exit code, negative for a signal, such as that
    of the alarm where it hangs."""
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        try:
            function(*args)
            os._exit(0)
        except InputError:
            os._exit(2)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def content(folder):
    """What must be the same in the end."""
    found = {"files": sorted(str(f.relative_to(folder)) for f in folder.rglob("*"))}
    for file in ("mlp_3.model", "mlp_3.state"):
        for name, array in checkpoints.load_npz(folder / file).items():
            if name not in ("training/elapsed", "training/log"):
                found[file, name] = array.tobytes()
    found["log"] = [{**entry, "elapsed_time": 0} for entry in load_log(folder / "log")]
    for epoch, model in load_snapshots(folder):
        arrays = checkpoints.to_arrays(model)
        found["snapshot", epoch] = [arrays[name].tobytes() for name in sorted(arrays)]
    return found


def damaged(data, folder, engine, kind, n):
    faults = Faults(folder, kind, n)
    train(data, folder, engine)
    (folder.parent / "calls").write_text(str(faults.calls))


def measure(data, work, engine):
    """The uninterrupted run's content, its number of calls, and how long it takes."""
    folder = work / "whole"
    assert in_a_process(damaged, data, folder, engine, None, None) == 0
    calls = int((work / "calls").read_text())
    shutil.rmtree(folder)
    started = time.monotonic()
    assert in_a_process(train, data, folder, engine) == 0
    return content(folder), calls, time.monotonic() - started


def try_once(data, work, engine, expected, kind, point):
    """What became of one run: None if it ended as the uninterrupted one did."""
    folder = work / "run"
    shutil.rmtree(folder, ignore_errors=True)
    if kind == "random":
        code = in_a_process(train, data, folder, engine, kill_after=point)
    else:
        code = in_a_process(damaged, data, folder, engine, kind, point)
    # A graph that cannot be written ends no run.
    if code not in ((-signal.SIGKILL, 0) if kind in ("kill", "random") else (2, 0)):
        return f"ended with {code}"
    code = in_a_process(train, data, folder, engine)
    if code:
        return f"going on ended with {code}"
    found = content(folder)
    different = [str(key) for key in {**expected, **found} if expected.get(key) != found.get(key)]
    return f"differs in {', '.join(different)}" if different else None


def crash(data, engine, step, n_random, seed, say=print):
    """Try all points: a table of the kinds, of how many tries, and of what went wrong."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        work = Path(os.path.realpath(name))
        expected, calls, seconds = measure(data, work, engine)
        tries = [(kind, n) for kind in ("kill", *FULL) for n in range(1, calls + 1, step)]
        tries += [("random", rng.uniform(0, seconds)) for _ in range(n_random)]
        done, wrong = Counter(), []
        for kind, point in tries:
            fault = try_once(data, work, engine, expected, kind, point)
            done[kind] += 1
            if fault:
                wrong.append((kind, point, fault))
                say(f"{kind} at {point}: {fault}")
    return done, wrong


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--random", type=int, default=100, metavar="N", help="random moments")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="each N-th point only")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from conftest import write_idx_folder

    from chainer_vae import load_mnist

    rows, bad = [], 0
    words = {
        "kill": "killed at each call", "full": "disk full from each call on",
        "read": "disk read-only from each call on", "random": "killed at random moments",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        data = write_idx_folder(Path(folder) / "data", load_mnist(), 250, 40)
        for engine in ("fused", "chainer"):
            done, wrong = crash(data, engine, args.step, args.random, args.seed)
            bad += len(wrong)
            for kind in done:
                n_wrong = sum(fault[0] == kind for fault in wrong)
                rows.append(f"| {words[kind]} | {engine} | {done[kind]} | {n_wrong} |")
    table = ["| | engine | tries | lost, stuck or different |", "|---|---|---|---|", *rows]
    print("\n".join(table))
    if args.step == 1:
        write_section("crash", "\n".join(table))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
