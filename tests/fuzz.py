"""Bad input by the thousand: what the package is given ends right, or in one clear line.

    make fuzz                        2,000 examples of each kind; writes results/trust.md
    python tests/fuzz.py --examples 100 --seed 5

hypothesis makes the examples: the files of a data set, a run's files, their entries, config.json,
the log, command lines, and arguments of the public functions.  Each is tried in a fork of this
process, where it must, within SECONDS and some MEMORY,

    be right       what is read is what the file says, and a run that is resumed trains to its end;
    be refused     by InputError, another ValueError or a TypeError of one line, a command by exit
                   code 2 and one line on the standard error;

without a warning, and nothing is left half-written, or written elsewhere.
"""

import argparse
import contextlib
import copy
import gzip
import io
import json
import logging
import math
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread: the processes are forked

import hypothesis
import numpy as np
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.extra import numpy as hnp
from PIL import Image
from trust import write_section

from chainer_vae import (
    VAE,
    Autoencoder,
    Config,
    NonFiniteLossError,
    Run,
    Xavier,
    encode,
    evaluate,
    figures,
    graph,
    latent,
    load_autoencoder,
    load_images,
    load_mnist,
    load_model,
    make_dataset,
    posterior,
)
from chainer_vae.cli import main as command
from chainer_vae.datasets import (
    Dataset,
    first_images,
    load_data,
    require_images,
    size_in_words,
)
from chainer_vae.errors import printable
from chainer_vae.evaluation import latent_vectors, reconstruction_errors, squared_error
from chainer_vae.explorer import write_page
from chainer_vae.exports.latents import write_latents
from chainer_vae.exports.onnx_graphs import write_onnx
from chainer_vae.exports.parameters import write_parameters
from chainer_vae.exports.pytorch import load_torch
from chainer_vae.graph import chainer  # which chainer_vae has made usable
from chainer_vae.likelihood import (
    importance_bounds,
    log_likelihood,
    log_mean_exp,
    sizes_up_to,
    standard_error,
)
from chainer_vae.projector import write_projector
from chainer_vae.runs import (
    checkpoints,
    choose_run,
    describe_run,
    find_run,
    load_any_model,
    load_info,
    load_log,
    load_snapshots,
)

Variable = chainer.Variable
SECONDS = 30  # for one example, on a busy machine
RECORDED = 2000  # examples of each kind, at least, are a result
MEMORY = 60 << 20  # bytes, beside what the process has already; examples have kilobytes
MNIST = 70_000 * 784 * (1 + 4)  # bytes: its pixels as they are read, and as float32
RIGHT, REFUSED = "right", "refused"
IDX_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
SIDE, N_IMAGES = 5, 9


class Material:
    """What examples are made of: a small data set and a run on it."""

    def __init__(self, folder):
        self.folder = folder
        pixels = np.arange(N_IMAGES * SIDE * SIDE, dtype=np.uint8).reshape(-1, SIDE, SIDE)
        labels = np.arange(N_IMAGES, dtype=np.uint8)
        self.idx = dict(
            zip(IDX_FILES, [idx(pixels), idx(labels), idx(pixels[1:]), idx(labels[1:])])
        )
        (folder / "data").mkdir(parents=True)
        for name, content in self.idx.items():
            (folder / "data" / name).write_bytes(content)
        outcome(partial(train_a_run, folder), folder)
        files = [file for file in (folder / "run").rglob("*") if file.is_file()]
        self.run = {str(file.relative_to(folder / "run")): file.read_bytes() for file in files}
        self.arrays = {
            name: dict(checkpoints.load_npz(folder / "run" / name))
            for name in ("mlp_2.model", "mlp_2.state")
        }

    @contextmanager
    def copied(self):
        """A folder with the data set in data and the run in run, for one example."""
        with tempfile.TemporaryDirectory() as name:
            work = Path(os.path.realpath(name))
            shutil.copytree(self.folder / "data", work / "data")
            shutil.copytree(self.folder / "run", work / "run")
            yield work


