"""``chainer-vae train --communicator``: one model, trained in several processes."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from chainer_vae import Run, load_model
from chainer_vae.cli import main
from chainer_vae.runs import checkpoints

pytestmark = pytest.mark.usefixtures("signals")

# 250 images in batches of 60: the last has 10, the shares of four are uneven.
OPTIONS = ["--dimz", "3", "--dim-h", "16", "--batchsize", "60", "--seed", "5", "--k", "2"]


@pytest.fixture
def train(tmp_path, small_set, mpiexec):
    """A function that trains in so many processes: exit code, output and errors."""

    def run(n, *options):
        command = ["-m", "chainer_vae", "train", "--communicator", "naive", *options]
        process = mpiexec(n, *command, cwd=tmp_path, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


def losses(folder):
    log = Run.resume(folder).log
    return np.array([[v for k, v in entry.items() if "loss" in k] for entry in log])


def parameters(folder):
    model, _ = load_model(folder)
    return np.concatenate([p.array.ravel() for _, p in sorted(model.namedparams())])


@pytest.fixture
def alone(tmp_path, small_set):
    folder = tmp_path / "alone"
    command = ["train", "--dataset", str(small_set), *OPTIONS, "--epoch", "3"]
    assert main([*command, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_they_train_as_one(n, alone, train, small_set, tmp_path):
    code, out, err = train(n, "--dataset", small_set, *OPTIONS, "--epoch", "3", "--out", "run")
    assert (code, err) == (0, "")
    assert f"\n{n} processes, which share each batch of 60 images\nengine: fused\n" in out
    assert len(re.findall("^epoch ", out, re.MULTILINE)) == 3  # of one process only
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(alone), rtol=1e-5)
    np.testing.assert_allclose(parameters(tmp_path / "run"), parameters(alone), atol=2e-5)
    # The same random numbers have been drawn.
    states = [checkpoints.load_npz(f / "mlp_3.state") for f in (alone, tmp_path / "run")]
    for name in ("keys", "position", "has_gauss", "cached_gaussian"):
        a, b = (state[f"training/random/{name}"] for state in states)
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_run_that_is_trained_already_ends(train, small_set):
    """All ranks do, and none waits for another."""
    assert train(2, "--dataset", small_set, *OPTIONS, "--epoch", "1", "--out", "run")[0] == 0
    code, out, err = train(2, "--resume", "run")
    assert (code, err) == (0, "") and "run is already trained for 1 epoch\n" in out


@pytest.mark.slow
def test_they_train_an_iwae_as_one(train, small_set, tmp_path):
    options = ["--dataset", str(small_set), *OPTIONS, "--objective", "iwae", "--epoch", "2"]
    code, out, err = train(2, *options, "--out", "run")
    assert (code, err) == (0, "") and "\nengine: fused\n" in out
    assert main(["train", *options, "--out", str(tmp_path / "alone")]) == 0
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(tmp_path / "alone"), rtol=1e-5)


@pytest.mark.slow
def test_a_run_resumes_with_another_number(alone, train, small_set, tmp_path):
    options = ["--dataset", small_set, *OPTIONS, "--out", "run"]
    assert train(2, *options, "--epoch", "1")[0] == 0
    assert train(3, "--resume", "run", "--epoch", "2")[0] == 0
    assert main(["train", "--resume", str(tmp_path / "run"), "--epoch", "3"]) == 0
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(alone), rtol=1e-5)
    np.testing.assert_allclose(parameters(tmp_path / "run"), parameters(alone), atol=2e-5)


GRADIENTS = """
import numpy as np
from chainer_vae import Config
from chainer_vae.datasets import load_data
from chainer_vae.distributed import Communicator, DistributedEngine
from chainer_vae.engine import Engine, thread_pool
from chainer_vae.training import Training

communicator = Communicator("naive")
for model, n in (("vae", 100), ("vae", 37), ("vae", 1), ("autoencoder", 37), ("autoencoder", 1)):
    config = Config(dimz=3, dim_h=16, test=True, model=model)
    data = load_data(config)
    one, many = Training(config, data), Training(config, data)
    with thread_pool() as pool:
        settings = config.C, config.k, pool
        alone = Engine(one.model, one.optimizer, *settings, random=one.random)
        shared = DistributedEngine(
            communicator, many.model, many.optimizer, *settings, random=many.random
        )
        x = data.train_images[:n]
        expected = alone.step(x)
        alone.finish()
        np.testing.assert_allclose(shared.step(x), expected, rtol=1e-6)
        # The first moment, a tenth of the gradient: NumPy's Adam computes in the gradient's place.
        scale = np.abs(alone.m).max()
        np.testing.assert_allclose(shared.m, alone.m, rtol=0, atol=1e-6 * scale)
        np.testing.assert_array_equal(one.random_state[1], many.random_state[1])
        assert one.random_state[2:] == many.random_state[2:]
        for _ in range(3):
            shared.step(x)
    # All have the very same parameters.
    for other in communicator.mpi.allgather(shared.p):
        np.testing.assert_array_equal(other, shared.p)
