"""The plain autoencoder: the model, its training, and what refuses it; snapshots of a run."""

import chainer
import chainer.functions as F
import numpy as np
import pytest

from chainer_vae import Autoencoder, Config, InputError, Run, load_autoencoder, load_model
from chainer_vae.evaluation import squared_error
from chainer_vae.runs import load_snapshots
from chainer_vae.runs.folder import is_snapshot_epoch

SETTINGS = dict(dimz=3, dim_h=16, batchsize=100, seed=5)


def autoencoder(small_set, **changes):
    given = dict(model="autoencoder", epoch=4, dataset=str(small_set))
    return Config(**{**SETTINGS, **given, **changes})


def small_model():
    np.random.seed(0)
    with chainer.using_config("dtype", np.float64):
        return Autoencoder(12, 3, 7, F.tanh)


def loss_by_hand(model, x):
    h = x
    for name in ("le1", "le2", "le3", "ld1", "ld2", "ld3"):
        h = h @ model[name].W.array.T + model[name].b.array
        if name == "ld3":
            h = 1 / (1 + np.exp(-h))
        elif name != "le3":
            h = np.tanh(h)
    return ((h - x) ** 2).sum() / len(x), h


def test_an_overflow_shows_in_the_error_alone():
    model = Autoencoder(12, 3, 7, F.relu)
    model.le1.W.array[...] = 3e38
    assert not np.isfinite(squared_error(model, np.ones((5, 12), "f4")))


def test_loss_and_gradients():
    model, x = small_model(), np.random.RandomState(1).uniform(0, 1, (5, 12))
    expected, output = loss_by_hand(model, x)
    loss = model.get_loss_func()(x)
    assert loss is model.loss and float(loss.array) == pytest.approx(expected, rel=1e-12)
    assert squared_error(model, x, batchsize=2) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(model(x).array, output, rtol=1e-12)
    np.testing.assert_allclose(model.decode(model.encode(x)).array, output, rtol=1e-12)
    model.cleargrads()
    loss.backward()
    for param in (model.le1.W, model.le3.b, model.ld1.W, model.ld3.W):
        place = tuple(size // 2 for size in param.shape)
        param.array[place] += 1e-6
        above = loss_by_hand(model, x)[0]
        param.array[place] -= 2e-6
        below = loss_by_hand(model, x)[0]
        param.array[place] += 1e-6
        assert param.grad[place] == pytest.approx((above - below) / 2e-6, rel=1e-5)


def test_bad_input():
    model = small_model()
    with pytest.raises(ValueError, match="Autoencoder's n_latent must be a whole number"):
        Autoencoder(12, 0, 7)
    with pytest.raises(TypeError, match="act_func"):
        Autoencoder(12, 3, 7, None)
    with pytest.raises(ValueError, match=r"x has shape \(2, 11\)"):
        model.encode(np.zeros((2, 11)))
    with pytest.raises(ValueError, match="holds no images"):
        model.get_loss_func()(np.zeros((0, 12)))
    with pytest.raises(ValueError, match="at least one image"):
        squared_error(model, np.zeros((0, 12)))


@pytest.mark.parametrize("engine", ["fused", "chainer"])
def test_training_and_going_on(engine, small_set, tmp_path):
    whole = Run.start(autoencoder(small_set, engine=engine), tmp_path / "whole")
    log = list(whole.train())
    assert whole.backend.name == engine
    assert log[-1]["main/loss"] < log[0]["main/loss"] - 5
    assert log[-1]["main/loss"] == log[-1]["main/rec_loss"]
    model, config = load_autoencoder(tmp_path / "whole")
    assert config.model == "autoencoder"
    x = whole.test_images
    expected = ((model(x).array - x) ** 2).sum(axis=1).mean()
    assert log[-1]["validation/main/loss"] == pytest.approx(expected, rel=1e-6)

    list(Run.start(autoencoder(small_set, engine=engine, epoch=2), tmp_path / "run").train())
    list(Run.resume(tmp_path / "run", epoch=4).train())
    again, _ = load_autoencoder(tmp_path / "run")
    for (name, found), (_, param) in zip(again.namedparams(), model.namedparams()):
        np.testing.assert_array_equal(found.array, param.array, err_msg=name)


def test_what_is_not_for_it(small_set, tmp_path):
    with pytest.raises(InputError, match="no C and no k"):
        autoencoder(small_set, C=0.5)
    with pytest.raises(InputError, match="no C and no k"):
        autoencoder(small_set, C_warmup=2)
    with pytest.raises(InputError, match="model must be one of vae, autoencoder"):
        Config(model="gan")
    with pytest.raises(InputError, match="snapshots must be true or false"):
        Config(snapshots=1)
    run = Run.start(autoencoder(small_set, epoch=1), tmp_path / "run")
    with pytest.raises(InputError, match="has --model autoencoder, but --model vae is needed"):
        load_model(run.folder)
    with pytest.raises(InputError, match="has --model vae, but --model autoencoder is needed"):
        load_autoencoder("z2")
    with pytest.raises(InputError, match="has model 'autoencoder', not 'vae'"):
        Run.resume(run.folder, model="vae")


@pytest.mark.parametrize("model", ["vae", "autoencoder"])
def test_snapshots(model, small_set, tmp_path):
    """Of each epoch that is kept: the model that a run of so many epochs ends with."""
    run = Run.start(autoencoder(small_set, model=model, snapshots=True), tmp_path / "run")
    list(run.train())
    for name in ("epoch_03.model", "epoch_٣.model", "epoch_x.model", "epoch_9.model"):
        (run.folder / "snapshots" / name).touch()  # none of ours: passed over
    kept = dict(load_snapshots(run.folder))
    assert list(kept) == [0, 1, 2, 3]
    short = Run.start(autoencoder(small_set, model=model, epoch=2), tmp_path / "short")
    first = {name: param.array.copy() for name, param in short.model.namedparams()}
    list(short.train())
    for name, param in short.model.namedparams():
        np.testing.assert_array_equal(dict(kept[0].namedparams())[name].array, first[name])
        np.testing.assert_array_equal(dict(kept[2].namedparams())[name].array, param.array)
    assert list(load_snapshots(short.folder)) == []


def test_snapshots_from_where_a_run_goes_on(small_set, tmp_path):
    list(Run.start(autoencoder(small_set, epoch=2), tmp_path / "run").train())
    list(Run.resume(tmp_path / "run", epoch=7, snapshots=True).train())
    assert [epoch for epoch, _ in load_snapshots(tmp_path / "run")] == [3, 5, 7]


def test_which_epochs_are_kept():
    kept = [epoch for epoch in range(2001) if is_snapshot_epoch(epoch)]
    assert kept[:12] == [0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70]
    assert kept[12:] == [100, 150, 200, 300, 500, 700, 1000, 1500, 2000]
