"""ChainerMN, which comes with Chainer: training in two processes that MPI connects."""

import json
import re
import subprocess
import sys
import textwrap
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

PROGRAM = Path(__file__).parent / "programs" / "chainermn_mnist.py"


@pytest.fixture
def two_processes(tmp_path, mpiexec):
    """A function that runs a program in two processes: its exit code and what it prints."""

    def run(*program, **variables):
        command = ("-m", "chainer_vae.compat", *program)
        process = mpiexec(2, *command, cwd=tmp_path, stderr=subprocess.PIPE, **variables)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


def script(tmp_path, text):
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def test_training_on_mnist(tmp_path, two_processes):
    code, out, err = two_processes(PROGRAM, "result")
    assert (code, err) == (0, "")
    assert out.endswith("2 processes, [200, 200] images, the same parameters\n")
    first, last = json.loads((tmp_path / "result" / "log").read_text(encoding="utf-8"))
    assert last["main/loss"] < first["main/loss"] < np.log(10)
    assert last["validation/main/accuracy"] > 0.4
    assert f"{last['validation/main/loss']:.6g}" in out


# Both processes compare, and end with an error where something differs.
CHECKS = """
import chainer, chainer.functions as F, chainer.links as L, chainermn, numpy as np
from chainermn.iterators import create_multi_node_iterator

chainer.disable_experimental_feature_warning = True
comm = chainermn.create_communicator("naive")
assert comm.size == 2


class Recorded(chainer.dataset.DatasetMixin):
    # Twenty random images, and which of them have been asked for.
    def __init__(self, dtype):
        rng = np.random.RandomState(0)
        self.x, self.y = rng.rand(20, 8).astype(dtype), rng.randint(0, 3, 20).astype("i")
        self.seen = []

    def __len__(self):
        return 20

    def get_example(self, i):
        self.seen.append(int(i))
        return self.x[i], self.y[i]


def network(seed):
    np.random.seed(seed)
    return L.Classifier(chainer.Sequential(L.Linear(8, 5), F.tanh, L.Linear(5, 3)))


def numbers(model):
    return np.concatenate([p.array.ravel() for _, p in sorted(model.namedparams())])


def trained_alone(images, steps=3):
    model = network(0)
    optimizer = chainer.optimizers.SGD(0.5).setup(model)
    for _ in range(steps):
        optimizer.update(model, *chainer.dataset.concat_examples(images))
    return numbers(model)


for dtype, rounding in (("float16", 2e-3), ("float32", 1e-6), ("float64", 1e-14)):
    chainer.global_config.dtype = np.dtype(dtype)
    images = Recorded(dtype)
    mine = chainermn.scatter_dataset(images, comm, shuffle=True, seed=1)
    model = network(comm.rank)
    before = numbers(model)
    optimizer = chainermn.create_multi_node_optimizer(chainer.optimizers.SGD(0.5), comm)
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(mine, len(mine))
    updater = chainer.training.StandardUpdater(iterator, optimizer)

    updater.update()  # the first gives both the parameters of rank 0
    assert (numbers(model) == numbers(network(0))).all() and numbers(model).dtype == dtype
    assert comm.rank == 0 or (numbers(model) != before).any()
    for _ in range(3):
        updater.update()

    # Each has seen its half of the images in every step.
    seen = comm.gather_obj(mine._dataset.seen)
    if comm.rank == 0:
        assert [len(indices) for indices in seen] == [40, 40]
        assert [len(set(indices)) for indices in seen] == [10, 10]
        assert set(seen[0]) | set(seen[1]) == set(range(20))

    # Both have the same parameters: those of one process with all images, and not with a half.
    for other in comm.allgather(numbers(model).astype("float64")):  # it knows no float16
        assert (other == numbers(model)).all()
    np.testing.assert_allclose(numbers(model), trained_alone(images[:]), rtol=0, atol=rounding)
    assert abs(numbers(model) - trained_alone(mine[:])).max() > 4 * rounding

# The mean over both of what the processes report.
class Reports(chainer.training.extensions.Evaluator):
    def evaluate(self):
        return {"x": np.float32(comm.rank + 1)}

assert chainermn.create_multi_node_evaluator(Reports({}, None), comm).evaluate() == {"x": 1.5}

# Batches that rank 0 sends to the other.
images = Recorded("float32") if comm.rank == 0 else None
iterator = images and chainer.iterators.SerialIterator(images, 6, repeat=False, shuffle=False)
iterator = create_multi_node_iterator(iterator, comm)
batches = list(iterator)
assert [len(batch) for batch in batches] == [6, 6, 6, 2]
for batch, other in zip(batches, comm.bcast_obj(batches if comm.rank == 0 else None)):
    for (x, y), (other_x, other_y) in zip(batch, other):
        assert (x == other_x).all() and y == other_y
both = comm.gather_obj("checked")
if comm.rank == 0:
    print(*both)
"""


