"""What a training step does besides the matrix products, without a new large array.

The functions work in place, or write into arrays that the caller provides: ``t`` and ``e`` are
scratch arrays of the first argument's shape.  Softplus, the reconstruction error and Adam are
compiled (:mod:`chainer_vae.kernels`) for float32; for float64, and where they are not
installed, NumPy computes them.  It does so in simple passes over arrays that stay in the
processor's cache, by functions that NumPy has SIMD for on every processor (``np.logaddexp`` takes
eight times as long as those; ``np.log1p`` and ``np.expm1``, without AVX-512, six times as long).

The exponential is that of ``a`` clipped to [-69, 80].  Above 80, e^80 is finite in float32, and
ln(1 + e^a) is a and e^a / (1 + e^a) is 1, in float32 and in float64.  Below -69, both are e^a, and
e^-69 = 1e-30 stands for it: hidden units and pixels that are practically 0 would otherwise give
subnormal numbers, and one in a hundred of these makes a matrix product ten times as slow.
"""

from typing import Any, Callable, NamedTuple, Optional

import chainer.functions as F
import numpy as np

from chainer_vae.kernels import CompiledKernels, load

FLOOR, CEILING = -69.0, 80.0
BLOCK = 2**18  # elements of an array that Adam works on at a time: four such arrays in the cache

dot = np.dot  # (a, b, out)
empty = np.empty  # (shape, dtype)


class Activation(NamedTuple):
    """A function of the hidden layers: h = f(a)."""

    apply: Callable[..., None]  # (a, b, t): a becomes f(a + b); b has the shape (rows, 1)
    chain: Callable[..., None]  # (g, h, t): g, dL/dh, becomes dL/da = g * f'(a)


def _compiled(a: np.ndarray) -> Optional[CompiledKernels]:
    """The compiled kernels, if there are any for such an array."""
    return load() if a.dtype == np.float32 else None


def _exp(a: np.ndarray, e: np.ndarray) -> None:
    """e^a of the clipped ``a``, into ``e``."""
    np.clip(a, FLOOR, CEILING, out=e)
    np.exp(e, out=e)


def _log1p(e: np.ndarray) -> np.ndarray:
    """ln(1 + e), by functions that NumPy has SIMD for on every processor."""
    # With u for 1 + e as rounded, it is ln(u) + (e - (u - 1)) / u: the second term is what the
    # rounding lost, and all there is where e is small.
    u = 1 + e
    lost = u - 1
    np.subtract(e, lost, out=lost)
    lost /= u
    np.log(u, out=u)
    u += lost
    return u