print(communicator.size)
"""


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_the_gradient_is_that_of_the_joint_batch(n, mpiexec, tmp_path):
    process = mpiexec(n, "-c", GRADIENTS, cwd=tmp_path, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "".join(out.split()) == str(n) * n  # the lines of several processes may mix


@pytest.mark.slow
def test_an_autoencoder(train, small_set, tmp_path):
    options = ["--dataset", str(small_set), "--dimz", "3", "--dim-h", "16", "--epoch", "2"]
    options += ["--model", "autoencoder"]
    assert train(2, *options, "--out", "run")[0] == 0
    assert main(["train", *options, "--out", str(tmp_path / "alone")]) == 0
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(tmp_path / "alone"), rtol=1e-5)


def is_newer(file, other):
    return file.stat().st_mtime_ns > other.stat().st_mtime_ns


def started(mpiexec, small_set, tmp_path):
    command = ["-m", "chainer_vae", "train", "--communicator", "naive", "--dataset", small_set]
    process = mpiexec(
        2, *command, *OPTIONS, "--epoch", "100000", "--out", "run",
        cwd=tmp_path, stderr=subprocess.STDOUT,
    )  # fmt: skip
    log, state = (tmp_path / "run" / name for name in ("log", "mlp_3.state"))
    end = time.monotonic() + 60
    while not (log.exists() and '"epoch": 3' in log.read_text() and is_newer(state, log)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_saved(number, code, mpiexec, small_set, tmp_path):
    process = started(mpiexec, small_set, tmp_path)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    said = re.findall(r"^stopped after step (\d+), .*, and saved;", out, re.MULTILINE)
    run = Run.resume(tmp_path / "run")
    # After SIGTERM, mpiexec may end before it passes on what a rank prints.
    assert said == [str(run.steps_done)] or (number == signal.SIGTERM and said == [])
    assert run.epoch >= 3 and len(run.log) == run.epoch
    assert "Traceback" not in out


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds the processes in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_job(rank, mpiexec, small_set, tmp_path):
    process = started(mpiexec, small_set, tmp_path)
    os.kill(process_of_rank(rank, tmp_path), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    run = Run.resume(tmp_path / "run")
    assert run.epoch >= 3 and len(run.log) == run.epoch
    run = Run.resume(tmp_path / "run", epoch=run.epoch + 1)
    assert len(list(run.train())) == 1


def process_of_rank(rank, cwd):
    """The process with this rank, MPICH's or Open MPI's, that runs in a folder."""
    for folder in os.listdir("/proc"):
        if folder.isdecimal():
            try:
                with open(f"/proc/{folder}/environ", "rb") as file:
                    variables = file.read().split(b"\0")
                here = os.readlink(f"/proc/{folder}/cwd") == str(cwd)
            except OSError:
                continue
            names = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")
            if here and any(f"{name}={rank}".encode() in variables for name in names):
                return int(folder)
    raise AssertionError("there is none")


def test_an_error_in_one_ends_all(mpiexec, tmp_path):
    program = """
        from chainer_vae import InputError
        from chainer_vae.distributed import Communicator
        communicator = Communicator("naive")
        with communicator.ending_together():
            if communicator.rank == 1:
                raise InputError("a fault")
            communicator.wait()
    """
    command = ["-c", textwrap.dedent(program)]
    process = mpiexec(2, *command, cwd=tmp_path, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.count("chainer-vae: error: process 1: a fault\n") == 1 and "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epoch", "0"], "epoch must be a whole number from 1"),
        (["--engine", "chainer"], "several processes need the fused engine, but: --engine chainer"),
        (["--resume", "nowhere"], "there is no run nowhere"),
    ],
)
def test_what_cannot_be_trained_is_said_once(options, message, train, small_set):
    code, out, err = train(2, "--dataset", small_set, *options)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("chainer-vae: error: ") and message in line


@pytest.mark.slow
def test_a_loss_that_is_not_finite(train, small_set, tmp_path):
    options = ["--dataset", small_set, *OPTIONS, "--C", "1e308", "--out", "run"]
    code, _, err = train(2, *options)
    assert code != 0
    message = "the training loss of step 1 (epoch 1) is inf; run keeps the state after step 0"
    assert err.count(message) == 1 and "Traceback" not in err
    assert Run.resume(tmp_path / "run").steps_done == 0


def test_other_images_in_one_process(mpiexec, small_set, tmp_path):
    """As on a machine where the folder holds something else."""
    program = f"""
        import sys, numpy as np
        from chainer_vae.distributed import Communicator
        from chainer_vae.runs import ranks
        from chainer_vae.cli import main
        if Communicator("naive").rank == 1:
            ranks.checksums = lambda data: dict(train_images=1, test_images=2)
        sys.exit(main(["train", "--communicator", "naive", "--dataset", r"{small_set}"]))
    """
    command = ["-c", textwrap.dedent(program)]
    process = mpiexec(2, *command, cwd=tmp_path, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    (line,) = err.splitlines()
    assert line.endswith(f"process 1: the images of {small_set} are not those of process 0")


def test_without_mpi4py(small_set, tmp_path):
    program = f"""
        import sys
        sys.modules["mpi4py"] = None  # as if it were not installed
        from chainer_vae.cli import main
        sys.exit(main(["train", "--communicator", "naive", "--dataset", r"{small_set}"]))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "several processes need mpi4py and an MPI" in line
    assert line.endswith(': pip install "chainer-vae[mpi]"')