def idx(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def train_a_run(folder):
    config = Config(
        dimz=2, dim_h=3, epoch=1, batchsize=4, dataset="data", snapshots=True, engine="chainer"
    )
    for _ in Run.start(config, "run").train():
        pass


@contextmanager
def prepared():
    """The material, in a folder of its own; hypothesis, too, writes nowhere else."""
    with tempfile.TemporaryDirectory() as name:
        set_hypothesis_home_dir(name)
        yield Material(Path(os.path.realpath(name)) / "material")


# Trying an example


def outcome(call, work, memory=MEMORY):
    """What becomes of a call, in a fork of this process, in a folder: RIGHT or REFUSED.

    Raises:
        AssertionError: Something else.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(reader)
            try:
                text = in_the_fork(call, work, memory)
            except BaseException:
                text = traceback.format_exc()
            with open(writer, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        text = file.read()
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == 0, "it hangs" if code == -signal.SIGALRM else f"it ended with {code}"
    assert text in (RIGHT, REFUSED), text
    left = [str(file) for file in work.rglob(".*") if file.name != ".lock"]
    assert left == [], f"left behind: {left}"
    for file in work.rglob("config.json"):  # of a run that appeared
        if file.parent != work / "run":
            assert any(file.parent.glob("mlp_*.state")), f"{file.parent} has no state"
    return text


def in_the_fork(call, work, memory):
    os.chdir(work)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    sys.stdout = sys.stderr = io.StringIO()  # hypothesis prints an example that fails
    sys.addaudithook(partial(only_below, (str(work), os.devnull, "/dev/shm", "/proc/self")))
    warnings.simplefilter("error")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        text = REFUSED if call() is REFUSED else RIGHT
    except (ValueError, TypeError, NonFiniteLossError) as error:
        text = REFUSED
        if "\n" in str(error) or not str(error):
            text = f"not one line: {error!r}"
        elif not raised_on_purpose(error):
            text = traceback.format_exc()
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    more *= 1 if sys.platform == "darwin" else 1024
    return text if more < memory else f"it took {more / 1e6:.0f} MB"


def raised_on_purpose(error):
    """Whether the package raised it, and not a library that was given something."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return "chainer_vae" in last.filename and last.line.startswith("raise ")


def only_below(folders, event, args):
    """An audit hook: nothing is changed elsewhere."""
    changes = event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink")
    if event == "open":
        changes = isinstance(args[0], (str, bytes)) and bool(
            args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
    if changes:
        path = os.path.realpath(os.fsdecode(args[1 if event == "os.rename" else 0]))
        if not path.startswith(folders):
            os.write(2, f"{event} {path}\n".encode())
            os._exit(3)


# Files


def mutated(content):
    """A content with bytes changed, put in or left out; cut off; or any other."""
    edit = st.tuples(st.integers(0, len(content)), st.integers(0, 8), st.binary(max_size=8))
    return st.one_of(
        st.lists(edit, min_size=1, max_size=3).map(partial(edited, content)),
        st.integers(0, len(content)).map(lambda n: content[:n]),
        st.binary(max_size=200),
    )


def edited(content, edits):
    for at, n, new in edits:
        content = content[:at] + new + content[at + n :]
    return content


SIZES = st.sampled_from([0, 1, 2, 5, 8, 9, 25, 255, 2**16, 10**6, 2**31, 2**32 - 1])


def gzip_files(content):
    packed = gzip.compress(content)
    return st.one_of(
        st.just(packed),
        mutated(packed),
        st.integers(1, 300).map(lambda n: gzip.compress(b"") * n + packed),
        st.integers(0, 300).map(lambda n: packed + bytes(n)),
    )


@st.composite
def idx_files(draw, material):
    """Changed files of a data set, by their names."""
    changed = {}
    for name in draw(st.sets(st.sampled_from(IDX_FILES), min_size=1, max_size=4)):
        plain = material.idx[name]
        n_sizes = 3 if "images" in name else 1
        headers = st.tuples(*[SIZES] * n_sizes).map(
            lambda sizes: struct.pack(f">{1 + len(sizes)}I", 0x800 + len(sizes), *sizes)
        )
        contents = st.one_of(
            st.just(plain),
            mutated(plain),
            st.builds(lambda header, rest: header + rest, headers, st.binary(max_size=100)),
            st.builds(lambda header, n: header + bytes(n), headers, st.integers(0, 1 << 22)),
        )
        content = draw(contents)
        if draw(st.booleans()):
            name, content = f"{name}.gz", draw(gzip_files(content))
        changed[name] = content
    return changed


def check_idx(material, changed):
    def call():
        data = load_mnist("data")
        for name, images in (("train", data.train_images), ("t10k", data.test_images)):
            expected = read_idx(f"data/{name}-images-idx3-ubyte")
            assert data.image_shape == expected.shape[1:]
            np.testing.assert_array_equal(np.rint(images * 255), expected.reshape(len(images), -1))
        for name, labels in (("train", data.train_labels), ("t10k", data.test_labels)):
            np.testing.assert_array_equal(labels, read_idx(f"data/{name}-labels-idx1-ubyte"))

    with material.copied() as work:
        for name, content in changed.items():
            (work / "data" / name.replace(".gz", "")).unlink()
            (work / "data" / name).write_bytes(content)
        return outcome(call, work)


def pictures():
    """Files of all kinds of images, by the names that they have in a data set."""
    grey = np.random.RandomState(0).randint(0, 256, (SIDE, SIDE, 4)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = {}
    for name, array, settings in (
        ("grey.png", grey[..., 0], {}),
        ("sixteen.png", grey[..., 0] * np.uint16(200), {}),
        ("alpha.png", grey, dict(exif=exif)),
        ("colour.jpg", grey[..., :3], {}),
        ("turned.jpg", grey[..., 0], dict(exif=exif)),
    ):
        file = io.BytesIO()
        Image.fromarray(array).save(file, {"png": "PNG", "jpg": "JPEG"}[name[-3:]], **settings)
        found[name] = file.getvalue()
    file = io.BytesIO()
    np.savez_compressed(file, images=np.stack([grey] * 10), labels=np.zeros(10, np.uint8))
    return {**found, "set.npz": file.getvalue()}


@st.composite
def image_files(draw):
    """One of them, changed; and the size to make the images of."""
    found = pictures()
    name = draw(st.sampled_from(sorted(found)))
    content = draw(st.one_of(st.just(found[name]), mutated(found[name])))
    return name, content, draw(st.sampled_from([None, (3, 4)]))


def check_images(material, example):
    def call():
        logging.disable()  # that colours are turned grey
        data = load_images(name if name == "set.npz" else "images", size)
        require_images(data)
        assert size is None or data.image_shape == size
        assert len(data.train_images) + len(data.test_images) == 10

    name, content, size = example
    with material.copied() as work:
        (work / "images").mkdir()
        for i in range(9):
            (work / "images" / f"{i}.png").write_bytes(pictures()["grey.png"])
        (work if name == "set.npz" else work / "images").joinpath(name).write_bytes(content)
        return outcome(call, work, memory=500 << 20)  # a header may say 64 million pixels


def read_idx(name):
    """As simple as it can be."""
    with open(name, "rb") if os.path.exists(name) else gzip.open(f"{name}.gz") as file:
        n_axes = file.read(4)[3]
        shape = struct.unpack(f">{n_axes}I", file.read(4 * n_axes))
        return np.frombuffer(file.read(math.prod(shape)), np.uint8).reshape(shape)


def npz_bytes(material):
    """A changed .model or .state, as (name, content)."""
    return st.one_of(
        mutated(material.run[name]).map(lambda content, name=name: (name, content))
        for name in material.arrays
    )


SPECIAL = [
    0,
    1,
    -1,
    2,
    624,
    625,
    2**31,
    2**63 - 1,
    0.5,
    1e-300,
    1e30,
    3e38,
    1e300,
    math.nan,
    math.inf,
]


@st.composite
def npz_entries(draw, material):
    """Other arrays of a .model or .state, as (name, arrays); None for one that is not there."""
    file = draw(st.sampled_from(sorted(material.arrays)))
    arrays, others = material.arrays[file], {}
    names = sorted(arrays)
    own = [name for name in names if name.startswith("training/") and "/model/" not in name]
    some = st.one_of(st.sampled_from(names), st.sampled_from(own or names))
    for name in draw(st.sets(some, min_size=1, max_size=3)):
        others[name] = draw(other_arrays(arrays[name]))
    if draw(st.booleans()):
        others[draw(st.text(st.characters(codec="ascii"), max_size=20))] = np.zeros(3)
    return file, others


def other_arrays(array):
    """An array of other numbers, another dtype or another shape; None for none."""
    dtypes = st.one_of(
        hnp.scalar_dtypes(),
        hnp.unicode_string_dtypes(),
        hnp.byte_string_dtypes(),
        hnp.array_dtypes(),
    )
    any_array = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=5))
    return st.one_of(
        st.none(),
        st.builds(
            partial(with_number, array), st.integers(0, array.size), st.sampled_from(SPECIAL)
        ),
        st.integers(-3, 10**6).map(lambda n: np.full(array.shape, n)),
        st.sampled_from("?bBhHiIlLefdgFDUSO").map(lambda code: cast(array, code)),
        st.sampled_from("?bBhHiIlLefdgFDUSO").map(lambda code: np.zeros(array.shape, code)),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=30).map(lambda s: np.resize(array, s)),
        any_array,
    )


