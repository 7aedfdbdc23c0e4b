"""ln p(x) by importance sampling, where it can be computed otherwise, too; and q(z)."""

import itertools
import math

import chainer.functions as F
import numpy as np
import pytest
from chainer.functions.loss.vae import gaussian_kl_divergence
from conftest import little_memory
from threadpoolctl import threadpool_limits

from chainer_vae import VAE, Autoencoder, InputError, encode, evaluate, likelihood, posterior
from chainer_vae.engine import unsupported
from chainer_vae.likelihood import importance_bounds, log_likelihood, log_mean_exp, sizes_up_to

ACTIVATIONS = (F.softplus, F.tanh, F.relu, F.sigmoid)
PIXELS = 4
BINARY = np.array(list(itertools.product((0, 1), repeat=PIXELS)), np.float32)  # all images


def make(n_in=PIXELS, n_latent=1, n_h=5, act_func=F.softplus, dtype=np.float32, seed=0):
    """A VAE with weights so large that z matters."""
    np.random.seed(seed)
    model = VAE(n_in, n_latent, n_h, act_func)
    random = np.random.RandomState(seed)
    for name, param in sorted(model.namedparams()):
        scale = 0.3 if "le" in name else 1.5
        param.array = (scale * random.standard_normal(param.shape) / np.sqrt(n_h)).astype(dtype)
    return model


def log_p_by_quadrature(model, images):
    """ln p(x), by sums over a fine grid of z, with NumPy alone."""

    def layer(link, h):
        return h @ link.W.array.astype(float).T + link.b.array

    n_latent = model.ld1.W.shape[1]
    side = np.linspace(-9, 9, 301)
    z = np.stack(np.meshgrid(*[side] * n_latent), axis=-1).reshape(-1, n_latent)
    h = z
    for link in (model.ld1, model.ld2):
        h = np.log1p(np.exp(layer(link, h)))
    p = 1 / (1 + np.exp(-layer(model.ld3, h)))  # (points, pixels)
    prior = np.exp(-(z**2).sum(axis=1) / 2) / (2 * np.pi) ** (n_latent / 2)
    cell = (side[1] - side[0]) ** n_latent
    x = images[:, None].astype(float)
    of_x = np.prod(np.where(x == 1, p, 1 - p), axis=2)  # (images, points)
    return np.log(of_x @ prior * cell)


@pytest.mark.parametrize("n_latent", [1, 2])
def test_it_is_the_integral_over_the_latent_space(n_latent):
    model = make(n_latent=n_latent)
    expected = log_p_by_quadrature(model, BINARY)
    assert np.exp(expected).sum() == pytest.approx(1, abs=1e-6)
    assert expected.std() > 0.5  # no two alike
    found = log_likelihood(model, BINARY, k=20_000)
    np.testing.assert_allclose(found.of_images, expected, atol=0.03)
    assert np.exp(found.of_images).sum() == pytest.approx(1, abs=0.01)
    assert found.mean == pytest.approx(expected.mean(), abs=0.01)
    assert found.mean - found.bounds[1] > 0.05  # which the ELBO is not


@pytest.mark.parametrize("width, tolerance", [(1.0, 1e-9), (1.4, 0.02)])
def test_a_linear_gaussian_model(width, tolerance):
    """x = W z + noise: p(x) is a Gaussian.  With its posterior for q(z|x), every weight is p(x)."""
    random = np.random.RandomState(0)
    W, x, noise = random.standard_normal((5, 2)), random.standard_normal(5), 0.5
    covariance = W @ W.T + noise**2 * np.eye(5)
    _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    expected = -(x @ np.linalg.solve(covariance, x) + log_det) / 2

    precision = np.eye(2) + W.T @ W / noise**2
    mean = np.linalg.solve(precision, W.T @ x) / noise**2
    root = width * np.linalg.cholesky(np.linalg.inv(precision))
    eps = random.standard_normal((50_000, 2))
    z = mean + eps @ root.T

    def log_normal(squares, n, log_sigmas):
        return -squares.sum(axis=1) / 2 - n * np.log(2 * np.pi) / 2 - log_sigmas

    log_weights = (
        log_normal(((x - z @ W.T) / noise) ** 2, 5, 5 * np.log(noise))
        + log_normal(z**2, 2, 0)
        - log_normal(eps**2, 2, np.log(np.diag(root)).sum())
    )
    sizes = [1, 5, 50, 500, 5000, 50_000]
    bounds = importance_bounds(log_weights, sizes)
    assert bounds[-1] == pytest.approx(expected, abs=tolerance)
    # The ELBO is below by KL[q || posterior], in two dimensions width^2 - 1 - 2 ln(width).
    gap = width**2 - 1 - 2 * np.log(width)
    assert bounds[0] == pytest.approx(expected - gap, abs=tolerance)


