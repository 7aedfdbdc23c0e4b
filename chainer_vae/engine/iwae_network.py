"""The importance weighted autoencoder as matrix products, with its gradient derived by hand.

As :mod:`~chainer_vae.engine.network` has the VAE, for :func:`~chainer_vae.iwae.iwae_loss_func`.
Of each of the k samples of z::

    nll = sum(ln(1 + e^a) - x a)                        -ln p(x|z)
    ln w = ln p(z) - ln q(z|x) - nll = sum(eps^2 - z^2 + ln_var) / 2 - nll
    v = w / sum_k w                                     the sample's share

and of a batch ::

    loss = -sum(ln(sum_k w / k)) / B                    so dloss/d(ln w) = -v / B
    g(a) = v (1 / (1 + e^-a) - x) / B                   of ld3
    g(z) = V1^T g(a of ld1) + v z / B
    g(mu) = sum_k g(z)
    g(ln_var) = sum_k g(z) sigma eps / 2 - 1 / (2 B)    since sum_k v = 1

Source: Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, equations 8, 13
and 14.
"""

from typing import Any

import numpy as np

from chainer_vae.engine.network import MAX_BLOCKS, VAENetwork


class IWAENetwork(VAENetwork):
    """That of a VAE that is trained as an importance weighted autoencoder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rec_losses = np.zeros((MAX_BLOCKS, self.k, self.n))  # of each block, sample and image

    def sample(self, eps: np.ndarray) -> None:
        """As :meth:`VAENetwork.sample`; and ln p(z) - ln q(z|x), shape (k, n)."""
        super().sample(eps)
        squares = (eps**2).sum(axis=2) - (self._by_sample(self.z) ** 2).sum(axis=0)
        self._log_ratios = (squares + self.ln_var.sum(axis=0)) / 2

    def reconstruct(self, backward: bool = False) -> None:
        """As :meth:`Network.reconstruct`; and the bounds and each sample's share."""
        super().reconstruct(backward)
        log_weights = self._log_ratios - self.rec_losses.sum(axis=0)
        largest = log_weights.max(axis=0)
        weights = np.exp(log_weights - largest)
        self._bounds = largest + np.log(weights.mean(axis=0))
        if backward:
            shares = weights / weights.sum(axis=0)
            # What is lost so is below rounding; it would make subnormal numbers.
            shares[shares < np.finfo(self.a.dtype).eps / self.k] = 0
            self._shares = (shares / self.n).reshape(-1).astype(self.a.dtype)  # v / B of a column
            self.a *= self._shares

    def _pixel_losses(self, a: Any, b: Any, x: Any, e: Any, t: Any, out: Any, scale: Any) -> None:
        self.kernels.bernoulli_by_sample(a, b, x, e, t, out[0])

    def losses(self, C: float) -> tuple[float, float]:
        """loss and rec_loss, per image; it has no C."""
        _, rec_loss = super().losses(C)
        return -float(self._bounds.mean()), rec_loss

    def _heads_from_z(self, C: float) -> None:
        self.g_z += self._shares * self.z
        super()._heads_from_z(0)
        self.g_heads[len(self.z) :] -= 0.5 / self.n  # g(ln_var)