def with_number(array, at, value):
    changed = array.copy()
    with contextlib.suppress(OverflowError, ValueError, IndexError), np.errstate(all="ignore"):
        changed.flat[at] = value
    return changed


def cast(array, code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of complex numbers' imaginary parts
        return array.astype(code)


def check_bytes(material, example):
    name, content = example
    with material.copied() as work:
        (work / "run" / name).write_bytes(content)
        return outcome(partial(use_run, material, name, same=True), work)


def check_entries(material, example):
    name, others = example
    arrays = {**material.arrays[name], **others}
    with material.copied() as work:
        with zipfile.ZipFile(work / "run" / name, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an array's header in letters that are not ASCII
            for other, array in arrays.items():
                if array is not None:
                    with archive.open(f"{other}.npy", "w") as file:
                        np.save(file, array)
        return outcome(partial(use_run, material, name), work)


def use_run(material, changed, same=False):
    """Everything that reads the file; ``same``: a file that is taken has the old arrays."""
    if changed == "mlp_2.model":
        model, _ = load_model("run")
        mu, ln_var = encode(model, load_mnist("data").test_images)
        assert mu.shape == ln_var.shape == (N_IMAGES - 1, 2)
        if same:
            arrays = checkpoints.to_arrays(model)
            for name, array in material.arrays[changed].items():
                np.testing.assert_array_equal(arrays[name], array)
    run = Run.resume("run", epoch=2)
    if same and changed == "mlp_2.state":
        arrays = checkpoints.training_to_arrays(run, run.log)
        for name, array in material.arrays[changed].items():
            np.testing.assert_array_equal(arrays[name], array)
    with contextlib.suppress(NonFiniteLossError):
        entries = list(run.train())
        assert [entry["epoch"] for entry in entries] == list(range(3 - len(entries), 3))
        again = Run.resume("run")
        assert (again.epoch, again.steps_done, again.log) == (2, run.steps_done, run.log)


# JSON


def json_values(depth=2):
    numbers = st.one_of(
        st.integers(),
        st.floats(),
        st.sampled_from([0, 1, 2, 25, 2**32, 10**6, 10**399, -1, 0.5, 1e308]),
    )
    simple = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5))
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=4,
    )