def test_the_bounds_rise_from_the_elbo(mnist):
    model = make(784, 3, 16)
    images = mnist.test_images[:8]
    found = log_likelihood(model, images, k=5000)
    bounds = list(found.bounds.values())
    assert list(found.bounds) == sizes_up_to(5000) == [1, 5, 50, 500, 5000]
    assert bounds == sorted(bounds) and bounds[-1] == found.mean
    assert found.of_images.mean() == pytest.approx(found.mean, rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(found.of_images, ddof=1) / math.sqrt(8))
    assert found.mean - found.bounds[1] > 1


@pytest.mark.parametrize("n_latent", [1, 2])
def test_the_bound_of_one_sample_is_the_elbo(n_latent):
    model = make(n_latent=n_latent)
    evaluation = evaluate(model, BINARY, k=50_000, random=np.random.RandomState(5))
    found = log_likelihood(model, BINARY, k=50_000)
    assert found.bounds[1] == pytest.approx(-evaluation.loss, abs=0.006)


def test_bounds_of_groups_that_do_not_fit():
    """The rest of the weights is left out."""
    weights = np.array([1.0, 3.0, 2.0, 6.0, 1e9])
    found = importance_bounds(np.log(weights), [2, 3, 5])
    expected = [(np.log(2) + np.log(4)) / 2, np.log(2), np.log(weights.mean())]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("shift", [-1e5, 0, 1e5])
def test_weights_of_any_size(shift):
    logs = np.random.RandomState(0).normal(0, 2, (3, 100))
    found = log_mean_exp(logs + shift) - shift
    np.testing.assert_allclose(found, np.log(np.exp(logs).mean(axis=1)), atol=1e-9)
    np.testing.assert_allclose(importance_bounds(logs[0] + shift, [100]) - shift, found[:1])


def test_the_largest_numbers_of_samples():
    assert sizes_up_to(10**6) == [1, 5, 50, 500, 5000, 50_000, 500_000, 10**6]


def test_weights_that_are_nothing_or_all():
    """A warning would be an error."""
    assert log_mean_exp(np.array([-np.inf, -np.inf])) == -np.inf
    assert log_mean_exp(np.array([-np.inf, 0.0])) == pytest.approx(-np.log(2))
    assert log_mean_exp(np.array([-1e5, 0.0])) == pytest.approx(-np.log(2))
    assert log_mean_exp(np.array([np.inf, 0.0])) == np.inf
    assert np.isnan(log_mean_exp(np.array([np.nan, 0.0])))


def test_an_image_that_the_model_holds_for_impossible():
    """Logits of -100,000 for white pixels: ln p(x) is -400,000 in every sample."""
    model = make()
    model.ld3.W.array[...] = 0
    model.ld3.b.array[...] = -1e5
    for fused in (True, False):
        found = log_likelihood(model, np.ones((2, PIXELS), np.float32), k=50, fused=fused)
        assert found.mean == pytest.approx(-4e5, rel=1e-5)


