"""Several programs, processes and threads at the same time."""

import contextlib
import functools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np
import pytest
from conftest import write_idx_folder
from test_saving import assert_same_files, config, finish
from test_threads import blas_threads
from threadpoolctl import threadpool_limits

from chainer_vae import Config, InputError, Run, encode, evaluate, latent, load_model
from chainer_vae.datasets import load_data
from chainer_vae.engine import thread_pool
from chainer_vae.random_numbers import numpy_random
from chainer_vae.runs import checkpoints, load_info, load_log, load_snapshots
from chainer_vae.runs.lock import FolderLock

pytestmark = pytest.mark.usefixtures("signals", "two_blas_threads")


@pytest.fixture(scope="module")
def data(mnist, tmp_path_factory):
    return write_idx_folder(tmp_path_factory.mktemp("data") / "small", mnist, 250, 40)


# Two writers

# Trains as it is told on its standard input; both begin at the same time.
WRITER = '''
import contextlib, io, json, sys
from chainer_vae import cli
from chainer_vae.cli import train

def say(*what):
    print(json.dumps(what), file=sys.__stdout__, flush=True)

losses_in_words, waited = train._losses_in_words, False

def wait(entry):
    """In the first epoch that is trained: the other one has its answer before this goes on."""
    global waited
    if not waited:
        say("trains", "")
        sys.stdin.readline()
        waited = True
    return losses_in_words(entry)

train._losses_in_words = wait
say("ready", "")
while line := sys.stdin.readline():
    waited, err = False, io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = cli.main(["train", *line.split()])
    say(code, err.getvalue())
'''