def _softplus(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> None:
    # ln(1 + e^a)
    if compiled := _compiled(a):
        compiled.softplus(a, b, *a.shape)
        return
    a += b
    _exp(a, t)
    np.maximum(a, _log1p(t), out=a)


def _softplus_chain(g: np.ndarray, h: np.ndarray, t: np.ndarray) -> None:
    # f'(a) = 1 / (1 + e^-a) = 1 - e^-h, which is 2 u / (1 + u) of u = tanh(h / 2)
    if compiled := _compiled(g):
        compiled.softplus_chain(g, h, g.size)
        return
    np.multiply(h, 0.5, out=t)
    np.tanh(t, out=t)
    g *= t
    t += 1
    g /= t
    g *= 2


def _tanh(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> None:
    a += b
    np.tanh(a, out=a)


def _tanh_chain(g: np.ndarray, h: np.ndarray, t: np.ndarray) -> None:
    # f'(a) = 1 - h^2
    np.multiply(h, h, out=t)
    np.subtract(1, t, out=t)
    g *= t


def _relu(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> None:
    a += b
    np.maximum(a, 0, out=a)


def _relu_chain(g: np.ndarray, h: np.ndarray, t: np.ndarray) -> None:
    # f'(a) = 1 where a > 0, else 0
    np.sign(h, out=t)
    g *= t


def _sigmoid(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> None:
    # e^a / (1 + e^a)
    a += b
    _exp(a, t)
    np.add(t, 1, out=a)
    np.divide(t, a, out=a)


def _sigmoid_chain(g: np.ndarray, h: np.ndarray, t: np.ndarray) -> None:
    # f'(a) = h (1 - h)
    np.subtract(1, h, out=t)
    t *= h
    g *= t


# By the functions that a model is made with.
ACTIVATIONS: dict[Any, Activation] = {
    F.softplus: Activation(_softplus, _softplus_chain),
    F.tanh: Activation(_tanh, _tanh_chain),
    F.relu: Activation(_relu, _relu_chain),
    F.sigmoid: Activation(_sigmoid, _sigmoid_chain),
}


def add_bias(a: np.ndarray, b: np.ndarray) -> None:
    """a + b, into ``a``; ``b`` has the shape (rows, 1)."""
    a += b


def sum_columns(a: np.ndarray, out: np.ndarray) -> None:
    """The sum of the columns of ``a``, into ``out``, of shape (rows, 1)."""
    np.dot(a, np.ones((a.shape[1], 1), a.dtype), out)  # faster than NumPy's sum of short rows


def draw(shape: tuple[int, ...], random: Any) -> np.ndarray:
    """Numbers from N(0, 1), by ``random``, a ``numpy.random.RandomState``."""
    numbers: np.ndarray = random.standard_normal(shape)
    return numbers


def sample(
    mu: np.ndarray,
    ln_var: np.ndarray,
    eps: np.ndarray,
    sigma: np.ndarray,
    noise: np.ndarray,
    z: np.ndarray,
) -> None:
    """sigma = e^(ln_var / 2), noise = sigma eps, z = mu + noise.

    ``mu``, ``ln_var`` and ``sigma`` are (n_latent, n); ``eps`` is (k, n, n_latent), the rest
    (n_latent, k, n).
    """
    np.multiply(ln_var, 0.5, out=sigma)
    np.exp(sigma, out=sigma)
    noise[...] = eps.transpose(2, 0, 1)
    noise *= sigma[:, None]
    np.add(noise, mu[:, None], out=z)


def sample_chain(
    g_mu: np.ndarray,
    g_ln_var: np.ndarray,
    g_z: np.ndarray,
    noise: np.ndarray,
    mu: np.ndarray,
    sigma: np.ndarray,
    c: float,
) -> None:
    """g(mu) = sum_k g(z) + c mu;  g(ln_var) = sum_k g(z) noise / 2 + c (sigma^2 - 1) / 2.

    ``c`` is C / n, the weight of the KL divergence in the mean over n images.  Destroys ``g_z`` and
    ``noise``.
    """
    g_z.sum(axis=1, out=g_mu)
    g_mu += c * mu
    noise *= g_z
    noise.sum(axis=1, out=g_ln_var)
    g_ln_var += c * (sigma * sigma - 1)
    g_ln_var *= 0.5


def gaussian_kl(mu: np.ndarray, ln_var: np.ndarray, sigma: np.ndarray, out: np.ndarray) -> None:
    """D_KL[N(mu, sigma^2) || N(0, 1)], summed, into ``out``, of shape (1,)."""
    out[0] = np.sum(mu * mu + sigma * sigma - ln_var - 1) / 2


def bernoulli(
    a: np.ndarray,
    b: np.ndarray,
    x: np.ndarray,
    e: np.ndarray,
    t: np.ndarray,
    out: np.ndarray,
    scale: Optional[float] = None,
) -> None:
    """-ln p(x) of pixels with logits l = a + b: the sum of ln(1 + e^l) - x l, into ``out``.

    Leaves in ``a``, if ``scale`` is given, the derivative by l times that, e^l / (1 + e^l) - x.

    ``a`` is (rows, k, n), ``b`` (rows, 1, 1), ``x`` (rows, 1, n) and ``out`` (1,).
    """
    if compiled := _compiled(a):
        rows, k, n = a.shape
        out[0] = compiled.bernoulli(a, b, x, rows, k, n, scale or 0)
        return
    a += b
    _exp(a, e)
    np.maximum(a, _log1p(e), out=t)
    a *= x
    t -= a
    out[0] = t.sum()
    if scale is not None:
        np.add(e, 1, out=t)
        np.divide(e, t, out=a)
        a -= x
        a *= scale


def bernoulli_by_sample(
    a: np.ndarray,
    b: np.ndarray,
    x: np.ndarray,
    e: np.ndarray,
    t: np.ndarray,
    out: np.ndarray,
) -> None:
    """As :func:`bernoulli`, of each sample and image: into ``out``, of shape (k, n).

    Leaves in ``a`` the derivative, always, and as it is.
    """
    rows = len(a)
    flat_a, flat_e, flat_t = (array.reshape(rows, -1) for array in (a, e, t))
    t[...] = a
    _softplus(flat_t, b[:, 0], flat_e)
    a += b
    a *= x
    np.subtract(t, a, out=a)
    out[...] = np.dot(np.ones(rows, a.dtype), flat_a).reshape(out.shape)
    # The softplus of l has the derivative e^l / (1 + e^l).
    a.fill(1)
    _softplus_chain(flat_a, flat_t, flat_e)
    a -= x


def squared_error(
    a: np.ndarray,
    b: np.ndarray,
    x: np.ndarray,
    e: np.ndarray,
    t: np.ndarray,
    out: np.ndarray,
    scale: Optional[float] = None,
) -> None:
    """|x' - x|^2 of pixels x' = 1 / (1 + e^-l) with logits l = a + b, summed, into ``out``.

    Leaves in ``a``, if ``scale`` is given, the derivative by l times that, 2 (x' - x) x' (1 - x').
    The arrays are as for :func:`bernoulli`.
    """
    _sigmoid(a, b, t)
    np.subtract(a, x, out=e)
    np.multiply(e, e, out=t)
    out[0] = t.sum()
    if scale is not None:
        _sigmoid_chain(e, a, t)
        np.multiply(e, 2 * scale, out=a)


def adam(
    p: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    g: np.ndarray,
    step: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Adam's update of parameters ``p`` and moments ``m``, ``v`` (flat arrays) by gradient ``g``.

    ::

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        p = p - step m / (sqrt(v) + eps)

    Destroys ``g``.  Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014;
    ``step`` is alpha sqrt(1 - beta2^t) / (1 - beta1^t).
    """
    if compiled := _compiled(p):
        compiled.adam(p, m, v, g, p.size, step, beta1, 1 - beta1, beta2, 1 - beta2, eps)
        return
    for start in range(0, len(p), BLOCK):
        p_, m_, v_, g_ = (array[start : start + BLOCK] for array in (p, m, v, g))
        g_ *= 1 - beta1
        m_ *= beta1
        m_ += g_
        g_ *= g_  # (1 - beta1)^2 g^2
        g_ *= (1 - beta2) / (1 - beta1) ** 2
        v_ *= beta2
        v_ += g_
        np.sqrt(v_, out=g_)
        g_ += eps
        np.divide(m_, g_, out=g_)
        g_ *= step
        p_ -= g_
