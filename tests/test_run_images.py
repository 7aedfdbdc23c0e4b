"""A run is shown on the images that it was trained on, told by their checksum; see also
test_image_shape.py."""

import json
import shutil
import sys

import numpy as np
import pytest
from conftest import write_idx_folder

from chainer_vae import Config, InputError, Run, load_mnist
from chainer_vae.cli import main
from chainer_vae.explorer import write_page
from chainer_vae.figures.registry import Context
from chainer_vae.runs import choose_run, find_run, load_info
from chainer_vae.runs.images import MNIST_CHECKSUMS, checksums, load_run_data, same_images
from chainer_vae.runs.models import MODELS_DIR

SIZES = dict(dimz=2, dim_h=8, epoch=1)
NOT_THOSE = r"the images of .*small are not those that the run in .*run was trained on"


@pytest.fixture
def run_folder(small_set, tmp_path):
    run = Run.start(Config(dataset=str(small_set), **SIZES), tmp_path / "runs" / "run")
    list(run.train())
    return run.folder


def changed(folder, **changes):
    """A run's config.json with other content, or, of None, without it."""
    file = folder / "config.json"
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_mnist_s_checksums(mnist):
    assert checksums(mnist) == MNIST_CHECKSUMS
    every_other = mnist._replace(train_images=mnist.train_images[::2])
    copied = every_other._replace(train_images=every_other.train_images.copy())
    assert checksums(every_other) == checksums(copied) != MNIST_CHECKSUMS


def test_kept_with_the_run(run_folder, small_set):
    assert load_info(run_folder).checksums == checksums(load_mnist(small_set))
    assert load_run_data(run_folder).train_images.shape == (250, 784)


def test_a_data_set_that_has_changed(run_folder, small_set, tmp_path, mnist, capsys):
    """Every command says so in one line, and so does Python."""
    shutil.move(small_set, tmp_path / "moved")
    write_idx_folder(small_set, mnist._replace(test_images=1 - mnist.test_images), 250, 40)
    run, out = str(run_folder), ["--out", str(tmp_path / "out")]
    capsys.readouterr()
    for command in (
        ["evaluate", run],
        ["projector", run, *out],
        ["reconstruct", run, "--out", f"{out[1]}.png"],
        ["interpolate", run, "--out", f"{out[1]}.png"],
        ["encode", run, "--out", f"{out[1]}.csv"],
        ["explore", "--run-z2", run, *out],
        ["figures", "--run-z2", run, "--only", "latent-scatter", *out],
        ["train", "--resume", run, "--epoch", "2"],
    ):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("chainer-vae: error: ")
        assert "are not those that the run in" in line
        assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=NOT_THOSE):
        write_page(tmp_path / "page.html", run_folder)
    with pytest.raises(InputError, match=NOT_THOSE):
        len(Context("en", {"z2": run_folder}).trained("z2").data)
    # Other images on purpose, or those of the run from another folder.
    assert main(["evaluate", run, "--dataset", str(small_set)]) == 0
    assert main(["evaluate", run, "--dataset", str(tmp_path / "moved")]) == 0
    assert Run.resume(run_folder, dataset=tmp_path / "moved", epoch=2).epoch == 1


def test_a_run_that_did_not_record_them(run_folder, small_set, tmp_path, mnist):
    """It is usable as before; only the images' size is compared."""
    changed(run_folder, checksums=None)
    assert load_info(run_folder).checksums is None
    assert main(["evaluate", str(run_folder)]) == 0
    assert Run.resume(run_folder, epoch=2).epoch == 1
    assert load_info(run_folder).checksums == checksums(load_mnist(small_set))


def test_the_same_bytes_in_another_shape(run_folder, capsys):
    changed(run_folder, image_shape=[56, 14])
    for call in (lambda: Run.resume(run_folder, epoch=2), lambda: load_run_data(run_folder)):
        with pytest.raises(InputError, match=r"have 28 x 28 pixels, but the model of .* 56 x 14"):
            call()


def test_checksums_that_cannot_be(run_folder):
    for wrong in (5, "text", [1, 2], True):
        changed(run_folder, checksums=wrong)
        with pytest.raises(InputError, match=r"config.json does not hold the settings of a run"):
            load_info(run_folder)


def test_same_images(run_folder, small_set, tmp_path):
    """By checksum, not by path; by path where a run has none."""
    shipped = load_info(find_run("package:z2"))
    shutil.copytree(small_set, tmp_path / "copy")
    other = tmp_path / "runs" / "other"
    Run.start(Config(dataset=str(tmp_path / "copy"), **SIZES), other)
    assert same_images(load_info(run_folder), load_info(other))
    assert not same_images(load_info(run_folder), shipped)
    assert same_images(shipped, load_info(find_run("package:z20")))
    # MNIST in a folder is MNIST.
    changed(run_folder, checksums=MNIST_CHECKSUMS)
    assert same_images(load_info(run_folder), shipped)
    assert not same_images(load_info(run_folder), load_info(other))
    changed(run_folder, image_shape=[56, 14])
    assert not same_images(load_info(run_folder), shipped)
    changed(run_folder, image_shape=[28, 28])
    for folder in (run_folder, other):
        changed(folder, checksums=None)
    assert not same_images(load_info(run_folder), load_info(other))
    assert not same_images(load_info(run_folder), shipped)
    arguments = json.loads((run_folder / "config.json").read_text())["arguments"]
    changed(other, arguments=arguments)
    assert same_images(load_info(run_folder), load_info(other))


def test_a_run_of_other_images_is_not_chosen(run_folder):
    """Where no run is named, MNIST's are shown."""
    assert choose_run("z2", run_folder.parent) == "package:z2"
    changed(run_folder, checksums=MNIST_CHECKSUMS)
    assert choose_run("z2", run_folder.parent) == run_folder


NO_LINKS = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows lets only some users make links"
)


@pytest.mark.parametrize(
    "kind", ["file", "folder", "run", pytest.param("link to nothing", marks=NO_LINKS)]
)
@pytest.mark.parametrize("name", ["z2", "z20", "ae2"])
def test_a_path_with_the_name_of_a_shipped_model(name, kind, tmp_path, monkeypatch):
    """It shadows no model: where no run is named, the package's is shown."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if kind == "file":
        path.write_text("")
    elif kind == "folder":
        path.mkdir()
    elif kind == "run":
        Run.start(Config(test=True, **SIZES), path)
    else:
        path.symlink_to("nothing")
    exact = f"package:{name}"
    assert choose_run(name) == exact
    assert find_run(exact) == MODELS_DIR / name
    for folder in (path, f"./{name}", f"{name}/"):
        assert find_run(folder).resolve() == path.resolve()
    if kind == "run":
        with pytest.raises(InputError, match=rf"write \./{name} or package:{name}$"):
            find_run(name)
    else:
        assert find_run(name) == MODELS_DIR / name


def test_commands_that_name_no_run_beside_such_paths(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Run.start(Config(test=True, **SIZES), "z20")
    (tmp_path / "z2").write_text("")
    (tmp_path / "runs").write_text("")
    np.random.seed(0)
    assert main(["evaluate", "--k", "1"]) == 0
    assert capsys.readouterr().out.startswith("z20, which comes with chainer-vae: 20 latent")
    assert main(["figures", "--only", "manifold", "digits"]) == 0
    assert "z2: the model that comes with" in capsys.readouterr().out
    for run in ("z20", "package:z3", "package:"):
        assert main(["evaluate", run]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "write ./z20 or package:z20" in lines[0]
    assert "must be one of z20, z2, ae2, not 'z3'" in lines[1] and len(lines) == 3
