"""Pixels of other distributions than Bernoulli's."""

import math

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.gradient_check import check_backward
from conftest import assert_numerical_gradients
from test_training import config, finish

from chainer_vae import VAE, Run, encode, evaluate, latent, load_model
from chainer_vae.cli import main
from chainer_vae.decoders import (
    ContinuousBernoulliVAE,
    GaussianVAE,
    continuous_bernoulli_mean,
    log_normalizer,
)
from chainer_vae.errors import InputError
from chainer_vae.evaluation import reconstruction_errors
from chainer_vae.likelihood import log_likelihood
from chainer_vae.runs import choose_run

KINDS = {"continuous-bernoulli": ContinuousBernoulliVAE, "gaussian": GaussianVAE}
LOGITS = np.array([-40, -5, -0.31, -0.3, -0.29, -1e-4, 0, 1e-8, 0.2, 0.2999, 0.3001, 2, 30.0])
X = (np.arange(200_000) + 0.5) / 200_000  # midpoint rule: an integral is a mean


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_continuous_bernoulli_is_a_density_of_its_mean(dtype):
    a = LOGITS.astype(dtype)
    density = np.exp(a[:, None] * X - np.logaddexp(0, a[:, None]).astype(float))
    density *= np.exp(log_normalizer(a).array.astype(float))[:, None]
    rounding = 2e-6 if dtype == "f4" else 3e-7
    np.testing.assert_allclose(density.mean(axis=1), 1, rtol=rounding)
    means = (density * X).mean(axis=1)
    np.testing.assert_allclose(continuous_bernoulli_mean(a).array, means, rtol=rounding * 2)


@pytest.mark.parametrize("function", [log_normalizer, continuous_bernoulli_mean])
def test_gradients_near_and_far_from_0(function):
    a = LOGITS[(abs(abs(LOGITS) - 0.3) > 1e-5)]
    check_backward(function, a, np.ones_like(a), eps=1e-6, atol=1e-6, dtype="f8")
    far = function(chainer.Variable(np.float32([-300, 300])))
    assert np.isfinite(far.array).all()
    with pytest.raises(TypeError, match="a must be an array of floating-point numbers, not list"):
        function([1.0])


def make(kind, dtype="f8"):
    np.random.seed(3)
    with chainer.using_config("dtype", np.dtype(dtype)):
        return KINDS[kind](12, 2, 5, F.tanh)


def images(n=4, dtype="f8"):
    return np.random.RandomState(4).uniform(0, 1, (n, 12)).astype(dtype)


def by_hand(kind, model, x, a):
    """-ln p(x|z) of each pixel."""
    if kind == "gaussian":
        sigma = math.exp(10 * float(model.s.array))
        y = 1 / (1 + np.exp(-a))
        return (x - y) ** 2 / (2 * sigma**2) + math.log(sigma) + math.log(2 * math.pi) / 2
    a = np.where(a == 0, 1e-9, a)
    return np.logaddexp(0, a) - x * a - np.log(a / np.tanh(a / 2))


@pytest.mark.parametrize("kind", KINDS)
def test_every_gradient_of_the_loss(kind):
    """Against differences of the losses, with the same noise; of sigma, too."""
    model, x = make(kind), images()

    def loss():
        np.random.seed(7)
        return model.get_loss_func(C=0.7, k=2)(x)

    assert_numerical_gradients(model, loss)


