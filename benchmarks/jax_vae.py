"""The article's VAE in JAX, the whole training step jitted; for comparison only."""

from functools import partial
from typing import Any, Callable

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, tuple[jax.Array, jax.Array]]  # W, shape (n_in, n_out), and b of each layer
ALPHA, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


def params_of(model: Any) -> Params:
    """The parameters of a Chainer model."""
    return {
        link.name: (jnp.asarray(link.W.array.T), jnp.asarray(link.b.array))
        for link in model.children()
    }


def loss_func(params: Params, x: jax.Array, eps: jax.Array) -> jax.Array:
    """The loss for one sample of z, C = 1, per image."""

    def layer(name: str, h: jax.Array) -> jax.Array:
        W, b = params[name]
        return h @ W + b

    h = jax.nn.softplus(layer("le2", jax.nn.softplus(layer("le1", x))))
    mu, ln_var = layer("le3_mu", h), layer("le3_ln_var", h)
    z = mu + jnp.exp(0.5 * ln_var) * eps
    logits = layer("ld3", jax.nn.softplus(layer("ld2", jax.nn.softplus(layer("ld1", z)))))
    rec_loss = jnp.sum(jax.nn.softplus(logits) - x * logits)
    return (rec_loss + 0.5 * jnp.sum(mu * mu + jnp.exp(ln_var) - ln_var - 1)) / len(x)


@partial(jax.jit, donate_argnums=0)
def _step(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
    params, m, v, t, key = state
    key, drawn = jax.random.split(key)
    eps = jax.random.normal(drawn, (len(x), params["ld1"][0].shape[0]))
    loss, g = jax.value_and_grad(loss_func)(params, x, eps)
    t = t + 1
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
    size = ALPHA * jnp.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    params = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) + EPS), params, m, v)
    return (params, m, v, t, key), loss


def make_step(model: Any) -> Callable[[np.ndarray], float]:
    """A training step on a batch, from the parameters of a Chainer model."""
    params = params_of(model)
    m, v = (jax.tree.map(jnp.zeros_like, params) for _ in "mv")
    state: Any = (params, m, v, jnp.zeros((), jnp.int32), jax.random.key(0, impl="rbg"))

    def step(x: np.ndarray) -> float:
        nonlocal state
        state, loss = _step(state, x)
        return float(loss)

    return step
