"""The runs recorded under results/ are what this code gives, and the shipped models are theirs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainer_vae import Config, Run, evaluate, load_autoencoder, load_model
from chainer_vae.evaluation import squared_error
from chainer_vae.runs import SHIPPED, article_log
from chainer_vae.runs.models import MODELS_DIR

RESULTS = Path(__file__).parent.parent / "results"
RECORDED = sorted(file.parent for file in RESULTS.glob("*/log"))


def test_something_is_recorded():
    assert RECORDED


@pytest.mark.parametrize("folder", RECORDED, ids=lambda folder: folder.name)
def test_recorded_run(folder):
    """Whole, with its settings, and beside the author's two runs, epoch by epoch."""
    config = Config(**json.loads((folder / "config.json").read_text())["arguments"])
    log = json.loads((folder / "log").read_text())
    assert [entry["epoch"] for entry in log] == list(range(1, config.epoch + 1))
    named = ("epoch", "dimz", "seed", "gpu", "model", "snapshots")
    assert config == Config(**{name: getattr(config, name) for name in named})
    if config.model == "autoencoder":
        return
    if config.dimz == 2:
        return  # The author recorded none.
    logs = article_log.load_logs()
    for entry in log[9:]:
        epoch = entry["epoch"]
        author = [run[epoch].test_loss for run in logs]
        # Two runs differ by up to 1.3 around epoch 10 and 0.3 near the end: so may a third.  A
        # single epoch stands out now and then, by 0.48 at most (seed 2, epoch 46).
        slack = 1.3 if epoch < 40 else 0.6 if epoch < 70 else 0.4
        assert min(author) - slack < entry["validation/main/loss"] < max(author) + slack, epoch


@pytest.mark.slow
def test_shipped_autoencoder(mnist):
    model, config = load_autoencoder("ae2")
    assert (config.epoch, config.seed, config.dimz) == (100, 0, 2)
    recorded = json.loads((RESULTS / "ae2-seed0" / "log").read_text())[-1]
    found = squared_error(model, mnist.test_images)
    assert found == pytest.approx(recorded["validation/main/loss"], rel=1e-5)
    for file in ("config.json", "log"):
        expected = (RESULTS / "ae2-seed0" / file).read_bytes()
        assert (MODELS_DIR / "ae2" / file).read_bytes() == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_model(name, mnist, monkeypatch, tmp_path):
    """Of the recorded run with seed 0: its test loss, but for other samples."""
    monkeypatch.chdir(tmp_path)
    model, config = load_model(name)
    assert (config.epoch, config.seed, f"z{config.dimz}") == (100, 0, name)
    recorded = json.loads((RESULTS / f"{name}-seed0" / "log").read_text())[-1]
    np.random.seed(0)
    found = evaluate(model, mnist.test_images)
    # Seen between sets of samples: 0.03.
    assert found.loss == pytest.approx(recorded["validation/main/loss"], abs=0.15)
    assert sorted(f.name for f in (MODELS_DIR / name).iterdir()) == [
        "config.json",
        *(["epochs.npz"] if name == "z2" else []),  # for the explorer
        "log",
        f"mlp_{config.dimz}.model",
    ]
    for file in ("config.json", "log"):
        recorded_file = RESULTS / f"{name}-seed0" / file
        assert (MODELS_DIR / name / file).read_bytes() == recorded_file.read_bytes()


@pytest.mark.slow
def test_first_epoch_is_reproduced(tmp_path):
    """600 steps on all of MNIST, and the test: what was recorded, but for rounding."""
    folder = RESULTS / "z20-seed0"
    recorded = json.loads((folder / "log").read_text())[0]
    run = Run.start(Config(epoch=1, seed=0), tmp_path / "run")
    (entry,) = run.train()
    for name in ("main/loss", "main/rec_loss", "validation/main/loss", "validation/main/rec_loss"):
        assert entry[name] == pytest.approx(recorded[name], rel=1e-4), name


@pytest.mark.parametrize("name", ["explorer.gif", "explorer.ja.gif"])
def test_recording_of_the_explorer(name):
    """Small enough for a README, endless, and without a jump where it begins again."""
    assert (RESULTS / name).stat().st_size < 2_000_000
    with Image.open(RESULTS / name) as image:
        assert image.info["loop"] == 0 and 800 <= image.width <= 960
        first = image.convert("RGB").tobytes()
        image.seek(image.n_frames - 1)
        assert image.convert("RGB").tobytes() == first
