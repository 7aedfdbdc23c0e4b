"""The importance weighted autoencoder: a VAE trained on a tighter bound than the ELBO."""

import math
from typing import Any, Callable

import chainer
import chainer.functions as F

from chainer_vae import validation
from chainer_vae.model import VAE, as_rows


def iwae_loss_func(model: VAE, k: int) -> Callable[[Any], chainer.Variable]:
    """The loss of a batch: the negative bound on ln p(x) that k weighted samples of z give.

    ::

        loss = -E[ln 1/k sum_i w_i],   w_i = p(x|z_i) p(z_i) / q(z_i|x)

    in nats per image, averaged over the batch; z_i = mu + sigma eps_i.  Its gradient is that of
    each ln w_i, weighted by w_i / sum_j w_j.  With k = 1 this is the negative ELBO, with the KL
    divergence estimated by the sample.

    Args:
        model (VAE): The model, of pixels of any distribution.
        k (int): Number of samples of z for each image.

    Returns:
        callable: Takes images (B, n_in) in [0, 1], returns the loss, a variable of shape (), and
        leaves it as ``loss`` on the model, and as ``rec_loss`` the reconstruction error of the
        same samples, averaged without weights.

    Raises:
        ValueError: ``k`` is no whole number, 1 or more.  The callable raises what that of
            :meth:`VAE.get_loss_func` does.
        TypeError: ``model`` is no VAE.

    Source:
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, equations 8, 13
        and 14.

    Example:
        >>> from chainer_vae import load_mnist, load_model
        >>> from chainer_vae.iwae import iwae_loss_func
        >>> model, config = load_model("z20")
        >>> x = load_mnist().train_images[:100]
        >>> elbo, bound = (float(iwae_loss_func(model, k)(x).array) for k in (1, 50))
        >>> bound < elbo
        True
    """
    validation.instance("iwae_loss_func", model, VAE)
    k = validation.whole_number("k", k)

    def loss_func(x: Any) -> chainer.Variable:
        x = as_rows("x", x, model.le1.W)
        mu, ln_var = model.encode(x)
        if len(mu) == 0:
            raise ValueError("x holds no images: its shape is (0, ...)")
        # Row i B + j is sample i of image j.
        mu, ln_var, x = (F.tile(each, (k, 1)) for each in (mu, ln_var, x))
        z, eps = F.gaussian(mu, ln_var, return_eps=True)
        z.name = "z"
        nll = F.sum(model._nll(x, model.decode(z, sigmoid=False), reduce="no"), axis=1)
        model.rec_loss = F.average(nll)
        model.rec_loss.name = "reconstruction error"
        # ln p(z) - ln q(z|x); the factors of 2 pi cancel
        log_weights = F.sum(eps**2 - z**2 + ln_var, axis=1) / 2 - nll
        bounds = F.logsumexp(F.reshape(log_weights, (k, -1)), axis=0) - math.log(k)
        model.loss = -F.average(bounds)
        model.loss.name = "loss"
        return model.loss

    return loss_func
