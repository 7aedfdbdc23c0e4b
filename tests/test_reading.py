"""Files that are no files, too large, or prepared: one clear line, little memory, no waiting."""

import json
import os
import shutil
import signal
import sys

import pytest
from conftest import little_memory

from chainer_vae import InputError, Run, load_mnist, load_model, reading
from chainer_vae.runs import checkpoints, files, find_run, load_info, load_log
from chainer_vae.runs.models import MODELS_DIR


@pytest.fixture(autouse=True)
def in_time():
    """Fail instead of waiting for ever."""
    if sys.platform == "win32":
        yield
        return
    previous = signal.signal(signal.SIGALRM, lambda *args: pytest.fail("it waits"))
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def z2(tmp_path):
    """A copy of a shipped run."""
    return shutil.copytree(MODELS_DIR / "z2", tmp_path / "z2")


ENTRIES = {
    "config.json": load_info,
    "log": lambda folder: load_log(folder / "log"),
    "mlp_2.model": load_model,
    "mlp_2.state": Run.resume,
    "train-images-idx3-ubyte": load_mnist,
    "t10k-labels-idx1-ubyte.gz": load_mnist,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "/dev/full", "folder"])
def test_what_is_no_file(z2, tiny_set, name, kind):
    for file in os.listdir(tiny_set):
        shutil.move(f"{tiny_set}/{file}", z2)
    file = z2 / name
    file.with_suffix("").unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(kind)
    expected = r"cannot read .*: it is a (pipe or a device|folder), not a file"
    if "ubyte" in name and kind == "folder":
        expected = r"has no file"
    with pytest.raises(InputError, match=expected), little_memory(10e6):
        ENTRIES[name](z2)


@pytest.mark.parametrize("name", ["config.json", "log", "mlp_2.model", "train-images-idx3-ubyte"])
def test_gigabytes_of_nothing(z2, tiny_set, name):
    for file in os.listdir(tiny_set):
        shutil.move(f"{tiny_set}/{file}", z2)
    with open(z2 / name, "r+b") as file:
        file.truncate(1 << 31)
    message = "too large: it has more|not an npz file|has trailing bytes"
    with pytest.raises(InputError, match=message), little_memory(10e6):
        ENTRIES[name](z2)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "1" * 3_000_000,
        "-" + "1" * 500,
        "[NaN]",
        "[-Infinity]",
        '{"a": 1, "a": 2}',
        '"\xff"',
        "",
        "\0",
        "{",
    ],
    ids=range(10),
)
def test_what_is_no_json(tmp_path, text):
    (tmp_path / "file").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"file is not a JSON file: ") as error:
        files.load_json(tmp_path / "file")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def changed(file, **changes):
    content = json.loads(file.read_text(encoding="utf-8"))
    content.update(changes)
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"checksums": 5},
        {"checksums": {}},
        {"checksums": []},
        {"checksums": {"train_images": 1}},
        {"checksums": {"train_images": 1, "test_images": 2.0}},
        {"checksums": {"train_images": 1, "test_images": -1}},
        {"checksums": {"train_images": 1, "test_images": 2**32}},
        {"checksums": {"train_images": 1, "test_images": 2, "labels": 3}},
        {"environments": {"from_epoch": 0}},
        {"environments": [5]},
        {"environments": None},
        {"environments": {}},
        {"environments": ""},
        {"n_in": 10**300},
        {"image_shape": "ab"},
        {"image_shape": [28, True]},
        {"arguments": {"C": 10**399}},
        {"arguments": {"dimz": 10**399}},
        {"arguments": {"dataset": "\ud800"}},
        {"arguments": []},
    ],
    ids=str,
)
def test_forged_settings(z2, changes):
    changed(z2 / "config.json", **changes)
    with pytest.raises(InputError, match=r"config.json does not hold the settings of a run$"):
        load_info(z2)


def test_settings_of_another_version(z2):
    """A setting that is not known may make the run another."""
    content = json.loads((z2 / "config.json").read_text())
    changed(z2 / "config.json", arguments={**content["arguments"], "dropout": 0.5})
    expected = r"config.json has the setting 'dropout', which chainer-vae \S+ does not know"
    with pytest.raises(InputError, match=expected):
        load_info(z2)


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": 2},
        {"epoch": 0},
        {"epoch": True},
        {"epoch": 1.0},
        {"epoch": "1"},
        {"iteration": -1},
        {"iteration": 0.5},
        {"elapsed_time": -1},
        {"elapsed_time": True},
        {"main/loss": True},
        {"main/loss": None},
        {"main/loss": 10**399},
        {"validation/main/rec_loss": "5"},
    ],
    ids=str,
)
def test_forged_log(tmp_path, changes):
    log = load_log(find_run("z2") / "log")
    log[0].update(changes)
    (tmp_path / "log").write_text(json.dumps(log), encoding="utf-8")
    with pytest.raises(InputError, match=r"log is not a log of a run's epochs$"):
        load_log(tmp_path / "log")
    with pytest.raises(InputError, match=r"log is not a log of 3 epochs$"):
        load_log(tmp_path / "log", 3)


def test_sizes_are_compared_before_a_model_is_built(z2):
    """A hidden layer of 40,000 units has 6.4 GB of weights."""
    content = json.loads((z2 / "config.json").read_text(encoding="utf-8"))
    changed(z2 / "config.json", arguments={**content["arguments"], "dim_h": 40_000})
    message = r"mlp_2.model has other sizes: its l\w+/\w has shape .*, but \(40000"
    with pytest.raises(InputError, match=message), little_memory(10e6):
        load_model(z2)
    model = checkpoints.load_npz(z2 / "mlp_2.model")
    state = {f"training/model/{name}": array for name, array in model.items()}
    checkpoints.save_npz(z2 / "mlp_2.state", state)
    message = r"mlp_2.state has other sizes: its training/model/l\w+/\w has"
    with pytest.raises(InputError, match=message), little_memory(10e6):
        Run.resume(z2)


def test_a_name_that_no_file_can_have():
    for entry in (load_info, load_mnist, checkpoints.load_npz, load_model):
        if os.name == "posix":
            with pytest.raises(InputError, match=r"must be the path of a file or a folder"):
                entry("\ud800")


def test_as_much_as_is_allowed(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(200_000))
    assert reading.read_file(file, 200_000) == bytes(200_000)
    with pytest.raises(InputError, match=r"file is too large: it has more than 199,999 bytes"):
        reading.read_file(file, 199_999)
    with reading.opened(file) as stream:
        assert len(reading.read(stream, 100)) == 100
        assert len(reading.read(stream, 1 << 30)) == 199_900
