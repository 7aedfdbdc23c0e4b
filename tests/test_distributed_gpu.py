"""``chainer-vae train --communicator`` on GPUs: real processes and MPI, on the stand-in for CuPy.

It shows that the ranks compute what one computes, and in which order; not that CUDA and NCCL take
it: see cupy_on_cpu.py.
"""

import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_distributed import parameters

from chainer_vae import Config, InputError
from chainer_vae.cli import main
from chainer_vae.distributed import Communicator
from chainer_vae.runs import load_log, ranks

pytestmark = [
    pytest.mark.usefixtures("signals"),
    pytest.mark.skipif(
        shutil.which("g++") is None and "CI" not in os.environ,
        reason="no g++, to compile the kernels for this machine's processor",
    ),
]

# 250 images in batches of 83: the last has one, so some ranks have no share of it.
OPTIONS = ["--dimz", "3", "--dim-h", "16", "--batchsize", "83", "--seed", "5", "--k", "2"]
PROGRAM = f"""
    import ctypes, sys
    sys.path.insert(0, r"{Path(__file__).parent}")
    import chainer_vae, cupy_on_cpu, numpy, pytest
    from chainermn import nccl
    from mpi4py import MPI

    class Nccl:
        def __init__(self, size, unique, rank):
            assert (size, unique, rank) == (MPI.COMM_WORLD.size, "0's", MPI.COMM_WORLD.rank)
            self.mpi = MPI.COMM_WORLD.Dup()

        def allReduce(self, sent, received, count, kind, operation, stream):
            assert sent == received and (kind, operation) == ("float32", "sum")
            array = numpy.ctypeslib.as_array((ctypes.c_float * count).from_address(sent))
            (found,) = (other for other in cupy_on_cpu.Stream.all if other.ptr == stream)
            found.tasks.append(lambda: self.mpi.Allreduce(MPI.IN_PLACE, array))

    patch = pytest.MonkeyPatch()
    cupy_on_cpu.print = lambda *words: None  # the order's seed, for tests in one process
    cupy_on_cpu.install(patch)
    found = dict(_available=True, get_build_version=lambda: 22707, NcclCommunicator=Nccl,
                 get_unique_id=lambda: f"{{MPI.COMM_WORLD.rank}}'s", NCCL_FLOAT32="float32",
                 NCCL_SUM="sum")
    for name, value in found.items():
        patch.setattr(nccl, name, value, raising=False)

    from chainer_vae.cli import main
    sys.exit(main(["train", *sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """A folder for the compiled kernels of all processes."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def train(tmp_path, mpiexec, kernels, monkeypatch):
    """A function that trains in so many processes: exit code, output and errors."""

    monkeypatch.setenv("COMPILED_KERNELS", str(kernels))

    def run(n, *options):
        command = ["-c", textwrap.dedent(PROGRAM), *map(str, options)]
        process = mpiexec(n, *command, cwd=tmp_path, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n"), [("flat", 2), ("pure_nccl", 2), ("pure_nccl", 4)])
def test_they_train_as_one_on_the_cpu(name, n, train, small_set, tmp_path):
    options = ["--dataset", str(small_set), *OPTIONS]
    several = ["--communicator", name, "--gpu", "0"]
    code, out, err = train(n, *options, *several, "--epoch", "1", "--out", "run")
    assert (code, err) == (0, "")
    assert f"\n{n} processes, which share each batch of 83 images\nengine: fused\n" in out
    assert len(re.findall("^epoch ", out, re.MULTILINE)) == 1  # of one process only
    code, _, err = train(n, "--resume", "run", *several[:2], "--epoch", "2")
    assert (code, err) == (0, "")
    assert main(["train", *options, "--epoch", "2", "--out", str(tmp_path / "alone")]) == 0
    for found, expected in zip(*(load_log(tmp_path / name / "log") for name in ("run", "alone"))):
        for key in ("main/loss", "main/rec_loss", "validation/main/loss"):
            assert found[key] == pytest.approx(expected[key], rel=1e-5), key
    found, expected = (parameters(tmp_path / name) for name in ("run", "alone"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--communicator", "flat"], "flat is for GPUs: add --gpu 0"),
        (["--communicator", "naive", "--gpu", "0"], "naive is for the CPU: leave --gpu out"),
        (
            ["--communicator", "flat", "--gpu", "0", "--objective", "iwae", "--k", "2"],
            "several processes need the fused engine, but: on a GPU, --objective iwae",
        ),
    ],
)
def test_what_does_not_go_together_is_said_once(options, message, train, small_set, tmp_path):
    """And before there is a run, which would be in the way of the next try."""
    code, out, err = train(2, "--dataset", small_set, *options, "--out", "run")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("chainer-vae: error: ") and message in line
    assert not (tmp_path / "run").exists()


def test_nccl_that_is_missing(monkeypatch):
    monkeypatch.setattr(ranks, "has_nccl", lambda: False)
    run, communicator = SimpleNamespace(config=Config(gpu=0)), SimpleNamespace(name="pure_nccl")
    with pytest.raises(InputError, match=r"needs NCCL 2.*--communicator flat does without"):
        ranks.require_possible(run, communicator)


def test_names_of_communicators():
    with pytest.raises(InputError, match="communicator must be one of"):
        Communicator("x")