@pytest.mark.parametrize("act_func", ACTIVATIONS, ids=lambda f: f.__name__)
def test_the_engine_goes_chainers_way(act_func, mnist, monkeypatch):
    model = make(784, 3, 32, act_func)
    images = mnist.test_images[:5]
    expected = log_likelihood(model, images, k=600, fused=False)
    monkeypatch.setattr(likelihood, "_log_weights_by_chainer", None)
    found = log_likelihood(model, images, k=600)
    np.testing.assert_allclose(found.of_images, expected.of_images, rtol=1e-5)
    assert found.bounds == pytest.approx(expected.bounds, rel=1e-5)


def test_a_model_that_the_engine_does_not_know(mnist):
    softplus = make(784, 3, 16)
    model = make(784, 3, 16)
    model.act_func = lambda a: F.softplus(a)
    assert unsupported(model) and not unsupported(softplus)
    images = mnist.test_images[:3]
    found, expected = (log_likelihood(m, images, k=50).of_images for m in (model, softplus))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_single_and_double_precision(mnist):
    single, double = (make(784, 3, 16, dtype=dtype) for dtype in ("f4", "f8"))
    found, expected = (
        log_likelihood(model, mnist.test_images[:5].astype(model.le1.W.dtype), k=500)
        for model in (single, double)
    )
    np.testing.assert_allclose(found.of_images, expected.of_images, rtol=1e-5)
    assert found.of_images.dtype == np.float64
    assert not unsupported(double)


@pytest.mark.parametrize("fused", [True, False])
def test_blocks_change_rounding_alone(fused, mnist, monkeypatch):
    model = make(784, 3, 16)
    results = []
    for block in (500, 7, 1):
        monkeypatch.setattr(likelihood, "BLOCK", block)
        results.append(log_likelihood(model, mnist.test_images[:3], k=60, fused=fused).of_images)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-6)


def test_threads_change_no_digit_and_other_images_rounding_alone(mnist):
    model = make(784, 3, 16)
    images = mnist.test_images[:7]
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            results.append(log_likelihood(model, images, k=600).of_images.tolist())
    assert results[0] == results[1]
    alone = log_likelihood(model, images[:3], k=600).of_images
    np.testing.assert_allclose(alone, results[0][:3], rtol=1e-6)


def test_its_noise_is_of_the_seed_alone(mnist):
    model = make(784, 3, 16)
    images = mnist.test_images[:2]
    results = []
    for seed, others in ((3, 0), (3, 1), (4, 0)):
        np.random.seed(others)
        results.append(log_likelihood(model, images, k=10, seed=seed).of_images.tolist())
        assert np.random.standard_normal() == np.random.RandomState(others).standard_normal()
    assert results[0] == results[1] != results[2]
    twice = log_likelihood(model, images[[0, 0]], k=10)
    assert twice.of_images[0] != twice.of_images[1]  # of the same image, with other noise


@pytest.mark.parametrize("fused", [True, False])
def test_memory_is_bounded(fused):
    """10,000 samples decoded at once would take 30 MB for each of several arrays."""
    model = make(784, 2, 3)
    images = np.random.RandomState(0).rand(2, 784).astype("f4")
    log_likelihood(model, images, k=2, fused=fused)  # what is loaded once
    with threadpool_limits(2, user_api="blas"), little_memory(20e6):
        log_likelihood(model, images, k=10_000, fused=fused)


def test_progress_is_told_of_each_image(mnist):
    told = []
    found = log_likelihood(make(784), mnist.test_images[:5], k=2, progress=lambda: told.append(1))
    assert len(told) == 5 == len(found.of_images)


@pytest.mark.parametrize("fused", [True, False])
def test_an_overflow_shows_in_the_result_alone(fused):
    """A warning would be an error."""
    model = make()
    model.le3_ln_var.b.array[...] = 1000
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            assert not np.isfinite(log_likelihood(model, BINARY, k=600, fused=fused).mean)


def test_one_image_has_no_standard_error():
    found = log_likelihood(make(), BINARY[:1], k=5)
    assert np.isfinite(found.mean) and np.isnan(found.standard_error)


