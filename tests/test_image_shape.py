"""The images' height and width: known from the data set, kept with the run, heeded everywhere."""

import json

import numpy as np
import pytest
from conftest import idx

from chainer_vae import Config, InputError, Run, load_mnist
from chainer_vae.cli import main
from chainer_vae.explorer import write_page
from chainer_vae.runs import choose_run, load_info

SIZES = dict(dimz=2, dim_h=8, epoch=1)


@pytest.fixture
def oblong_set(tmp_path):
    """Images of 56 x 14 pixels: as many as MNIST's have."""
    folder = tmp_path / "oblong"
    folder.mkdir()
    pixels = np.random.RandomState(0).randint(0, 256, (12, 56, 14)).astype(np.uint8)
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        labels = np.arange(12, dtype=np.uint8) % 10
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


@pytest.fixture
def oblong_run(oblong_set, tmp_path):
    run = Run.start(Config(dataset=str(oblong_set), **SIZES), tmp_path / "runs" / "run")
    list(run.train())
    return run.folder


def test_of_data_sets(oblong_set, tiny_set, mnist):
    assert mnist.image_shape == (28, 28)
    assert load_mnist(oblong_set).image_shape == (56, 14)
    assert load_mnist(tiny_set).image_shape == (5, 5)


def test_stays_with_the_run(oblong_run):
    assert json.loads((oblong_run / "config.json").read_text())["image_shape"] == [56, 14]
    info = load_info(oblong_run)
    assert (info.image_shape, info.n_in) == ((56, 14), 784)
    assert Run.resume(oblong_run, epoch=2).image_shape == (56, 14)


@pytest.mark.parametrize(
    ("n_in", "image_shape"), [(784, (28, 28)), (25, (5, 5)), (12, (1, 12)), (1, (1, 1))]
)
def test_of_a_run_that_did_not_record_it(oblong_run, n_in, image_shape):
    file = oblong_run / "config.json"
    content = {**json.loads(file.read_text()), "n_in": n_in}
    del content["image_shape"]
    file.write_text(json.dumps(content))
    assert load_info(oblong_run).image_shape == image_shape


@pytest.mark.parametrize(
    "image_shape", [[56, 15], [56], [56, 14, 1], [56.0, 14], [-56, -14], "56", None, [0, 784], {}]
)
def test_that_cannot_be(oblong_run, image_shape):
    file = oblong_run / "config.json"
    content = {**json.loads(file.read_text()), "image_shape": image_shape}
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"config.json does not hold the settings of a run"):
        load_info(oblong_run)


def test_is_not_taken_for_another(oblong_run, tmp_path, capsys):
    """What takes squares of 28 x 28 pixels says so; the page of the explorer takes any."""
    write_page(tmp_path / "page.html", oblong_run)
    assert choose_run("z2", oblong_run.parent) == "package:z2"
    capsys.readouterr()
    assert main(["evaluate", "z2", "--dataset", str(oblong_run.parent.parent / "oblong")]) == 2
    assert "have 56 x 14 pixels, but the model of z2 takes 28 x 28" in capsys.readouterr().err
