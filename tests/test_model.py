"""The model against formulas written by hand in NumPy."""

import math

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer import gradient_check

from chainer_vae import VAE, Xavier

ACTIVATIONS = {
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "tanh": lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)),
    "relu": lambda a: np.where(a > 0, a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}
LINKS = ("le1", "le2", "le3_mu", "le3_ln_var", "ld1", "ld2", "ld3")


def small_model(act="tanh", dtype=np.float64, seed=0):
    np.random.seed(seed)
    with chainer.using_config("dtype", dtype):
        model = VAE(12, 3, 7, getattr(F, act))
    for name, param in sorted(model.namedparams()):
        if name.endswith("/b"):  # which starts at 0
            param.array[...] = np.random.normal(0, 0.1, param.shape)
    return model


def images(n=5, dtype=np.float64):
    return np.random.RandomState(1).uniform(0, 1, (n, 12)).astype(dtype)


def losses_by_hand(model, act, x, noise, C):
    """-ELBO term by term, from probabilities; ``noise`` has one array for each sample."""
    a = ACTIVATIONS[act]
    layers = {name: (model[name].W.array, model[name].b.array) for name in LINKS}

    def linear(name, h):
        W, b = layers[name]
        return h @ W.T + b

    h = a(linear("le2", a(linear("le1", x))))
    mu, sigma = linear("le3_mu", h), np.exp(linear("le3_ln_var", h) / 2)
    rec_losses = []
    for eps in noise:
        y = 1 / (1 + np.exp(-linear("ld3", a(linear("ld2", a(linear("ld1", mu + sigma * eps)))))))
        log_likelihood = (x * np.log(y) + (1 - x) * np.log(1 - y)).sum(axis=1)
        rec_losses.append(-log_likelihood.mean())
    kl = 0.5 * (mu**2 + sigma**2 - np.log(sigma**2) - 1).sum(axis=1).mean()
    return np.mean(rec_losses), C * kl


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize(("C", "k"), [(1.0, 1), (0.3, 4)])
def test_losses(act, C, k):
    model, x = small_model(act), images()
    np.random.seed(2)
    loss = model.get_loss_func(C, k)(x)
    np.random.seed(2)
    noise = [np.random.standard_normal((len(x), 3)) for _ in range(k)]
    rec_loss, latent_loss = losses_by_hand(model, act, x, noise, C)
    assert float(model.rec_loss.array) == pytest.approx(rec_loss, rel=1e-12)
    assert float(model.latent_loss.array) == pytest.approx(latent_loss, rel=1e-12)
    assert float(loss.array) == pytest.approx(rec_loss + latent_loss, rel=1e-12)
    assert model.loss is loss


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_gradients(act):
    """Every element of every gradient, against differences of the losses by hand."""
    model, x, C, k = small_model(act), images(), 0.7, 2
    np.random.seed(3)
    loss = model.get_loss_func(C, k)(x)
    model.cleargrads()
    loss.backward()
    np.random.seed(3)
    noise = [np.random.standard_normal((len(x), 3)) for _ in range(k)]
    h = 1e-6
    for name, param in model.namedparams():
        numerical = np.empty_like(param.array)
        for i in np.ndindex(param.shape):
            value = param.array[i]
            ends = []
            for shifted in (value + h, value - h):
                param.array[i] = shifted
                ends.append(sum(losses_by_hand(model, act, x, noise, C)))
            param.array[i] = value
            numerical[i] = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(param.grad, numerical, rtol=1e-5, atol=1e-8, err_msg=name)


def test_gradients_by_chainers_own_check():
    model = small_model("softplus")

    def loss(x, *params):
        np.random.seed(4)
        return model.get_loss_func(1.3, 2)(x)

    gradient_check.check_backward(
        loss, (images(),), None, params=tuple(model.params()), eps=1e-5, rtol=1e-5, atol=1e-7
    )


def test_kl_is_an_expectation():
    """D_KL = E_q[ln q(z) - ln p(z)], by sampling."""
    model, x = small_model(), images(2)
    mu, ln_var = (v.array for v in model.encode(x))
    model.get_loss_func()(x)
    random = np.random.RandomState(5)
    n = 400_000
    totals = []
    for m, s in zip(mu, np.exp(ln_var / 2)):
        z = m + s * random.standard_normal((n, 3))
        log_q = -0.5 * (((z - m) / s) ** 2 + np.log(2 * np.pi * s**2)).sum(axis=1)
        log_p = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=1)
        totals.append(log_q - log_p)
    estimate = np.mean(totals)
    error = math.sqrt(sum(t.var() for t in totals) / n) / 2
    assert error < 0.01
    assert abs(float(model.latent_loss.array) - estimate) < 4 * error


def test_encode_decode_and_call():
    model, x = small_model(), images()
    mu, ln_var = model.encode(x)
    assert mu.shape == ln_var.shape == (5, 3)
    logits = model.decode(mu, sigmoid=False)
    probabilities = model.decode(mu)
    assert logits.shape == probabilities.shape == (5, 12)
    np.testing.assert_allclose(probabilities.array, 1 / (1 + np.exp(-logits.array)), rtol=1e-12)
    np.testing.assert_array_equal(model(x).array, probabilities.array)
    np.testing.assert_array_equal(model(x, sigmoid=False).array, logits.array)


