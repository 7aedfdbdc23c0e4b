"""How good a model is: the ELBO of images that it has not seen."""

from typing import NamedTuple

import chainer
import numpy as np

from chainer_vae.model import VAE


class Evaluation(NamedTuple):
    """Means over the images, in nats per image."""

    loss: float  # the negative ELBO, rec_loss + kl
    rec_loss: float  # -E_q(z|x)[ln p(x|z)]
    kl: float  # D_KL[q(z|x) || p(z)]


def evaluate(model: VAE, images: np.ndarray, k: int = 10, batchsize: int = 100) -> Evaluation:
    """The negative ELBO of ``images``, estimated with ``k`` samples of z for each.

    The divergence counts in full, whatever C the model was trained with.  The samples come
    from the global generator of the model's device (``numpy.random`` or ``cupy.random``).

    Args:
        model: The model.
        images: In [0, 1], shape (number, n_in), in the host's memory.
        k: Number of samples for each image.
        batchsize: Number of images in one pass; changes the samples and the memory needed.

    Returns:
        Evaluation: In nats per image; infinite or NaN where the model overflows.

    Raises:
        ValueError: There are no images, or their shape does not fit the model.
    """
    if len(images) == 0:
        raise ValueError("evaluate needs at least one image, but got none")
    loss_func = model.get_loss_func(k=k)
    rec_loss = kl = 0.0
    # An overflow shows in the result; NumPy need not warn of it, too.
    quiet = np.errstate(over="ignore", invalid="ignore")
    with chainer.no_backprop_mode(), chainer.using_config("train", False), quiet:
        for start in range(0, len(images), batchsize):
            batch = model.xp.asarray(images[start : start + batchsize])
            loss_func(batch)
            rec_loss += float(model.rec_loss.array) * len(batch)
            kl += float(model.latent_loss.array) * len(batch)
    n = len(images)
    return Evaluation((rec_loss + kl) / n, rec_loss / n, kl / n)