class Writer:
    """A process that trains as it is told."""

    def __init__(self, start, cwd):
        self.process = start(
            [sys.executable, "-c", WRITER], cwd=cwd, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def tell(self, *line):
        print(*line, file=self.process.stdin, flush=True)

    def hear(self):
        line = self.process.stdout.readline()
        assert line, "the writer died"
        return json.loads(line)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """What the run with a seed is after some epochs, if nobody else is there."""

    @functools.cache
    def train(seed, epochs):
        folder = tmp_path_factory.mktemp("alone")
        finish(Run.start(config(data, seed=seed, epoch=epochs), folder / "run"))
        return folder / "run"

    return train


@pytest.fixture
def writers(start, tmp_path):
    both = [Writer(start, tmp_path) for _ in range(2)]
    assert [writer.hear() for writer in both] == [["ready", ""]] * 2
    return both


def compete(writers, *lines):
    """Which of two writers trains; the other one must be refused in one line."""
    for writer, line in zip(writers, lines):
        writer.tell(line)
    heard = [writer.hear() for writer in writers]
    assert sorted(what for what, _ in heard if what == "trains") == ["trains"], heard
    winner = [what for what, _ in heard].index("trains")
    code, err = heard[1 - winner]
    assert code == 2 and err.count("\n") == 1, heard
    assert "is in use by" in err or "already holds a run" in err or "has saved the run" in err
    writers[winner].tell("go on")
    assert writers[winner].hear() == [0, ""]
    return winner


@pytest.mark.slow
def test_two_starts_at_the_same_time(writers, data, alone, tmp_path):
    for n in range(20):
        lines = [
            f"--dataset {data} --dimz 3 --dim-h 16 --seed {seed} --epoch 2 --out run{n}"
            for seed in (5, 6)
        ]
        winner = compete(writers, *lines)
        assert_same_files(tmp_path / f"run{n}", alone(5 + winner, 2))
        assert load_info(tmp_path / f"run{n}").config.seed == 5 + winner


def test_a_lock_that_is_held_for_a_moment(tmp_path):
    """By a program that finds that it comes too late; both would be refused otherwise."""
    with contextlib.ExitStack() as other:
        other.enter_context(FolderLock(tmp_path / "run"))
        timer = threading.Timer(0.1, other.close)
        timer.start()
        with FolderLock(tmp_path / "run"):
            timer.join()


@pytest.mark.slow
def test_two_resumes_at_the_same_time(writers, data, alone, tmp_path):
    for n in range(20):
        folder = tmp_path / f"run{n}"
        shutil.copytree(alone(5, 1), folder)
        winner = compete(writers, f"--resume run{n} --epoch 2", f"--resume run{n} --epoch 3")
        assert_same_files(folder, alone(5, 2 + winner))
        assert load_info(folder).config.epoch == 2 + winner


def test_a_start_that_is_refused_leaves_the_lock_of_the_other(data, tmp_path, monkeypatch):
    """It began before the other's folder was there, and removed the lock with what it had made."""
    folder = tmp_path / "run"
    first = Run.start(config(data), folder)
    exists = Path.exists
    for entry in first.train():
        if entry["epoch"] == 1:
            monkeypatch.setattr(Path, "exists", lambda path: path != folder and exists(path))
            with pytest.raises(InputError, match="in use by another Run"):
                Run(config(data, seed=6), folder, load_data(config(data)))._appear()
            monkeypatch.undo()
            with pytest.raises(InputError, match="in use by another Run"):
                Run.resume(folder, epoch=9)


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no open file")
def test_a_lock_that_is_removed_while_it_is_taken(tmp_path, monkeypatch):
    """By a start that failed; what is locked is gone, and would keep nobody out."""
    acquire, removed = filelock.FileLock.acquire, []

    def too_late(lock, *args, **kwargs):
        acquired = acquire(lock, *args, **kwargs)
        if not removed:
            removed.append(True)
            shutil.rmtree(tmp_path / "run")
        return acquired

    monkeypatch.setattr(filelock.FileLock, "acquire", too_late)
    with FolderLock(tmp_path / "run"):
        assert removed
        with pytest.raises(InputError, match="in use"), FolderLock(tmp_path / "run"):
            pass
    with FolderLock(tmp_path / "run"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no open file")
def test_another_run_in_a_folder_deleted_meanwhile(data, alone, tmp_path, each_epoch):
    """Both wrote into it."""
    folder = tmp_path / "run"
    for trains in (True, False):
        first = Run.start(config(data, seed=6, snapshots=True), folder)
        message = "is in use by another Run" if trains else "another program has saved the run"
        with pytest.raises(InputError, match=message):
            for entry in first.train():
                if entry["epoch"] == 1:
                    shutil.rmtree(folder)
                    second = Run.start(config(data), folder)
                    epochs = second.train()
                    if trains:
                        next(epochs)
        list(epochs)
        assert_same_files(folder, alone(5, 4))
        assert not (folder / "snapshots").exists()
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="Windows asks for a privilege to make a link")
def test_a_lock_that_is_a_link(data, tmp_path):
    """As a folder from elsewhere may have it: filelock before 3.20.1 empties what it leads to."""
    Run.start(config(data), tmp_path / "run")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run" / ".lock").unlink()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match=r"its \.lock is a link; delete it"):
        Run.resume(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "precious"


# A writer and readers

TRAINS = """
import sys
from chainer_vae import Run
from chainer_vae.runs import run as run_module

run_module.SAVE_INTERVAL = 0
epoch = 0
while True:
    run = Run.resume(sys.argv[1], epoch=epoch + 3)  # which writes config.json
    for entry in run.train():
        epoch = entry["epoch"]
"""


def fingerprint(model):
    arrays = checkpoints.to_arrays(model)
    return zlib.crc32(b"".join(arrays[name].tobytes() for name in sorted(arrays)))


@pytest.mark.slow
def test_a_writer_and_1000_reads(start, tiny_set, tmp_path):
    """Each finds what was saved after some epoch, and none an older one than the read before."""
    folder = tmp_path / "run"
    settings = Config(dimz=2, dim_h=4, epoch=1, snapshots=True, dataset=tiny_set)
    Run.start(settings, folder)
    process = start([sys.executable, "-c", TRAINS, str(folder)], stderr=subprocess.PIPE, text=True)
    images = np.ones((9, 25), np.float32)
    models, snapshots, epochs = [], {}, 0
    for n in range(250):
        log = load_log(folder / "log")
        model, before = load_model(folder)
        evaluated, _ = load_model(folder)
        assert np.isfinite(evaluate(evaluated, images, k=1).loss)
        after = load_info(folder).config
        for epoch, snapshot in load_snapshots(folder) if n % 25 == 0 else ():
            snapshots.setdefault(epoch, set()).add(fingerprint(snapshot))
        assert epochs <= len(log) <= after.epoch and before.epoch <= after.epoch
        epochs = len(log)
        models += [fingerprint(model), fingerprint(evaluated)]
        assert process.poll() is None, process.communicate()
    process.kill()
    process.wait()
    last = Run.resume(folder).epoch
    assert last > 10
    run = Run.start(replace(settings, epoch=last), tmp_path / "alone")
    saved = [fingerprint(run.model), *(fingerprint(run.model) for _ in run.train())]
    found = [saved.index(model) for model in models]
    assert found == sorted(found) and found[-1] > 0
    assert all(of_epoch == {saved[epoch]} for epoch, of_epoch in snapshots.items())


# Threads


def test_everything_in_many_threads(mnist):
    images = mnist.test_images[:300]
    model, _ = load_model("z20")

    def work(seed):
        mu, ln_var = encode(model, images)
        points = latent.interpolate(mu[seed], mu[seed + 1], np.linspace(0, 1, 50, dtype="f4"))
        means = latent.class_means(mu, mnist.test_labels[:300])
        losses = [
            evaluate(model, images, 2, fused=fused, random=np.random.RandomState(seed))
            for fused in (True, False)
        ]
        return [mu, ln_var, points, means, latent.decode(model, points), losses]

    with limited_blas():  # the last digits of Chainer's products depend on the number of threads
        alone = [work(seed) for seed in range(8)]
        with ThreadPoolExecutor(4) as executor:
            together = list(executor.map(work, range(8)))
    for found, expected in zip(together, alone):
        for a, b in zip(found, expected):
            np.testing.assert_array_equal(a, b)


def limited_blas():
    return threadpool_limits(1, user_api="blas")


# Processes


def in_a_process(arguments):
    """What one gets in any process: latent vectors, losses, and a short training."""
    data, folder, seed = arguments
    model, _ = load_model("z2")
    images = load_data(config(data)).test_images
    mu, _ = encode(model, images)
    random = np.random.RandomState(seed)
    loss = evaluate(model, images, 2, random=random)
    run = Run.start(config(data, seed=seed, epoch=1), Path(folder) / f"run{seed}")
    losses = [entry["validation/main/loss"] for entry in run.train()]
    return mu.tobytes(), loss, losses, fingerprint(run.model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # which is multi-threaded
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_of_processes(method, data, tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    alone = [in_a_process((data, tmp_path / "here", seed)) for seed in range(4)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        work = pool.map_async(in_a_process, [(data, tmp_path / "there", n) for n in range(4)])
        assert work.get(timeout=120) == alone


def random_numbers(n):
    with numpy_random(np.random.RandomState(n)):
        drawn = np.random.standard_normal(3).tolist()
    with thread_pool(2):
        pass
    return drawn, blas_threads(), np.random.get_state()[1].tolist()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_other_threads_hold_what_it_needs():
    """It waits for them: they are not there in the new process, and would keep it for ever."""
    np.random.seed(1)
    expected = [random_numbers(n) for n in range(2)]
    stop = threading.Event()

    def draw():
        while not stop.is_set():
            with numpy_random(np.random.RandomState(9)):
                time.sleep(0.01)

    def limit():
        while not stop.is_set():
            with thread_pool(2):
                time.sleep(0.001)

    def both():  # as in the test of an autoencoder
        while not stop.is_set():
            with numpy_random(np.random.RandomState(9)), thread_pool(2):
                time.sleep(0.001)

    threads = [threading.Thread(target=target) for target in (draw, limit, limit, both)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map_async(random_numbers, range(2)).get(timeout=60) == expected
    finally:
        stop.set()
        for thread in threads:
            thread.join()
