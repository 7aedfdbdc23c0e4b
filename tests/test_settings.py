"""Settings beyond the article's: the learning rate, and what else a run may be asked for."""

import signal
from dataclasses import replace

import chainer
import numpy as np
import pytest
from test_training import assert_same, config, finish
from threadpoolctl import threadpool_limits

from chainer_vae import Config, Run, encode, evaluate, load_mnist, load_model
from chainer_vae.binarization import binarized
from chainer_vae.cli import main
from chainer_vae.config import BINARIZE
from chainer_vae.decoders import build_model
from chainer_vae.errors import InputError
from chainer_vae.figures import Context, all_figures
from chainer_vae.figures.runner import draw
from chainer_vae.random_numbers import generator_of
from chainer_vae.runs import find_run, load_info
from chainer_vae.runs.images import load_run_data, same_images
from chainer_vae.training import Training

SETTINGS = {
    "lr": dict(lr=0.01),
    "warm-up": dict(C_warmup=2, C=0.8),
    "threshold": dict(binarize="threshold"),
    "iwae": dict(objective="iwae", k=2),
    "gaussian": dict(likelihood="gaussian"),
    "stochastic": dict(binarize="stochastic"),
}


@pytest.mark.parametrize("engine", ["chainer", "auto"])
@pytest.mark.parametrize("name", SETTINGS)
def test_resume_equals_an_uninterrupted_run(
    name, engine, small_set, tmp_path, each_epoch, two_blas_threads, signals
):
    """Stopped after every step (3 an epoch), and read back from its files."""
    settings = config(small_set, epoch=3, engine=engine, **SETTINGS[name])
    whole = Run.start(settings, tmp_path / "whole")
    finish(whole)
    run = Run.start(settings, tmp_path / "run")
    for step in range(1, 9):
        finish(run, lambda: signal.raise_signal(signal.SIGINT))
        run = Run.resume(tmp_path / "run")
        assert (run.config, run.steps_done) == (settings, step)
    finish(run)
    assert_same(run, whole)