@st.composite
def json_files(draw, material, name):
    """A JSON file of a run with values changed, left out or put in; or with bytes changed."""
    content = material.run[name]
    if draw(st.integers(0, 3)) == 0:
        return name, draw(mutated(content))
    document = [json.loads(content)]
    for _ in range(draw(st.integers(1, 3))):
        where, key = document, 0
        while isinstance(where[key], (dict, list)) and where[key] and draw(st.integers(0, 5)):
            where = where[key]
            key = draw(
                st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where)))
            )
        if draw(st.integers(0, 4)) == 0 and where is not document:
            del where[key]
        else:
            where[key] = draw(json_values())
    return name, json.dumps(document[0]).encode()


def check_json(material, example):
    def call():
        info = load_info("run")
        assert math.prod(info.image_shape) == info.n_in
        describe_run("run")
        epochs = [entry["epoch"] for entry in load_log("run/log")]
        assert epochs == list(range(1, len(epochs) + 1))
        if info.config.epoch > 2:  # not that many
            Run.resume("run", epoch=1)
        else:
            use_run(material, name)
        list(load_snapshots("run"))

    name, content = example
    # Where config.json names no data set, that is MNIST.
    memory = MEMORY if name == "log" or b'"dataset": "' in content else MEMORY + MNIST
    with material.copied() as work:
        (work / "run" / name).write_bytes(content)
        return outcome(call, work, memory)


# Command lines

