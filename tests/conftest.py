import contextlib
import ctypes
import gc
import gzip
import importlib.util
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import time
import tracemalloc
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

# Of several processes that test, each has its share of the cores: threads of the BLAS library that
# find no core free wait by spinning, and all takes twice as long.  Before NumPy is imported.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if WORKERS > 1:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))

import numpy as np
from threadpoolctl import threadpool_limits

from chainer_vae import load_mnist

# What the tests start takes warnings as errors, as they themselves do (pyproject.toml).
os.environ["PYTHONWARNINGS"] = ",".join(
    [
        "error",
        "ignore:::pyparsing",  # what it says of grammars, once any warning is asked for
        # The last Matplotlib for Python 3.9 calls pyparsing 3.3 by its old names.
        "ignore::DeprecationWarning:matplotlib._fontconfig_pattern",
        "ignore::DeprecationWarning:matplotlib._mathtext",
        "ignore::DeprecationWarning:pyparsing.util",
    ]
)


@pytest.fixture(scope="session")
def mnist():
    """MNIST, read once; no test may change it."""
    data = load_mnist()
    for part in data[:4]:
        part.flags.writeable = False
    return data


@pytest.fixture
def one_blas_thread():
    """For Chainer's loop, the last digits of which depend on the number."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def two_blas_threads():
    """So that the engine's thread pool has two, too."""
    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.fixture
def signals():
    """SIGINT and SIGHUP as in a terminal, also where the tests run in the background (nohup, some
    CI), which ignores them."""
    usual = {signal.SIGINT: signal.default_int_handler}
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.SIG_DFL
    previous = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture
def each_epoch(monkeypatch):
    """Runs are saved after each epoch, however short."""
    monkeypatch.setattr("chainer_vae.runs.run.SAVE_INTERVAL", 0)


PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@pytest.fixture
def start(signals):
    """A function as ``subprocess.Popen``; what it starts takes SIGINT, and ends with the test, also
    (on Linux) if the tests are killed."""
    processes = []

    def popen(*args, **kwargs):
        if libc is not None:
            kwargs["preexec_fn"] = end_with_parent
        process = subprocess.Popen(*args, **kwargs)
        processes.append(process)
        return process

    yield popen
    for process in processes:
        if process.poll() is None:
            process.kill()
        with process:  # closes its pipes, and waits
            pass


@contextlib.contextmanager
def little_memory(most):
    """Fail if the block has more than ``most`` bytes of Python's and NumPy's at once."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most, f"{peak / 1e6:.0f} MB"


def idx(array, magic=None):
    """An array of bytes as the content of an IDX file, with its own or another magic number."""
    magic = 0x800 + array.ndim if magic is None else magic
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write_idx_folder(folder, mnist, n_train, n_test, gzipped=True):
    """The first images of MNIST, or of such a data set, as the four files of one."""
    folder.mkdir()
    for prefix, images, labels, n in (
        ("train", mnist.train_images, mnist.train_labels, n_train),
        ("t10k", mnist.test_images, mnist.test_labels, n_test),
    ):
        pixels = np.rint(images[:n] * 255).astype(np.uint8).reshape(n, *mnist.image_shape)
        for name, array in (
            (f"{prefix}-images-idx3-ubyte", pixels),
            (f"{prefix}-labels-idx1-ubyte", labels[:n].astype(np.uint8)),
        ):
            content = idx(array)
            if gzipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def small_set(tmp_path, mnist):
    """A folder with 250 training and 40 test images."""
    return write_idx_folder(tmp_path / "small", mnist, 250, 40)


@pytest.fixture
def tiny_set(tmp_path):
    """A folder with images of 5 x 5 pixels."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(np.ones((9, 5, 5), np.uint8)))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.ones(9, np.uint8)))
    return str(folder)


ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


# Without their extra threads, two processes are no slower on a machine with few cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Open MPI, if that is the MPI: it starts nothing as root, nor more processes than cores, unasked.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


@pytest.fixture
def mpiexec(start):
    """A function that starts Python in several processes that MPI connects."""
    found = shutil.which("mpiexec", path=sysconfig.get_path("scripts")) or shutil.which("mpiexec")
    if importlib.util.find_spec("mpi4py") is None or found is None:
        reason = "mpi4py or an MPI is not installed: pip install the extra 'mpi'"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)

    def run(n, *program, cwd, stderr, **variables):
        return start(
            [found, "-n", str(n), sys.executable, *map(str, program)],
            cwd=cwd, env={**os.environ, **ONE_THREAD, **OPEN_MPI, **variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip

    return run


@pytest.fixture
def tensorboard(tmp_path, start):
    """A function that starts TensorBoard on a folder and returns one to query its plugins."""

    def show(folder, load_fast="false"):
        place = tmp_path / f"tensorboard-{load_fast}"
        place.mkdir()  # also for the file that says TensorBoard is running
        log = place / "log"
        options = ["--logdir", str(folder), "--port", "0", "--load_fast", load_fast]
        with open(log, "w") as file:
            server = start(
                [sys.executable, "-m", "tensorboard.main", *options],
                stdout=file, stderr=file,
                # Its html5lib warns.
                env={**os.environ, "TMPDIR": str(place), "PYTHONWARNINGS": ""},
            )  # fmt: skip
        end = time.monotonic() + 60
        while not (address := re.search(r"http://localhost:\d+/", log.read_text())):
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        opener = build_opener(ProxyHandler({}))

        def ask(what, **query):
            query = f"?{urlencode(query)}" if query else ""
            with opener.open(f"{address[0]}data/plugin/{what}{query}", timeout=30) as answer:
                return answer.read()

        ask.address = address[0]
        return ask

    return show


def chromium():
    """A Chromium to drive: the system's, or the one that Playwright has downloaded."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if shutil.which(name):
            return shutil.which(name)
    return None


@pytest.fixture(scope="session")
def browser():
    """A browser for all tests: Playwright can be started once only."""
    reason = "Playwright is not installed"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    with sync_api.sync_playwright() as playwright:
        executable = chromium()
        if executable is None and not os.path.exists(playwright.chromium.executable_path):
            reason = "there is no Chromium: install one, or `playwright install chromium`"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        opened = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


def assert_numerical_gradients(model, loss):
    """Of every third parameter of a model in float64; ``loss`` gives the same each time."""
    model.cleargrads()
    loss().backward()
    for name, param in model.namedparams():
        for index in list(np.ndindex(param.shape))[::3]:
            kept = param.array[index]
            losses = []
            for sign in (1, -1):
                param.array[index] = kept + sign * 1e-6
                losses.append(float(loss().array))
            param.array[index] = kept
            expected = (losses[0] - losses[1]) / 2e-6
            assert param.grad[index] == pytest.approx(expected, rel=1e-5, abs=1e-6), name