def test_two_processes_train_as_one(tmp_path, two_processes):
    code, out, err = two_processes(script(tmp_path, CHECKS), CHAINERMN_FORCE_ABORT_ON_EXCEPTION="1")
    assert (code, out, err) == (0, "checked checked\n", "")


def test_an_error_in_one_process_ends_both(tmp_path, two_processes):
    program = script(
        tmp_path,
        """
        import sys
        import chainermn

        comm = chainermn.create_communicator("naive")
        if comm.rank == 1:
            raise ValueError("a fault for " + sys.excepthook.__module__)
        comm.recv_obj(1)  # waits for ever
        """,
    )
    # communicate() raises an error if it takes too long.
    code, _, err = two_processes(program, CHAINERMN_FORCE_ABORT_ON_EXCEPTION="1")
    assert code != 0
    # What Chainer says after it, mpiexec may lose as it ends.
    assert "ValueError: a fault for chainermn.global_except_hook" in err


def test_float16_parameters_under_cupy_14():
    """NumPy's copy=False means what CuPy's does since 14.0, so NumPy can stand in for it."""
    pytest.importorskip("mpi4py.MPI", reason="mpi4py or an MPI is not installed")
    from chainermn.communicators import _memory_utility

    from chainer_vae.compat import cupy_patches

    module = types.SimpleNamespace(unpack_params=_memory_utility.unpack_params)
    cupy_patches._copy_where_needed(module)
    sent = {0: np.float32([1, 2]), 8: np.float32([3])}

    def to_device(array, size, offset, stream):
        assert size == array.nbytes
        array[...] = sent[offset]

    params = [types.SimpleNamespace(data=np.zeros(n, d)) for n, d in ((2, "f2"), (1, "f4"))]
    buffer = types.SimpleNamespace(to_device=to_device)
    module.unpack_params(params, "data", buffer, np.float32, False)
    assert [param.data.tolist() for param in params] == [[1, 2], [3]]
    assert [param.data.dtype for param in params] == ["f2", "f4"]


def test_import_warns_of_nothing():
    pytest.importorskip("mpi4py.MPI", reason="mpi4py or an MPI is not installed")
    program = """
        import pkgutil, chainer_vae, chainermn
        for module in pkgutil.walk_packages(chainermn.__path__, "chainermn."):
            __import__(module.name)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("extra", ["mpi", "test"])
@pytest.mark.parametrize(
    ("system", "machine", "has_wheels"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "arm64", True),
        ("darwin", "x86_64", True),
        ("linux", "ppc64le", False),
        ("win32", "AMD64", False),
        ("win32", "ARM64", False),
    ],
)
def test_extras_have_mpi_where_there_are_wheels(extra, system, machine, has_wheels):
    here = {"extra": extra, "sys_platform": system, "platform_machine": machine}
    requirements = map(Requirement, metadata.requires("chainer-vae"))
    names = {r.name for r in requirements if r.marker and r.marker.evaluate(here)}
    assert ({"mpi4py", "mpich"} <= names) == has_wheels
    assert has_wheels or not re.search("mpi", " ".join(names))