WORDS = st.one_of(
    st.sampled_from(
        ["", "run", "data", "new", "new/er", "nowhere", "run/log", "run/config.json",
         "run/mlp_2.model", "run/mlp_2.state", "data/t10k-images-idx3-ubyte", "package:z3",
         "-", "--", "-1", "0", "1", "2", "nan", "inf", "1e400", "0x1", "--help", "=",
         "\n", "\x1b[31m", "a\0b", "a" * 300, "ü", "\ud800", "graphical-model", "en", "svg",
         "tanh", "auto", "fused", "chainer", "vae", "autoencoder"]
    ),
    st.text(max_size=5).filter(lambda text: "/" not in text and ".." not in text),
)  # fmt: skip
# What takes long is not drawn: many epochs, large networks, the package's models, all figures.
NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "-1", "1.5", "1e3", "nan", "99999999", "٣"]), WORDS
)
COUNTS = st.sampled_from(["0", "1", "2", "-1", "1.5", "1000001", "9" * 400, "", "x", "٢"])
FOLDERS = st.sampled_from(["run", "data", "new", "new/er", "nowhere", "run/log", ""])
DATA = st.one_of(st.just("data"), st.just("data"), FOLDERS, WORDS)
RUNS = st.one_of(st.just("run"), FOLDERS)
OUT = st.one_of(st.just("new"), FOLDERS, WORDS)
PICTURES = st.one_of(st.sampled_from(["new.png", "new.gif"]), OUT)
OPTIONS = {
    "train": {
        "--resume": st.one_of(RUNS, st.sampled_from(["run/mlp_2.state", "run/mlp_2.model"])),
        "--initmodel": st.one_of(st.just("run/mlp_2.model"), FOLDERS, WORDS),
        "--out": OUT, "--dimz": COUNTS, "--dim-h": COUNTS, "--batchsize": COUNTS, "--k": COUNTS,
        "--seed": NUMBERS, "--C": NUMBERS, "--C-warmup": COUNTS, "--lr": NUMBERS, "--gpu": NUMBERS,
        "--act": st.one_of(st.sampled_from(["tanh", "relu", "sigmoid", "softplus"]), WORDS),
        "--engine": st.one_of(st.sampled_from(["auto", "chainer", "fused"]), WORDS),
        "--model": st.one_of(st.sampled_from(["vae", "autoencoder"]), WORDS),
        "--objective": st.one_of(st.sampled_from(["elbo", "iwae"]), WORDS),
        "--likelihood": st.one_of(
            st.sampled_from(["bernoulli", "continuous-bernoulli", "gaussian"]), WORDS
        ),
        "--binarize": st.one_of(st.sampled_from(["none", "threshold", "stochastic"]), WORDS),
        "--test": None, "--snapshots": None, "--dataset": DATA, "--epoch": COUNTS,
        "--size": NUMBERS,
        "--tensorboard": OUT,
        "--communicator": st.one_of(st.sampled_from(["naive", "flat", "pure_nccl"]), WORDS),
    },
    "evaluate": {"--k": COUNTS, "--seed": NUMBERS, "--gpu": NUMBERS, "--dataset": DATA,
                 "--iw": COUNTS, "--images": COUNTS, "--size": NUMBERS},
    "projector": {"--out": OUT, "--gpu": NUMBERS, "--dataset": DATA, "--size": NUMBERS},
    "sample": {"--n": COUNTS, "--seed": NUMBERS, "--gpu": NUMBERS, "--out": PICTURES},
    "reconstruct": {
        "--n": COUNTS, "--index": COUNTS, "--gpu": NUMBERS, "--dataset": DATA, "--out": PICTURES,
    },
    "interpolate": {"--steps": COUNTS, "--gpu": NUMBERS, "--dataset": DATA, "--out": PICTURES},
    "encode": {"--set": st.sampled_from(["test", "train", "x"]), "--dataset": DATA},
    "export": {"--out": st.one_of(st.sampled_from(["new.npz", "new.onnx"]), OUT)},
    "explore": {"--run-z2": RUNS, "--run-z20": RUNS, "--run-ae2": RUNS, "--out": OUT},
    "figures": {
        "--list": None, "--lang": st.sampled_from(["en", "ja", "de"]), "--run-z20": RUNS,
        "--run-z2": RUNS, "--out": OUT, "--format": st.sampled_from(["png", "svg", "pdf", "gif"]),
        "--gpu": NUMBERS,  # and not --debug, which is there to print tracebacks
    },
    "doctor": {},
}  # fmt: skip
ALWAYS = {
    "train": {"--epoch": COUNTS, "--dataset": DATA, "--dim-h": COUNTS},
    "evaluate": {},
    "projector": {},
    "sample": {},
    "reconstruct": {},
    "interpolate": {},
    "encode": {"--out": st.one_of(st.sampled_from(["new.npz", "new.csv"]), OUT)},
    "export": {"--format": st.sampled_from(["npz", "onnx", "x"])},
    "explore": {"--run-z2": RUNS, "--run-z20": RUNS, "--run-ae2": RUNS},
    "figures": {
        "--only": st.sampled_from(["graphical-model", "latent-plane", "learning-curve", "x", ""]),
        "--run-z20": RUNS,
        "--run-z2": RUNS,
    },
    "doctor": {},
}


