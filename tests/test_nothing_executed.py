"""Nothing of a file or of a name is executed: not when it is loaded, and not where it is shown."""

import csv
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from chainer_vae import (
    InputError,
    Run,
    graph,
    load_autoencoder,
    load_images,
    load_mnist,
    load_model,
)
from chainer_vae.cli import main
from chainer_vae.figures import write_index
from chainer_vae.projector import write_projector
from chainer_vae.runs import checkpoints, describe_run, load_info, load_log, load_snapshots
from chainer_vae.runs.models import MODELS_DIR


class Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


PICKLE = pickle.dumps(Exploit())
OBJECTS = npy(np.array([Exploit()], object))
CALL = {"py/reduce": [{"py/function": "builtins.open"}, ["exploited", "w"]]}  # as jsonpickle's
PREPARED = {
    "pickle": PICKLE,
    "an array of objects": OBJECTS,
    "npz of objects": zipped({"le1/W.npy": OBJECTS, "t.npy": OBJECTS}),
    "npz with a pickle": zipped({"le1/W.npy": npy(np.zeros(3)), "epoch": PICKLE}),
    "names that lead elsewhere": zipped({"../exploited": npy(np.zeros(3)), "/exploited": b""}),
    "JSON with Python objects": json.dumps({"arguments": CALL, "environments": [CALL]}).encode(),
    "Python": b"__import__('os').mkdir('exploited')",
    "YAML": b"!!python/object/apply:builtins.open [exploited, w]",
}
LOADED = [
    "config.json", "log", "mlp_2.model", "mlp_2.state", "snapshots/epoch_1.model",
    "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz",
]  # fmt: skip
FUNCTIONS = [
    load_model, load_autoencoder, load_info, describe_run, Run.resume, load_mnist, load_images,
    lambda run: load_log(f"{run}/log"), lambda run: list(load_snapshots(run)),
    lambda run: checkpoints.load_npz(f"{run}/mlp_2.model"),
]  # fmt: skip
COMMANDS = [
    ["train", "--resume", "run"],
    ["train", "--initmodel", "run/mlp_2.model", "--dimz", "2", "--test", "-e", "1", "-o", "new"],
    ["train", "--initmodel", "sound/mlp_2.model", "--resume", "run/mlp_2.state", "--dimz", "2",
     "--test", "-e", "1", "-o", "new"],
    ["train", "--dataset", "run", "-e", "1", "-o", "new"],
    ["evaluate", "run"],
    ["projector", "run", "-o", "new"],
    ["sample", "run", "-o", "new.png"],
    ["reconstruct", "run", "-o", "new.png"],
    ["interpolate", "run", "--index", "0", "1", "-o", "new.png"],
    ["encode", "run", "-o", "new.npz"],
    ["export", "run", "--format", "npz", "-o", "new.npz"],
    ["import-torch", "run/mlp_2.model", "-o", "new.model"],
    ["explore", "--run-z2", "run", "--run-z20", "run", "--run-ae2", "run", "-o", "new"],
    ["figures", "--only", "manifold", "--run-z2", "run", "-o", "new"],
]  # fmt: skip


def test_the_exploits_work(tmp_path, monkeypatch):
    """Else their failing would show nothing."""
    monkeypatch.chdir(tmp_path)
    for load in (
        lambda: pickle.loads(PICKLE),
        lambda: np.load(io.BytesIO(OBJECTS), allow_pickle=True),
        lambda: np.load(io.BytesIO(PREPARED["npz of objects"]), allow_pickle=True)["t"],
        lambda: exec(PREPARED["Python"]),
    ):
        load()
        (tmp_path / "exploited").rmdir()