@pytest.mark.parametrize(
    "error, words, settings",
    [
        (InputError, "k must be a whole number from 1 to 1000000, not 0", {"k": 0}),
        (InputError, "k must be a whole number from 1 to 1000000, not 1000001", {"k": 1_000_001}),
        (InputError, "k must be a whole number from 1 to 1000000, not 2.0", {"k": 2.0}),
        (InputError, "seed must be a whole number from 0 to 4294967295, not -1", {"seed": -1}),
        (InputError, "fused must be true or false, not 1", {"fused": 1}),
        (InputError, "images must be in [0, 1], but go from 0 to 255", {"images": 255 * BINARY}),
        (ValueError, "log_likelihood needs at least one image", {"images": BINARY[:0]}),
        (ValueError, "images has shape (16, 3)", {"images": BINARY[:, :3]}),
        (TypeError, "images has dtype int64", {"images": BINARY.astype("i8")}),
        (
            TypeError,
            "log_likelihood needs an object of class VAE, not Autoencoder",
            {"model": Autoencoder(PIXELS, 2, 3)},
        ),
    ],
)
def test_what_cannot_be_meant(error, words, settings):
    with pytest.raises(error) as raised:
        log_likelihood(**{"model": make(), "images": BINARY, "k": 2, **settings})
    assert words in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: importance_bounds(np.zeros(3), [4]), "a size must be a whole number from 1 to 3"),
        (lambda: importance_bounds(np.zeros(3), [0]), "a size must be a whole number from 1 to 3"),
        (lambda: importance_bounds(np.zeros(3), None), "sizes must be an array of whole numbers"),
        (lambda: importance_bounds(np.zeros((3, 1)), [1]), "log_weights must have the shape (k,)"),
        (lambda: log_mean_exp(np.zeros((3, 0))), "needs numbers along the last axis"),
        (lambda: log_mean_exp("x"), "a must be an array of numbers"),
        (lambda: sizes_up_to(0), "k must be a whole number from 1"),
        (lambda: likelihood.standard_error(np.zeros(0)), "needs at least one number"),
        (lambda: posterior.dimensions(np.zeros((0, 2)), np.zeros((0, 2))), "same shape, of one"),
        (lambda: posterior.decompose(np.zeros((3, 2)), np.zeros((3, 1))), "(3, 2) and (3, 1)"),
        (lambda: posterior.decompose(np.zeros(3), np.zeros(3)), "mu must have the shape (number"),
        (lambda: posterior.decompose(np.zeros((3, 1)), np.zeros((3, 1)), -1), "seed must be a"),
        (
            lambda: posterior.decompose(np.zeros((3, 1)), np.zeros((3, 1)), 2**32),
            "seed must be a whole number from 0 to 4294967295",
        ),
        (lambda: posterior.largest_correlation("x", "y"), "mu must be an array of numbers"),
    ],
)
def test_arrays_that_cannot_be_meant(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value) and "\n" not in str(raised.value)


# The aggregate posterior


def latents(n, n_latent, spread=1.5):
    random = np.random.RandomState(0)
    return spread * random.standard_normal((n, n_latent)), random.uniform(-3, 0, (n, n_latent))


def test_each_latent_dimension(mnist):
    model = make(784, 3, 16)
    images = mnist.test_images[:200]
    mu, ln_var = encode(model, images)
    found = posterior.dimensions(mu, ln_var)
    elementwise = gaussian_kl_divergence(mu, ln_var, reduce="no").array
    np.testing.assert_allclose(found.kl, elementwise.mean(axis=0), rtol=1e-5)
    assert found.kl.sum() == pytest.approx(evaluate(model, images).kl, rel=1e-5)
    z = mu + np.exp(ln_var / 2) * np.random.RandomState(1).standard_normal((2000, *mu.shape))
    z = z.reshape(-1, 3)  # from q(z)
    np.testing.assert_allclose(found.mean, z.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.variance, z.var(axis=0), rtol=0.01)


def test_active_dimensions_by_both_definitions():
    """The first is far from the prior, in the same place for every image; the second, no more than
    it moves; the last is the prior."""
    mu = np.array([[3, 0.2, 0], [3, -0.2, 0]])
    found = posterior.dimensions(mu, np.zeros((2, 3)))
    assert found.active.tolist() == [False, True, False]
    assert found.active_by_kl.tolist() == [True, False, False]
    np.testing.assert_allclose(found.kl, [4.5, 0.02, 0], atol=1e-12)