@pytest.mark.parametrize("name", SETTINGS)
def test_resume_refuses_another(name, small_set, tmp_path):
    Run.start(config(small_set, **SETTINGS[name]), tmp_path / "run")
    setting, value = next(iter(SETTINGS[name].items()))
    Run.resume(tmp_path / "run", **SETTINGS[name])
    default = getattr(Config(), setting)
    expected = rf"has {setting} {value!r}, not {default!r}; leave that option out"
    with pytest.raises(InputError, match=expected):
        Run.resume(tmp_path / "run", **{setting: default})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "(softplus),"),
        ("--objective iwae --k 2", "(softplus, --k 2, --objective iwae),"),
        ("--C-warmup 3", "(softplus, --C-warmup 3),"),
        ("--binarize stochastic", "(softplus, --binarize stochastic),"),
        ("--lr 0.01 --k 2", "(softplus, --k 2, --lr 0.01),"),
    ],
)
def test_the_first_line_names_them(options, expected, small_set, tmp_path, capsys):
    settings = ["--dimz", "2", "--dim-h", "8", "--epoch", "1", "--dataset", str(small_set)]
    assert main(["train", *settings, *options.split(), "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"VAE 784-8-8-2 {expected}" in lines[0]
    for option in options.split(" --"):
        assert option.strip("-") in lines[3]  # why the losses do not compare with the author's


# --C-warmup


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_the_loop_with_a_warm_up(engine, small_set, tmp_path):
    """Against the loop written out: C = 0.8 t / 6 in step t = 0, 1, ..., 5, then 0.8."""
    settings = config(small_set, C=0.8, C_warmup=2, epoch=3, engine=engine)
    run = Run.start(settings, tmp_path / "run")
    assert (run.backend.name, run.C) == (engine, 0)
    finish(run)
    assert run.C == 0.8
    images = load_mnist(small_set)
    weights = iter([0.8 * t / 6 for t in range(6)] + 3 * [0.8])
    np.random.seed(5)
    model = build_model(run.config, 784)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    for epoch in range(3):
        x = images.train_images[np.random.permutation(250)]
        losses = []
        for i in range(0, 250, 100):
            optimizer.update(model.get_loss_func(next(weights)), x[i : i + 100])
            losses.append(float(model.loss.array) * len(x[i : i + 100]))
        entry = run.log[epoch]
        assert entry["main/loss"] == pytest.approx(sum(losses) / 250, rel=1e-6)
        with chainer.no_backprop_mode():  # the ELBO, with the KL divergence in full
            loss = model.get_loss_func(k=10)(images.test_images)
        assert entry["validation/main/loss"] == pytest.approx(float(loss.array), rel=1e-6)


def test_the_graph_of_a_run_with_a_warm_up(small_set, tmp_path):
    run = Run.start(config(small_set, C_warmup=2, epoch=1), tmp_path / "run")
    finish(run)
    assert "latent loss" in (run.folder / "graph.dot").read_text()


# --binarize


def test_binarized():
    grey = np.random.RandomState(1).uniform(0, 1, (400, 30)).astype("f")
    grey[:, :3] = 0, 1, 0.5
    np.testing.assert_array_equal(binarized(grey, "threshold"), np.where(grey > 0.5, 1, 0))
    assert binarized(grey, "none") is grey
    once = binarized(grey, "stochastic")
    expected = np.random.RandomState(0).random_sample(grey.shape) < grey
    np.testing.assert_array_equal(once, expected)
    assert once.dtype == np.float32 and not once[:, 0].any() and once[:, 1].all()
    np.testing.assert_array_equal(binarized(once, "stochastic"), once)
    # Each pixel is 1 as often as x says: 5 standard deviations of the mean of 400 x 400 draws.
    mean = np.mean([binarized(grey, "stochastic", generator_of(0, i)) for i in range(400)], axis=0)
    assert abs((mean - grey).mean()) < 5 * 0.5 / 400 / np.sqrt(30)
    assert abs(mean - grey).max() < 5.5 * 0.5 / 20
    with pytest.raises(InputError, match="how must be one of none, threshold, stochastic"):
        binarized(grey, "otsu")
    with pytest.raises(InputError, match=r"images must be in \[0, 1\], but go from 0 to 255"):
        binarized(grey * 255, "threshold")
    with pytest.raises(TypeError, match="class RandomState, not int"):
        binarized(grey, "stochastic", 5)


def test_images_are_binarized_in_blocks(monkeypatch):
    grey = np.random.RandomState(1).uniform(0, 1, (70, 30))
    whole = binarized(grey, "stochastic")
    monkeypatch.setattr("chainer_vae.binarization.BLOCK", 100)  # 3 images
    np.testing.assert_array_equal(binarized(grey, "stochastic"), whole)
    np.testing.assert_array_equal(binarized(grey[:4], "stochastic"), whole[:4])


@pytest.mark.parametrize("how", ["threshold", "stochastic"])
@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_the_loop_with_binarized_images(how, engine, small_set, tmp_path):
    """Against the loop written out: other images, but the same order and the same noise."""
    run = Run.start(config(small_set, binarize=how, epoch=3, engine=engine), tmp_path / "run")
    assert run.backend.name == engine
    finish(run)
    grey = load_mnist(small_set)
    test_images = binarized(grey.test_images, how)
    np.testing.assert_array_equal(run.test_images, test_images)
    np.random.seed(5)
    model = build_model(run.config, 784)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    for epoch in range(3):
        perm = np.random.permutation(250)
        images = binarized(grey.train_images, how, generator_of(5, epoch))[perm]
        losses = []
        for i in range(0, 250, 100):
            x = images[i : i + 100]
            optimizer.update(model.get_loss_func(), x)
            losses.append(float(model.loss.array) * len(x))
        entry = run.log[epoch]
        assert entry["main/loss"] == pytest.approx(sum(losses) / 250, rel=1e-6)
        with chainer.no_backprop_mode():
            loss = model.get_loss_func(k=10)(test_images)
        assert entry["validation/main/loss"] == pytest.approx(float(loss.array), rel=1e-6)


def test_threads_change_no_digit_of_a_binarized_run(small_set, tmp_path):
    runs = []
    for threads in (1, 3):
        settings = config(small_set, binarize="stochastic", epoch=2, engine="fused")
        with threadpool_limits(threads, "blas"):
            runs.append(Run.start(settings, tmp_path / str(threads)))
            finish(runs[-1])
    assert_same(*runs)


@pytest.mark.parametrize("how", ["threshold", "stochastic"])
def test_a_binarized_run_is_shown_and_measured_on_its_images(how, small_set, tmp_path, capsys):
    folder = tmp_path / "run"
    settings = ["--dimz", "2", "--dim-h", "8", "--epoch", "1", "--dataset", str(small_set)]
    assert main(["train", *settings, "--binarize", how, "--out", str(folder)]) == 0
    words = f", binarized ({how})"
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("epoch   1") and lines[2].endswith(words)
    assert f"nats per image{words} (not comparable" in lines[3]
    data = load_run_data(folder)
    for images in (data.train_images, data.test_images):
        assert set(images.flat) == {0, 1}
    model, _ = load_model(folder)

    assert main(["evaluate", str(folder), "--iw", "5", "--images", "20"]) == 0
    out = capsys.readouterr().out
    assert out.count(f"nats per image{words}\n") == 2
    np.random.seed(0)
    assert f"{evaluate(model, data.test_images[:20]).loss:10.3f}" in out

    for other in ([], ["--dataset", str(small_set)]):
        out = tmp_path / "latents.npz"
        command = ["encode", str(folder), "--set", "train", "--out", str(out), *other]
        assert main(command) == 0
        assert f"training images{words}" in capsys.readouterr().out
        with np.load(out) as found:
            expected = encode(model, data.train_images)[0]
            np.testing.assert_array_equal(found["mu"], expected)
    (spec,) = (spec for spec in all_figures() if spec.id == "learning-curve")
    curve = draw(spec, Context("en", {"z20": folder}))
    assert curve.axes[0].get_ylabel() == f"loss, nats per image{words}"
    assert main(["reconstruct", str(folder), "--n", "2", "--out", str(tmp_path / "a.png")]) == 0
    assert f"-ln p(x|mu), nats{words}" in capsys.readouterr().out


def test_a_binarized_run_is_not_taken_for_the_same_images(small_set, tmp_path):
    infos = []
    for how in BINARIZE:
        Run.start(config(small_set, binarize=how), tmp_path / how)
        infos.append(load_info(tmp_path / how))
    for one in infos:
        assert [same_images(one, other) for other in infos].count(True) == 1
    mnist = [replace(load_info(find_run("z20")), config=Config(binarize=how)) for how in BINARIZE]
    assert not same_images(mnist[0], mnist[1]) and same_images(mnist[2], mnist[2])


def test_images_that_were_not_binarized(small_set):
    settings = config(small_set, binarize="threshold")
    with pytest.raises(InputError, match="test_images must be binarized, as load_data does it"):
        Training(settings, load_mnist(small_set))