@pytest.mark.parametrize("kind", KINDS)
def test_every_measure_has_that_distribution(kind):
    model, x = make(kind), images()
    mu, _ = encode(model, x)
    a = model.decode(mu, sigmoid=False).array
    expected = by_hand(kind, model, x, a)
    found = reconstruction_errors(model, x)
    np.testing.assert_allclose(found, expected.sum(axis=1), atol=2e-6)  # of the series
    mean = {"gaussian": F.sigmoid, "continuous-bernoulli": continuous_bernoulli_mean}[kind](a)
    np.testing.assert_allclose(latent.decode(model, mu), mean.array, rtol=1e-9)

    np.random.seed(1)
    found = evaluate(model, x, k=3)
    np.random.seed(1)
    mu, ln_var = (each.array for each in model.encode(x))
    rec_losses = []
    for _ in range(3):
        z = mu + np.exp(ln_var / 2) * np.random.standard_normal(mu.shape)
        rec_losses.append(by_hand(kind, model, x, model.decode(z, False).array).sum(axis=1).mean())
    assert found.rec_loss == pytest.approx(np.mean(rec_losses), abs=2e-6)
    # With many samples, ln p(x) is above the ELBO, and near the integral over a grid of z.
    found = log_likelihood(model, x, k=4000)
    z = latent.grid(101, 6.0).reshape(-1, 2)
    a = model.decode(z, False).array
    log_prior = -(z**2).sum(axis=1) / 2 - math.log(2 * math.pi) + 2 * math.log(12 / 100)
    for image, log_p in zip(x, found.of_images):
        log_joint = log_prior - by_hand(kind, model, image, a).sum(axis=1)
        assert log_p == pytest.approx(np.logaddexp.reduce(log_joint), abs=0.1)
    assert found.mean > found.bounds[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run(kind, small_set, tmp_path, capsys):
    folder = tmp_path / "run"
    settings = ["--dimz", "2", "--dim-h", "8", "--epoch", "1", "--dataset", str(small_set)]
    assert main(["train", *settings, "--likelihood", kind, "--out", str(folder)]) == 0
    words = f", {kind} (continuous: may be negative)"
    lines = capsys.readouterr().out.splitlines()
    assert f"VAE 784-8-8-2 (softplus, --likelihood {kind})" in lines[0]
    assert lines[1] == f"engine: Chainer's training loop (--likelihood {kind})"
    assert lines[2].endswith(words) and f"nats per image{words} (not comparable" in lines[3]
    model, _ = load_model(folder)
    assert type(model) is KINDS[kind]
    assert main(["evaluate", str(folder)]) == 0
    assert f"nats per image{words}" in capsys.readouterr().out
    for command, message in (
        (["export", str(folder), "--format", "npz"], "--format npz takes models with --likelihood"),
        (["export", str(folder), "--format", "torch"], "--format torch takes models with"),
        (["explore", "--run-z2", str(folder)], f"the page shows Bernoulli pixels, but {folder}"),
        (["train", "--resume", str(folder), "--engine", "fused"], "--engine fused is not possible"),
    ):
        assert main([*command, *(["--epoch", "2"] if command[0] == "train" else [])]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    run = Run.resume(folder, epoch=3)
    before = {name: param.array.copy() for name, param in run.model.namedparams()}
    assert len(finish(run)) == 2
    for name, param in run.model.namedparams():
        assert (param.array != before[name]).any(), name


def test_choose_run_takes_no_other_distribution(small_set, tmp_path, monkeypatch):
    monkeypatch.setattr("chainer_vae.runs.choose.same_images", lambda *infos: True)
    for kind, expected in (("gaussian", "package:z2"), ("bernoulli", tmp_path / "bernoulli")):
        settings = config(small_set, dimz=2, epoch=1, likelihood=kind)
        finish(Run.start(settings, tmp_path / kind))
        assert choose_run("z2", tmp_path) == expected


def test_a_replaced_likelihood_is_chainers(monkeypatch, small_set, tmp_path):
    run = Run.start(config(small_set), tmp_path / "run")
    monkeypatch.setattr(VAE, "_nll", VAE._nll.__get__)
    assert run.backend.reason == "VAE._nll has been replaced"


def test_an_autoencoder_has_no_likelihood(small_set):
    with pytest.raises(InputError, match="and no likelihood and objective: leave them out"):
        config(small_set, model="autoencoder", likelihood="gaussian")