@pytest.mark.parametrize("kind", PREPARED)
def test_a_prepared_file_runs_nothing(tmp_path, tiny_set, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MODELS_DIR / "z2", "sound")
    shutil.copytree(tiny_set, "sound", dirs_exist_ok=True)
    opened = []
    sys.addaudithook(lambda event, args: event == "pickle.find_class" and opened.append(args))
    for file in LOADED:
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("sound", "run")
        (tmp_path / "run" / "snapshots").mkdir(exist_ok=True)
        (tmp_path / "run" / file.replace(".gz", "")).unlink(missing_ok=True)
        (tmp_path / "run" / file).write_bytes(PREPARED[kind])
        refused = 0
        for load in FUNCTIONS:
            try:
                load("run")
            except InputError:
                refused += 1
        assert refused > 0, file
        assert not list(tmp_path.parent.rglob("exploited")), file
    assert opened == []


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_no_command_runs_what_is_in_a_file(tmp_path, monkeypatch, capsys, argv):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(MODELS_DIR / "z2", "sound")
    for content in PREPARED.values():
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("sound", "run")
        for file in ("mlp_2.model", "mlp_2.state"):
            (tmp_path / "run" / file).write_bytes(content)
        assert main(argv) == 2
        err = capsys.readouterr().err
        assert err.startswith("chainer-vae: error: ") and err.count("\n") == 1
        assert not list(tmp_path.parent.rglob("exploited"))


NAMES = [
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=1<",
    '"onload="window.pwned=1" x="',
    "'-window.pwned=1-'",
    "javascript:window.pwned=1",
    "${window.pwned=1}{{blob}}&lt;b&gt;",
    "<!--<script>",
    "\u2028window.pwned=1",
]
if os.name == "nt":  # which allows none of these
    NAMES = [name.translate({ord(c): "_" for c in '<>"?*:|'}) for name in NAMES]


def shown(browser, file):
    """The text of a page, and what ran of it that should not have."""
    page = browser.new_page()
    ran = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: ran.append(str(error)))
    try:
        page.goto(file.as_uri())
        page.wait_for_load_state("networkidle")
        if page.evaluate("typeof window.pwned") != "undefined":
            ran.append("pwned")
        return page.locator("body").inner_text(), ran
    finally:
        page.close()


@pytest.mark.slow
def test_the_explorer_shows_names_as_text(tmp_path, browser):
    """All in one, as a page takes a while to be written."""
    from chainer_vae.explorer import write_page

    name = " ".join(NAMES)
    run = shutil.copytree(MODELS_DIR / "z2", tmp_path / name)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["environments"] = [{"device": name, "versions": {name: name}}]
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_page(tmp_path / "explorer.html", run)
    text, ran = shown(browser, tmp_path / "explorer.html")
    assert ran == []
    assert [part for part in NAMES if part.strip() not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_figures_runs_no_name(tmp_path, browser, name):
    """It shows the names of the package's own figures; its folder may have any."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "2dim_map.png").write_bytes(name.encode())
    (folder / f"{name}.png").write_bytes(name.encode())
    assert write_index(folder, "en") == 1
    assert name not in (folder / "index.html").read_text(encoding="utf-8")
    text, ran = shown(browser, folder / "index.html")
    assert ran == [] and "chainer-vae figures --only manifold" in text


@pytest.mark.parametrize(
    "name", [*NAMES, 'a"];evil [label="', "back\\slash", "new\nline", "{<p>|}"]
)
def test_a_graph_with_any_names(name):
    """A run's graph has the names of the package; one of a user's own model, whatever he gives."""
    from chainer import Variable

    x = Variable(np.zeros((2, 3), "f"), name=name)
    text = graph.dump(x * 2)
    nodes = graph.parse(text).nodes
    assert next(iter(nodes.values())).label == f"{name}: (2, 3), float32"
    assert len(nodes) == 3 and len(graph.parse(text).edges) == 2
    if graph.graphviz() is None:
        pytest.skip("there is no Graphviz")
    result = subprocess.run(
        [graph.graphviz(), "-Tdot"], input=text.encode(), capture_output=True, check=False
    )
    assert result.returncode == 0 and b"syntax" not in result.stderr


def test_the_projector_s_files_are_well_formed(tmp_path):
    """Labels are numbers, so that no name can break a line or a column."""
    few = np.zeros((3, 3)), np.zeros((3, 25)), (5, 5)
    folder = tmp_path / "a\tb"
    for labels in (np.array(["a\tb", "c\nd", '"']), np.array(["1\t2"] * 3, object)):
        with pytest.raises(InputError, match=r"^labels must be an array of whole numbers"):
            write_projector(folder, few[0], few[1], labels, few[2])
    write_projector(folder, few[0], few[1], np.array([0, 1, 255]), few[2])
    with open(folder / "metadata.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows == [["class", "index"], ["0", "0"], ["1", "1"], ["255", "2"]]
    assert str(folder) not in (folder / "projector_config.pbtxt").read_text(encoding="utf-8")
