"""The literature's training on binarized MNIST: its stages, a small one, and the text about it."""

import json
import re
from pathlib import Path

import burda
import numpy as np
import pytest

from chainer_vae.datasets import load_data, load_images
from chainer_vae.errors import InputError
from chainer_vae.runs import load_info

ROOT = Path(__file__).parent.parent


def test_stages():
    rates = [burda.rate(epoch) for epoch in range(3280)]
    assert rates[0] == 1e-3 and rates[-1] == pytest.approx(1e-4)
    for stage in range(8):
        assert rates.count(1e-3 * 10 ** (-stage / 7)) == 3**stage
    assert sorted(rates, reverse=True) == rates


@pytest.mark.slow
def test_a_small_one(tmp_path, monkeypatch):
    """Of 100 images; and it goes on where it was."""
    monkeypatch.setattr(burda, "Config", lambda **given: CONFIG(test=True, **given))
    monkeypatch.setattr(burda, "SHOWN", 10)
    out = tmp_path / "run"
    for stages in ("1", "2"):
        assert burda.main(["--stages", stages, "--samples", "5", "--out", str(out)]) == 0
    found = json.loads((out / "stages.json").read_text())
    assert [(each["stage"], each["epochs"], each["images"]) for each in found] == [
        (0, 1, 100), (1, 4, 100)
    ]  # fmt: skip
    assert found[1]["command"] == "python scripts/burda.py --stages 2 --samples 5"
    assert found[1]["versions"]["chainer-vae"]
    assert found[1]["nll"] < found[0]["nll"] <= found[0]["bounds"]["1"]
    config = load_info(out).config
    assert (config.binarize, config.dimz, config.dim_h, config.act) == (
        "stochastic",
        50,
        200,
        "tanh",
    )
    with pytest.raises(SystemExit):
        burda.main(["--stages", "9"])


def test_images_that_are_binarized_already(tmp_path):
    """They are taken as they are, and a run on others is not taken for one on them."""
    images = np.random.RandomState(0).random((40, 16)) < 0.3
    np.savez(tmp_path / "binarized.npz", x_train=images[:30], x_test=images[30:])
    out = tmp_path / "run"
    options = ["--samples", "5", "--out", str(out)]
    given = ["--dataset", str(tmp_path / "binarized.npz")]
    assert burda.main(["--stages", "1", *given, *options]) == 0
    config = load_info(out).config
    assert config.binarize == "none" and config.dataset == given[1]
    assert set(load_data(config).train_images.ravel().tolist()) == {0.0, 1.0}
    with pytest.raises(InputError, match="binarize"):
        burda.main(["--stages", "2", *options])
    assert burda.main(["--stages", "2", *given, *options]) == 0
    assert len(json.loads((out / "stages.json").read_text())) == 2


CONFIG = burda.Config


def test_the_text_has_the_recorded_numbers():
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    stages = json.loads((ROOT / "results" / "burda.json").read_text())
    for each in stages:
        numbers = each["nll"], each["standard_error"], each["bounds"]["1"]
        cells = [each["stage"], each["epochs"], *(f"{n:.2f}" for n in numbers), each["active"]]
        gap = f"{each['nll'] - 86.76:.2f}"
        assert f"| {' | '.join(map(str, cells))} | {gap} |" in text
    last = stages[-1]
    words = f"{last['epochs']} of the 3,280 epochs have been trained, and {last['nll'] - 86.76:.1f}"
    assert f"So {words} nats lie between" in text and last["images"] == 10_000
    assert f"(stage {last['stage']}: all 10,000)" in text


def test_the_text_has_the_numbers_of_50_samples():
    """At each number of epochs that all three have, of the same images."""
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    one, vae, iwae = (
        {each["epochs"]: each for each in json.loads((ROOT / "results" / name).read_text())}
        for name in ("burda.json", "burda-vae-k50.json", "burda-iwae-k50.json")
    )
    shared = [epochs for epochs in one if epochs in vae and epochs in iwae]
    assert shared == [1, 4, 13]
    for epochs in shared:
        found = [one[epochs], vae[epochs], iwae[epochs]]
        assert {each["images"] for each in found} == {1000}
        row = [str(epochs), *(f"{each['nll']:.2f}" for each in found)]
        assert f"| {' | '.join(row)} |" in text
    for stages, options in ((vae, "--k 50"), (iwae, "--objective iwae --k 50")):
        for each in stages.values():
            assert each["command"] == f"python scripts/burda.py --stages 4 {options}"


def test_the_text_has_those_of_images_that_were_binarized_once():
    text = " ".join((ROOT / "results" / "README.md").read_text(encoding="utf-8").split())
    last = json.loads((ROOT / "results" / "burda-static.json").read_text())[-1]
    assert last["images"] == 10_000
    expected = f"came to {last['nll']:.2f} ± {last['standard_error']:.2f} after {last['epochs']}"
    assert f"{expected} epochs, on all 10,000 test images" in text
    assert f"-ELBO of {last['bounds']['1']:.2f} and {last['active']} active units" in text


def test_images_binarized_once_become_a_data_set(tmp_path, monkeypatch):
    """By the lines in results/README.md, from text files as Larochelle distributes them."""
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?amat.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    images = {"train": np.eye(9)[:4], "test": np.eye(9)[4:7]}
    for part, pixels in images.items():
        np.savetxt(f"binarized_mnist_{part}.amat", pixels, fmt="%d")
    exec(lines, {})
    data = load_images(tmp_path / "binarized_mnist.npz")
    np.testing.assert_array_equal(data.train_images, images["train"])
    np.testing.assert_array_equal(data.test_images, images["test"])