def test_graph_has_the_articles_names():
    model = small_model(dtype=np.float32)
    loss = model.get_loss_func()(images(dtype=np.float32))
    dump = chainer.computational_graph.build_computational_graph([loss]).dump()
    for name in (
        "x", "enc_h1", "enc_h2", "z_mu", "z_ln_var", "z", "dec_h1", "dec_h2", "dec_h3",
        "reconstruction error", "latent loss",
    ):  # fmt: skip
        assert dump.count(f'label="{name}: ') == 1, name
    assert 'label="loss: ' in dump
    # The functions of the original's picture, by how often they occur there.
    for label, count in {
        "LinearFunction": 7,
        "Softplus": 1,
        "_ * _": 2,
        "_ + 0": 1,
        "Sum": 2,
    }.items():
        assert dump.count(f'label="{label}"') == count, label


def test_links_have_the_articles_names_and_shapes():
    shapes = {name: p.shape for name, p in VAE(784, 20, 500).namedparams()}
    assert shapes == {
        "/le1/W": (500, 784), "/le1/b": (500,),
        "/le2/W": (500, 500), "/le2/b": (500,),
        "/le3_mu/W": (20, 500), "/le3_mu/b": (20,),
        "/le3_ln_var/W": (20, 500), "/le3_ln_var/b": (20,),
        "/ld1/W": (500, 20), "/ld1/b": (500,),
        "/ld2/W": (500, 500), "/ld2/b": (500,),
        "/ld3/W": (784, 500), "/ld3/b": (784,),
    }  # fmt: skip


@pytest.mark.parametrize("model_dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("wrap", [np.asarray, chainer.Variable])
def test_dtypes(model_dtype, dtype, wrap):
    model, x = small_model(dtype=model_dtype), images(dtype=dtype)
    loss = model.get_loss_func()(wrap(x))
    model.cleargrads()
    loss.backward()
    assert loss.dtype == model_dtype
    assert all(p.grad.dtype == model_dtype for p in model.params())
    assert all(np.isfinite(p.grad).all() for p in model.params())
    reference = small_model(dtype=np.float64)(x.astype(np.float64)).array
    tolerance = 0.02 if np.float16 in (dtype, model_dtype) else 1e-5
    np.testing.assert_allclose(model(wrap(x)).array, reference, atol=tolerance)


def test_images_of_more_axes_are_flattened():
    model, x = small_model(), images()
    np.testing.assert_array_equal(model(x.reshape(5, 3, 4)).array, model(x).array)
    np.random.seed(6)
    loss = float(model.get_loss_func()(x).array)
    np.random.seed(6)
    assert float(model.get_loss_func()(x.reshape(5, 1, 3, 4)).array) == loss


def test_wrong_inputs():
    model, x = small_model(), images()
    for call in (model, model.encode, model.get_loss_func()):
        with pytest.raises(ValueError, match=r"x has shape \(5, 11\).*\(batch size, 12\)"):
            call(x[:, :11])
        with pytest.raises(ValueError, match=r"x has shape \(12,\).*\(batch size, 12\)"):
            call(x[0])
        with pytest.raises(TypeError, match=r"x has dtype uint8.*float16, float32 or float64"):
            call((x * 255).astype(np.uint8))
        with pytest.raises(TypeError, match=r"x must be.*not list"):
            call(x.tolist())
    with pytest.raises(ValueError, match=r"x holds no images"):
        model.get_loss_func()(x[:0])
    with pytest.raises(ValueError, match=r"z has shape \(5, 12\).*\(batch size, 3\)"):
        model.decode(x)
    with pytest.raises(TypeError, match="z has dtype int64"):
        model.decode(np.zeros((2, 3), np.int64))


@pytest.mark.parametrize("k", [0, -1, 1.0, None])
def test_wrong_k(k):
    with pytest.raises(ValueError, match="k must be a whole number, 1 or more, not"):
        small_model().get_loss_func(k=k)


@pytest.mark.parametrize("sizes", [(0, 2, 3), (4, -1, 3), (4, 2, 2.5)])
def test_wrong_sizes(sizes):
    with pytest.raises(ValueError, match=r"VAE's n_.* must be a whole number from 1 to 1000000"):
        VAE(*sizes)


def test_wrong_activation():
    with pytest.raises(TypeError, match=r"function for act_func, such as F.tanh, not 'tanh'"):
        VAE(4, 2, 3, "tanh")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("constant", [1, 4])
def test_xavier(dtype, constant):
    np.random.seed(7)
    array = np.zeros((300, 200), dtype)
    Xavier(200, 300, constant)(array)
    bound = constant * math.sqrt(6 / 500)
    assert array.dtype == dtype
    slack = np.finfo(dtype).eps * bound
    assert np.abs(array).max() <= bound + slack
    assert array.max() > 0.999 * bound and array.min() < -0.999 * bound
    # Glorot and Bengio's variance; of n uniform numbers it varies by about sqrt(0.8 / n).
    assert array.var(dtype=float) == pytest.approx(constant**2 * 2 / 500, rel=0.02)
    assert abs(array.mean(dtype=float)) < 5 * bound / math.sqrt(3 * array.size)


def test_xavier_draws_as_numpy_does():
    array = np.empty((4, 5), np.float32)
    np.random.seed(8)
    Xavier(5, 4)(array)
    np.random.seed(8)
    bound = math.sqrt(6 / 9)
    np.testing.assert_allclose(array, np.random.uniform(-bound, bound, (4, 5)), rtol=1e-6)


def test_xavier_makes_new_arrays_of_its_dtype():
    made = chainer.initializers.generate_array(Xavier(3, 3, dtype=np.float16), (3, 3), np)
    assert made.dtype == np.float16


@pytest.mark.parametrize("args", [(0, 0), (-3, 2), (1, 1, -1), (1.5, 2), (1, 10**400)])
def test_wrong_xavier(args):
    with pytest.raises(ValueError, match=r"^(Xavier needs|fan_(in|out) must be|constant must be)"):
        Xavier(*args)
