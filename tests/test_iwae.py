"""The bound by weighted samples, and its gradient."""

import chainer
import chainer.functions as F
import numpy as np
import pytest
from conftest import assert_numerical_gradients
from test_training import config, finish

from chainer_vae import VAE, Autoencoder, Run
from chainer_vae.decoders import GaussianVAE, build_model
from chainer_vae.iwae import iwae_loss_func
from chainer_vae.likelihood import importance_bounds


def make(kind=VAE):
    np.random.seed(3)
    with chainer.using_config("dtype", np.dtype("f8")):
        return kind(12, 2, 5, F.tanh)


X = np.random.RandomState(4).uniform(0, 1, (6, 12))


def log_weights_by_hand(model, k):
    """ln w and -ln p(x|z) of each sample and image, shape (k, B), from densities written out."""
    mu, ln_var = (each.array for each in model.encode(X))
    sigma = np.exp(ln_var / 2)
    found, nlls = [], []
    for _ in range(k):
        z = mu + sigma * np.random.standard_normal(mu.shape)
        y = model.decode(z).array
        log_p = (X * np.log(y) + (1 - X) * np.log(1 - y)).sum(axis=1)
        log_prior = (-(z**2) / 2 - np.log(2 * np.pi) / 2).sum(axis=1)
        log_q = -((z - mu) ** 2) / (2 * sigma**2) - np.log(2 * np.pi) / 2 - np.log(sigma)
        found.append(log_p + log_prior - log_q.sum(axis=1))
        nlls.append(-log_p)
    return np.array(found), np.array(nlls)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_the_loss_is_the_bound(k):
    model = make()
    np.random.seed(7)
    log_weights, nlls = log_weights_by_hand(model, k)
    expected = -np.mean([importance_bounds(of_image, [k]) for of_image in log_weights.T])
    np.random.seed(7)
    loss = iwae_loss_func(model, k)(X)
    assert loss.shape == () and loss is model.loss
    assert float(loss.array) == pytest.approx(expected, rel=1e-12)
    assert float(model.rec_loss.array) == pytest.approx(nlls.mean(), rel=1e-12)


@pytest.mark.parametrize("kind", [VAE, GaussianVAE])
def test_every_gradient(kind):
    """Against differences of the losses, with the same noise."""
    model = make(kind)

    def loss():
        np.random.seed(7)
        return iwae_loss_func(model, 4)(X)

    assert_numerical_gradients(model, loss)


def test_the_gradient_is_that_of_each_sample_by_its_normalized_weight():
    """Burda et al., equation 14, by the logits' bias: d(-ln p(x|z)) / db = y - x."""
    model, k = make(), 5
    np.random.seed(7)
    log_weights, _ = log_weights_by_hand(model, k)
    shares = np.exp(log_weights - np.logaddexp.reduce(log_weights, axis=0))
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    np.random.seed(7)
    mu, ln_var = (each.array for each in model.encode(X))
    expected = np.zeros(12)
    for share in shares:
        z = mu + np.exp(ln_var / 2) * np.random.standard_normal(mu.shape)
        expected += (share[:, None] * (model.decode(z).array - X)).mean(axis=0)
    np.random.seed(7)
    model.cleargrads()
    iwae_loss_func(model, k)(X).backward()
    np.testing.assert_allclose(model.ld3.b.grad, expected, rtol=1e-9)


def test_weights_beyond_what_floats_can_be():
    model = make()
    model.ld3.b.array[:] = 500  # ln w of about -3,000: e^ of it is 0
    model.cleargrads()
    loss = iwae_loss_func(model, 3)(X)
    loss.backward()
    assert np.isfinite(loss.array) and np.isfinite(model.le1.W.grad).all()


def test_what_it_refuses():
    with pytest.raises(ValueError, match="k must be a whole number, 1 or more, not 0"):
        iwae_loss_func(make(), 0)
    with pytest.raises(TypeError, match="needs an object of class VAE, not Autoencoder"):
        iwae_loss_func(Autoencoder(12, 2, 5), 2)
    with pytest.raises(ValueError, match="x holds no images"):
        iwae_loss_func(make(), 2)(X[:0])


@pytest.mark.parametrize("engine", ["chainer", "fused"])
def test_a_run(engine, small_set, tmp_path):
    """The training loss is the bound; the test loss stays the negative ELBO."""
    settings = config(small_set, objective="iwae", k=20, batchsize=250, epoch=1, engine=engine)
    run = Run.start(settings, tmp_path / "run")
    assert run.backend.name == engine
    np.random.seed(5)
    model = build_model(run.config, 784)
    images = run.images[np.random.permutation(250)]
    expected = float(iwae_loss_func(model, 20)(images).array)
    finish(run)
    (entry,) = run.log
    assert entry["main/loss"] == pytest.approx(expected, rel=1e-6)
    with chainer.no_backprop_mode():
        loss = run.model.get_loss_func(k=10)(run.test_images)
    assert entry["validation/main/loss"] == pytest.approx(float(loss.array), rel=2e-3)