@st.composite
def command_lines(draw):
    name = draw(st.sampled_from([*OPTIONS, *OPTIONS, "train", "evaluate"]))
    argv = [name]
    if name not in ("train", "explore", "figures", "doctor"):
        argv.append(draw(RUNS))
    given = dict(ALWAYS[name])
    if name == "train" and draw(st.booleans()):
        given.update({"--resume": st.just("run"), "--epoch": st.just("2")})
    names = sorted(OPTIONS[name])
    for option in draw(st.lists(st.sampled_from(names), max_size=4)) if names else []:
        given.setdefault(option, OPTIONS[name][option])
    for option, values in given.items():
        argv.append(option)
        if values is not None:
            argv.append(draw(values))
    if draw(st.integers(0, 5)) == 0:  # something else, anywhere behind the run
        argv.insert(draw(st.integers(2, max(2, len(argv)))), draw(WORDS))
    return argv


def check_command(material, argv):
    def call():
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = command(argv)
        except SystemExit as error:  # argparse's
            code = error.code
        lines = err.getvalue().split("\n")
        assert lines.pop() == "", lines
        if code == 0:
            assert all(line.startswith("chainer-vae: warning: ") for line in lines), lines
            return RIGHT
        assert code == 2 or (code == 1 and len(lines) == 1), (code, lines)
        one_each = argv[0] == "figures" and len(lines) > 1  # a line for each reason
        assert (
            all(line.startswith("chainer-vae") for line in lines) if one_each else len(lines) == 1
        ), lines
        assert all(line == printable(line) for line in lines), lines
        return REFUSED

    with material.copied() as work:
        return outcome(call, work, memory=500 << 20)


# Arguments


def anything():
    """Python objects of all kinds, small."""
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    return st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, 2, 3, 5, -1, 10**20, -(10**20), 10**400]),
        st.floats(),
        st.sampled_from([np.int64(2), np.float32(0.5), np.bool_(True), np.float64("nan")]),
        st.sampled_from([1j, b"", b"run", bytearray(b"x"), range(3), slice(3), object(), len]),
        st.sampled_from(["", "run", "data", "nowhere", "a\0b", "\ud800", "z2\n", "tanh", "en"]),
        st.text(max_size=5).filter(lambda text: "/" not in text and ".." not in text),
        st.sampled_from([Path("run"), Path("data"), Path("new")]),
        st.lists(st.one_of(st.floats(), st.integers(-3, 3), st.none()), max_size=4),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        hnp.arrays(hnp.scalar_dtypes(), shapes),
        st.builds(np.zeros, shapes, st.sampled_from("?bBhefdgFDUSOMmV")),
        st.builds(lambda shape, value: np.full(shape, value, "f"), shapes,
                  st.sampled_from([0, 0.5, 1, -1, 1e38, math.nan, math.inf])),
        shapes.map(lambda shape: Variable(np.ones(shape, "f"))),
        st.sampled_from([vae(), autoencoder(), Config(), np.random.RandomState(0)]),
    )  # fmt: skip


def vae():
    np.random.seed(0)
    return VAE(SIDE * SIDE, 2, 3)


def autoencoder():
    np.random.seed(0)
    return Autoencoder(SIDE * SIDE, 2, 3)


def loss_of(model, images, **arguments):
    return float(model.get_loss_func(**arguments)(images).array)


def config_of(**settings):
    config = Config(**settings)
    assert Config(**json.loads(json.dumps(vars(config)))) == config


def start(folder, **settings):
    run = Run.start(Config(**settings), folder)
    run.save()
    assert Run.resume(folder).steps_done == 0


def draw_one(lang, runs, gpu, out, suffix):
    context = figures.Context(lang, runs, gpu)
    specs = [spec for spec in figures.all_figures() if spec.id == "latent-plane"]
    for drawn in figures.draw_figures(specs, context, out, suffix):
        assert drawn.error is None or isinstance(drawn.error, (ValueError, TypeError)), drawn.error