def test_the_marginal_kl_is_the_integral():
    """Over one latent dimension, on a fine grid."""
    mu, ln_var = latents(3000, 1)
    z = np.linspace(-12, 12, 4001)
    densities = np.exp(-((z - mu) ** 2) / np.exp(ln_var) / 2 - ln_var / 2) / np.sqrt(2 * np.pi)
    q = densities.mean(axis=0)
    prior = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    expected = np.sum(q * np.log(q / prior)) * (z[1] - z[0])
    found = posterior.decompose(mu, ln_var)
    assert 0 < found.standard_error < 0.03
    assert found.marginal_kl == pytest.approx(expected, abs=3 * found.standard_error)
    assert found.mutual_information + found.marginal_kl == pytest.approx(found.kl)
    assert found.kl == pytest.approx(posterior.dimensions(mu, ln_var).kl.sum())
    assert found != posterior.decompose(mu, ln_var, seed=1)


def test_mutual_information_from_nothing_to_all():
    mu, ln_var = latents(50, 3)
    alike = posterior.decompose(np.repeat(mu[:1], 50, axis=0), np.repeat(ln_var[:1], 50, axis=0))
    assert alike.mutual_information == pytest.approx(0, abs=1e-12)
    assert alike.marginal_kl == pytest.approx(alike.kl) and alike.kl > 1
    apart = posterior.decompose(1000 * mu, ln_var - 10)
    assert apart.mutual_information == pytest.approx(np.log(50)) == apart.largest_information
    assert apart.standard_error == pytest.approx(0, abs=1e-9)
    one = posterior.decompose(mu[:1], ln_var[:1])
    assert one.mutual_information == pytest.approx(0, abs=1e-12)
    assert one.largest_information == 0 and np.isnan(one.standard_error)


def test_blocks_and_numpys_generator_do_not_matter_to_it(monkeypatch):
    mu, ln_var = latents(101, 3)
    results = []
    for number, pairs in enumerate((2**18, 1000, 1)):
        monkeypatch.setattr(posterior, "PAIRS", pairs)
        np.random.seed(number)
        results.append(posterior.decompose(mu, ln_var))
    assert results[1] == pytest.approx(results[0], rel=1e-12)
    assert results[2] == pytest.approx(results[0], rel=1e-12)


def test_memory_of_the_aggregate_posterior_is_bounded():
    """All pairs of 3,000 images would take 72 MB."""
    mu, ln_var = latents(3000, 4)
    with little_memory(12e6):
        posterior.decompose(mu, ln_var)


def test_the_largest_correlation_is_that_of_samples():
    random = np.random.RandomState(0)
    mu = random.standard_normal((400, 4)) @ random.standard_normal((4, 4))
    mu[:, 3] = mu[:, 0] * 1e-3  # not active
    ln_var = random.uniform(-3, 0, mu.shape)
    z = mu + np.exp(ln_var / 2) * random.standard_normal((1000, *mu.shape))
    correlations = np.corrcoef(z.reshape(-1, 4)[:, :3].T) - np.eye(3)
    found = posterior.largest_correlation(mu, ln_var)
    assert found == pytest.approx(np.abs(correlations).max(), abs=0.01)
    assert np.isnan(posterior.largest_correlation(mu[:, [0, 3]], ln_var[:, [0, 3]]))


@pytest.mark.parametrize("mean, log_variance", [(np.inf, 0), (np.nan, 0), (0, 1e5), (1e200, 0)])
def test_posteriors_that_overflowed(mean, log_variance):
    """A warning would be an error."""
    mu, ln_var = latents(4, 2)
    mu[0], ln_var[1] = mean, log_variance
    assert not np.isfinite(posterior.dimensions(mu, ln_var).kl).any()
    assert not np.isfinite(posterior.decompose(mu, ln_var).kl)
    assert not posterior.largest_correlation(mu, ln_var) > 1