def functions():
    """Each public function with arguments that it takes; examples have some of them changed."""
    x = np.random.RandomState(0).uniform(0, 1, (4, SIDE * SIDE)).astype("f")
    z = np.random.RandomState(0).standard_normal((4, 2)).astype("f")
    labels = np.arange(4)
    data = Dataset(x, labels, x, labels, (SIDE, SIDE))
    settings = dict(
        epoch=1, dimz=2, dim_h=3, act="tanh", C=1.0, C_warmup=1, k=1, batchsize=4, lr=0.1, seed=0,
        gpu=-1, dataset="data", test=False, engine="auto", model="vae", snapshots=False,
        binarize="none", likelihood="bernoulli", objective="elbo", size=None,
    )  # fmt: skip
    return {
        "VAE": (VAE, dict(n_in=4, n_latent=2, n_h=3)),
        "Autoencoder": (Autoencoder, dict(n_in=4, n_latent=2, n_h=3)),
        "VAE.encode": (lambda x: vae().encode(x), dict(x=x)),
        "VAE.decode": (lambda z: vae().decode(z), dict(z=z)),
        "VAE.__call__": (lambda x: vae()(x), dict(x=x)),
        "get_loss_func": (partial(loss_of, vae()), dict(images=x, C=1.0, k=1)),
        "Autoencoder's": (partial(loss_of, autoencoder()), dict(images=x)),
        "Xavier": (Xavier, dict(fan_in=3, fan_out=4)),
        "Config": (config_of, settings),
        "evaluate": (evaluate, dict(model=vae(), images=x, k=2, batchsize=3, fused=True)),
        "encode": (encode, dict(model=vae(), images=x, batchsize=3)),
        "latent_vectors": (latent_vectors, dict(model=vae(), images=x, batchsize=3)),
        "reconstruction_errors": (reconstruction_errors,
                                  dict(model=autoencoder(), images=x, batchsize=3)),
        "load_any_model": (load_any_model, dict(run="run", gpu=-1)),
        "write_latents": (write_latents, dict(file="new.csv", latents={"z": z},
                                              of={"label": labels})),
        "write_parameters": (write_parameters, dict(file="new.npz", model=vae(),
                                                    config=Config(), image_shape=(SIDE, SIDE))),
        "write_onnx": (write_onnx, dict(file="new.onnx", model=vae())),
        "load_torch": (load_torch, dict(file="run/mlp_2.model", act="tanh")),
        "log_likelihood": (log_likelihood, dict(model=vae(), images=x, k=2, seed=0, fused=True)),
        "sizes_up_to": (sizes_up_to, dict(k=5)),
        "importance_bounds": (importance_bounds, dict(log_weights=x[0], sizes=[1, 4])),
        "log_mean_exp": (log_mean_exp, dict(a=x)),
        "standard_error": (standard_error, dict(a=x[0])),
        "dimensions": (posterior.dimensions, dict(mu=z, ln_var=z)),
        "largest_correlation": (posterior.largest_correlation, dict(mu=z, ln_var=z)),
        "decompose": (posterior.decompose, dict(mu=z, ln_var=z, seed=0)),
        "squared_error": (squared_error, dict(model=autoencoder(), images=x, batchsize=3)),
        "decode": (latent.decode, dict(model=vae(), z=z, batchsize=3)),
        "first_of_class": (latent.first_of_class, dict(labels=labels, digit=2)),
        "ends": (latent.ends, dict(labels=labels, start=2, end=3)),
        "class_means": (latent.class_means, dict(latents=z, labels=labels)),
        "spread": (latent.spread, dict(points=z, distance=0.1)),
        "interpolate": (latent.interpolate, dict(start=z[0], end=z[1], t=labels / 4)),
        "prior": (latent.prior, dict(n=3, n_latent=2, seed=1)),
        "there_and_back": (latent.there_and_back, dict(n=3)),
        "grid": (latent.grid, dict(n=3, limit=2.0)),
        "montage": (latent.montage, dict(tiles=np.zeros((2, 2, 3, 3)))),
        "load_mnist": (load_mnist, dict(directory="data")),
        "load_images": (load_images, dict(path="data", size=(SIDE, SIDE))),
        "make_dataset": (make_dataset, dict(train_images=x, train_labels=labels, test_images=x,
                                            test_labels=labels, class_names=list("abcd"))),
        "first_images": (first_images, dict(data=data)),
        "load_data": (load_data, dict(config=Config(dataset="data"))),
        "require_images": (require_images, dict(data=data)),
        "a Dataset": (lambda **parts: require_images(Dataset(**parts)), data._asdict()),
        "size_in_words": (size_in_words, dict(image_shape=(28, 28))),
        "load_model": (load_model, dict(run="run", gpu=-1)),
        "load_autoencoder": (load_autoencoder, dict(run="run", gpu=-1)),
        "load_info": (load_info, dict(folder="run")),
        "load_log": (load_log, dict(file="run/log", epochs=1)),
        "load_snapshots": (lambda run: list(load_snapshots(run)), dict(run="run")),
        "choose_run": (choose_run, dict(name="z2", folder="runs")),
        "find_run": (find_run, dict(run="run")),
        "describe_run": (describe_run, dict(run="run")),
        "Run": (Run, dict(config=Config(dataset="data", dim_h=3), folder="new", data=data)),
        "Run.start": (Run.start, dict(config=Config(dataset="data", dim_h=3), folder="new",
                                      initmodel=None, initstate=None, data=None)),
        "started": (start, dict(folder="new", **settings)),
        "Run.resume": (Run.resume, dict(folder="run", out="new", epoch=2, data=None)),
        "write_projector": (write_projector, dict(folder="new", latents=z, images=x, labels=labels,
                                                  image_shape=(SIDE, SIDE))),
        "write_page": (write_page, dict(file="new", z2="run", z20="run", ae2="run")),
        "write_index": (figures.write_index, dict(folder="new", lang="en", suffix="png",
                                                  options="")),
        "draw_figures": (draw_one, dict(lang="en", runs={"z2": "run", "z20": "run"}, gpu=-1,
                                        out="new", suffix="svg")),
        "graph.dump": (graph.dump, dict(loss=Variable(np.ones((), "f")))),
    }  # fmt: skip


@st.composite
def calls(draw):
    table = functions()
    name = draw(st.sampled_from(sorted(table)))
    arguments = copy.copy(table[name][1])
    for argument in draw(st.sets(st.sampled_from(sorted(arguments)), max_size=2)):
        arguments[argument] = draw(anything())
    return name, arguments


def check_call(material, example):
    def call():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that are not finite
        functions()[name][0](**arguments)

    name, arguments = example
    # A package's model brings MNIST.
    with material.copied() as work:
        return outcome(call, work, memory=500 << 20)


PROPERTIES = {
    "IDX files": (idx_files, check_idx),
    "PNG, JPEG and npz files": (lambda material: image_files(), check_images),
    "bytes of .model and .state": (npz_bytes, check_bytes),
    "arrays of .model and .state": (npz_entries, check_entries),
    "config.json": (partial(json_files, name="config.json"), check_json),
    "log": (partial(json_files, name="log"), check_json),
    "command lines": (lambda material: command_lines(), check_command),
    "arguments of functions": (lambda material: calls(), check_call),
}


def fuzz(material, name, n, seed=None):
    """Try n examples of one kind; without a seed, the same each time.

    Returns:
        Counter: How many were RIGHT and REFUSED.

    Raises:
        AssertionError: One was neither: hypothesis prints the smallest such example.
    """
    examples, check = PROPERTIES[name]
    tried = Counter()

    @hypothesis.settings(
        max_examples=n, deadline=None, database=None, derandomize=seed is None,
        phases=[phase for phase in hypothesis.Phase if phase.name != "explain"],
        suppress_health_check=list(hypothesis.HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @hypothesis.given(examples(material))
    def run(example):
        tried[check(material, example)] += 1

    if seed is not None:
        run = hypothesis.seed(seed)(run)
    run()
    return tried


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=RECORDED, metavar="N", help="of each kind")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", choices=PROPERTIES)
    args = parser.parse_args()
    print("seed", args.seed)
    rows, bad = [], 0
    with prepared() as material:
        for name in PROPERTIES if args.only is None else [args.only]:
            try:
                tried = fuzz(material, name, args.examples, args.seed)
            except AssertionError:
                traceback.print_exc()
                bad += 1
                continue
            rows.append(f"| {name} | {tried[RIGHT]:,} | {tried[REFUSED]:,} | 0 |")
            print(rows[-1], flush=True)
    if args.only is None and not bad and args.examples >= RECORDED:
        table = ["| | taken, and right | refused in one line | else |", "|---|---|---|---|", *rows]
        said = f"{args.examples:,} examples of each, seed {args.seed}."
        write_section("fuzz", "\n".join([*table, "", said]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
