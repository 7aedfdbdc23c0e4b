"""The article's two models in Chainer: the variational autoencoder, and the plain one."""

from typing import Any, Callable

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer.functions.loss.vae import gaussian_kl_divergence

from chainer_vae import validation
from chainer_vae.initializers import Xavier


class VAE(chainer.Chain):
    """Variational autoencoder: a Gaussian encoder and a Bernoulli decoder, each a 3-layer MLP.

    With ``a`` the activation function, B the batch size, and each ``Linear`` an
    affine map ``h W^T + b``::

        encoder q(z|x) = N(mu, diag(sigma^2))
            h1     = a(le1(x))                 (B, n_h)
            h2     = a(le2(h1))                (B, n_h)
            mu     = le3_mu(h2)                (B, n_latent)
            ln_var = le3_ln_var(h2)            (B, n_latent), the logarithm of sigma^2
        decoder p(x|z) = Bernoulli(sigmoid(h3))
            h1     = a(ld1(z))                 (B, n_h)
            h2     = a(ld2(h1))                (B, n_h)
            h3     = ld3(h2)                   (B, n_in), the logits of the pixels

    The prior is p(z) = N(0, I).  The encoder gives ln(sigma^2) rather than sigma because
    any real number is a valid value of it.

    Inputs may be NumPy or CuPy arrays or Chainer variables, of float16, float32 or float64;
    one of another floating type than the parameters is cast to theirs.  An input with more
    axes, such as (B, 28, 28), is flattened to (B, n_in).  Outputs are variables, whose
    ``array`` is the NumPy or CuPy array; under ``chainer.no_backprop_mode()`` they keep no
    graph, which saves memory where no gradient is wanted.

    Args:
        n_in (int): Number of pixels, 784 for MNIST.
        n_latent (int): Number of latent dimensions.
        n_h (int): Number of units in each hidden layer.
        act_func (callable): Activation of the hidden layers; the article trains with
            ``F.softplus``.

    Attributes:
        rec_loss (chainer.Variable): Reconstruction error of the last call of a loss
            function, in nats per image: summed over the pixels, averaged over the batch.
        latent_loss (chainer.Variable): C times the KL divergence of that call, in nats per
            image: summed over the latent dimensions, averaged over the batch.
        loss (chainer.Variable): Their sum.

    Raises:
        ValueError: ``n_in``, ``n_latent`` or ``n_h`` is not a positive integer.
        TypeError: ``act_func`` cannot be called.

    Source:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, appendix C; the class of
        this name in kenmatsu4, "Variational Autoencoder徹底解説", 2017, section 2, whose link
        and variable names are kept, so that saved models load here and back.

    Example:
        >>> from chainer_vae import VAE, load_mnist
        >>> x = load_mnist().train_images[:100]
        >>> model = VAE(n_in=784, n_latent=20, n_h=500)
        >>> mu, ln_var = model.encode(x)
        >>> mu.shape, model.decode(mu).shape, model(x).shape
        ((100, 20), (100, 784), (100, 784))
        >>> loss = model.get_loss_func(C=1.0, k=1)(x)
        >>> loss.backward()  # the gradient, as param.grad of each param in model.params()
    """

    def __init__(
        self, n_in: int, n_latent: int, n_h: int, act_func: Callable[[Any], Any] = F.tanh
    ) -> None:
        _require_sizes("VAE", n_in, n_latent, n_h, act_func)
        super().__init__()
        self.act_func = act_func
        with self.init_scope():
            # encoder
            self.le1 = L.Linear(n_in, n_h, initialW=Xavier(n_in, n_h))
            self.le2 = L.Linear(n_h, n_h, initialW=Xavier(n_h, n_h))
            self.le3_mu = L.Linear(n_h, n_latent, initialW=Xavier(n_h, n_latent))
            self.le3_ln_var = L.Linear(n_h, n_latent, initialW=Xavier(n_h, n_latent))
            # decoder
            self.ld1 = L.Linear(n_latent, n_h, initialW=Xavier(n_latent, n_h))
            self.ld2 = L.Linear(n_h, n_h, initialW=Xavier(n_h, n_h))
            self.ld3 = L.Linear(n_h, n_in, initialW=Xavier(n_h, n_in))

    def __call__(self, x: Any, sigmoid: bool = True) -> chainer.Variable:
        """Reconstruct ``x`` from its latent mean: decode(mu(x)), without sampling.

        Args:
            x (array or chainer.Variable): Images in [0, 1], shape (B, n_in).
            sigmoid (bool): Whether to return probabilities (True) or logits.

        Returns:
            chainer.Variable: The reconstruction, shape (B, n_in).

        Raises:
            ValueError, TypeError: As :meth:`encode`.
        """
        return self.decode(self.encode(x)[0], sigmoid)

    def encode(self, x: Any) -> tuple[chainer.Variable, chainer.Variable]:
        """The parameters of q(z|x).

        Args:
            x (array or chainer.Variable): Images in [0, 1], shape (B, n_in).

        Returns:
            tuple of chainer.Variable: ``mu`` and ``ln_var`` = ln(sigma^2), each of shape
            (B, n_latent).

        Raises:
            ValueError: The shape of ``x`` is not (B, n_in).
            TypeError: ``x`` is not an array of floating-point numbers.
        """
        x = as_rows("x", x, self.le1.W)
        x.name = "x"
        h1 = self.act_func(self.le1(x))
        h1.name = "enc_h1"
        h2 = self.act_func(self.le2(h1))
        h2.name = "enc_h2"
        mu = self.le3_mu(h2)
        mu.name = "z_mu"
        ln_var = self.le3_ln_var(h2)
        ln_var.name = "z_ln_var"
        return mu, ln_var

    def decode(self, z: Any, sigmoid: bool = True) -> chainer.Variable:
        """The parameters of p(x|z).

        Args:
            z (array or chainer.Variable): Latent vectors, shape (B, n_latent).
            sigmoid (bool): Whether to return the probability of each pixel (True) or its
                logit, which :func:`chainer.functions.bernoulli_nll` takes.

        Returns:
            chainer.Variable: The pixels, shape (B, n_in).

        Raises:
            ValueError: The shape of ``z`` is not (B, n_latent).
            TypeError: ``z`` is not an array of floating-point numbers.
        """
        h1 = self.act_func(self.ld1(as_rows("z", z, self.ld1.W)))
        h1.name = "dec_h1"
        h2 = self.act_func(self.ld2(h1))
        h2.name = "dec_h2"
        h3 = self.ld3(h2)
        h3.name = "dec_h3"
        return F.sigmoid(h3) if sigmoid else h3

    def _nll(self, x: Any, h3: Any, reduce: str = "sum") -> chainer.Variable:
        """-ln p(x|z), summed over pixels and images, or with ``reduce="no"`` of each pixel."""
        return F.bernoulli_nll(x, h3, reduce)

    def get_loss_func(self, C: float = 1.0, k: int = 1) -> Callable[[Any], chainer.Variable]:
        """The loss of a batch: with C = 1, the negative ELBO (evidence lower bound).

        ::

            loss = -E_q(z|x)[ln p(x|z)] + C * D_KL[q(z|x) || p(z)]

        in nats per image: summed over pixels and latent dimensions, averaged over the batch.
        The expectation is estimated with ``k`` samples by the reparameterization trick,
        z = mu + sigma * eps with eps ~ N(0, I), through which the gradient passes to mu
        and sigma.  The KL divergence has the closed form ::

            D_KL = 1/2 * sum_j (mu_j^2 + sigma_j^2 - ln sigma_j^2 - 1).

        Args:
            C (float): Weight of the KL divergence, the regularization; 1 for the ELBO
                ("beta" in a beta-VAE).
            k (int): Number of samples of z for each image.

        Returns:
            callable: Takes images (B, n_in) in [0, 1], returns the loss, a variable of
            shape (), and leaves ``rec_loss``, ``latent_loss`` and ``loss`` on the model.

        Raises:
            ValueError: ``C`` is no finite number, or ``k`` no positive integer.  The callable
                raises what :meth:`encode` does, and this for an empty batch.

        Source:
            Kingma and Welling, 2013: equations 3 and 10, section 2.4 (the trick), appendix B
            (the KL divergence); the article's section 3.
        """
        C = validation.number("C", C)
        k = validation.whole_number("k", k)

        def loss_func(x: Any) -> chainer.Variable:
            x = as_rows("x", x, self.le1.W)
            mu, ln_var = self.encode(x)
            batchsize = len(mu)
            if batchsize == 0:
                raise ValueError("x holds no images: its shape is (0, ...)")
            # -E_q(z|x)[ln p(x|z)], estimated with k samples
            rec_loss: Any = 0
            for _ in range(k):
                z = F.gaussian(mu, ln_var)
                z.name = "z"
                rec_loss += self._nll(x, self.decode(z, sigmoid=False)) / (k * batchsize)
            self.rec_loss = rec_loss
            self.rec_loss.name = "reconstruction error"
            # D_KL[q(z|x) || p(z)]
            self.latent_loss = C * gaussian_kl_divergence(mu, ln_var) / batchsize
            self.latent_loss.name = "latent loss"
            self.loss = self.rec_loss + self.latent_loss
            self.loss.name = "loss"
            return self.loss

        return loss_func


class Autoencoder(chainer.Chain):
    """Plain autoencoder: the layers of the VAE without distributions, noise and KL divergence.

    ::

        encoder
            h1 = a(le1(x))       (B, n_h)
            h2 = a(le2(h1))      (B, n_h)
            z  = le3(h2)         (B, n_latent), the latent vector itself
        decoder, as the VAE's
            x' = sigmoid(ld3(a(ld2(a(ld1(z))))))      (B, n_in)

    Nothing ties the latent vectors to a position or a scale, and training asks nothing of the
    decoder between them.

    Args:
        n_in (int): Number of pixels.
        n_latent (int): Number of latent dimensions.
        n_h (int): Number of units in each hidden layer.
        act_func (callable): Activation of the hidden layers.

    Attributes:
        loss (chainer.Variable): What the last call of a loss function returned.

    Raises:
        ValueError, TypeError: As :class:`VAE`.

    Source:
        kenmatsu4, "Variational Autoencoder徹底解説", 2017, section 1-1, with one layer; the
        sizes are those of its VAE, so that the two can be laid side by side.

    Example:
        >>> from chainer_vae import Autoencoder, load_mnist
        >>> x = load_mnist().train_images[:100]
        >>> model = Autoencoder(n_in=784, n_latent=2, n_h=500)
        >>> z = model.encode(x)
        >>> z.shape, model.decode(z).shape, model(x).shape
        ((100, 2), (100, 784), (100, 784))
        >>> model.get_loss_func()(x).backward()
    """

    def __init__(
        self, n_in: int, n_latent: int, n_h: int, act_func: Callable[[Any], Any] = F.tanh
    ) -> None:
        _require_sizes("Autoencoder", n_in, n_latent, n_h, act_func)
        super().__init__()
        self.act_func = act_func
        with self.init_scope():
            # encoder
            self.le1 = L.Linear(n_in, n_h, initialW=Xavier(n_in, n_h))
            self.le2 = L.Linear(n_h, n_h, initialW=Xavier(n_h, n_h))
            self.le3 = L.Linear(n_h, n_latent, initialW=Xavier(n_h, n_latent))
            # decoder
            self.ld1 = L.Linear(n_latent, n_h, initialW=Xavier(n_latent, n_h))
            self.ld2 = L.Linear(n_h, n_h, initialW=Xavier(n_h, n_h))
            self.ld3 = L.Linear(n_h, n_in, initialW=Xavier(n_h, n_in))

    def __call__(self, x: Any, sigmoid: bool = True) -> chainer.Variable:
        """Reconstruct images: decode(encode(x)).

        Args:
            x (array or chainer.Variable): Images in [0, 1], shape (B, n_in).
            sigmoid (bool): Whether to return pixels in [0, 1] (True) or their logits.

        Returns:
            chainer.Variable: The reconstruction, shape (B, n_in).

        Raises:
            ValueError, TypeError: As :meth:`VAE.encode`.
        """
        return self.decode(self.encode(x), sigmoid)

    def encode(self, x: Any) -> chainer.Variable:
        """The latent vectors of images.

        Args:
            x (array or chainer.Variable): Images in [0, 1], shape (B, n_in).

        Returns:
            chainer.Variable: The latent vectors, shape (B, n_latent).

        Raises:
            ValueError, TypeError: As :meth:`VAE.encode`.
        """
        x = as_rows("x", x, self.le1.W)
        x.name = "x"
        h1 = self.act_func(self.le1(x))
        h1.name = "enc_h1"
        h2 = self.act_func(self.le2(h1))
        h2.name = "enc_h2"
        z = self.le3(h2)
        z.name = "z"
        return z

    decode = VAE.decode

    def get_loss_func(self) -> Callable[[Any], chainer.Variable]:
        """The loss of a batch: the article's reconstruction error, ``|x - x'|^2``.

        Returns:
            callable: Takes images (B, n_in) in [0, 1], returns the loss, a variable of shape ():
            squares summed over the pixels, averaged over the batch; and leaves it as ``loss`` on
            the model.

        Raises:
            ValueError, TypeError: The callable's, as :meth:`encode`'s; for an empty batch, too.
        """

        def loss_func(x: Any) -> chainer.Variable:
            x = as_rows("x", x, self.le1.W)
            if len(x) == 0:
                raise ValueError("x holds no images: its shape is (0, ...)")
            self.loss = F.sum(F.squared_difference(x, self(x))) / len(x)
            self.loss.name = "loss"
            return self.loss

        return loss_func


def _require_sizes(model: str, n_in: Any, n_latent: Any, n_h: Any, act_func: Any) -> None:
    for name, size in (("n_in", n_in), ("n_latent", n_latent), ("n_h", n_h)):
        validation.whole_number(f"{model}'s {name}", size, 1, validation.MAX_SIZE)
    if not callable(act_func):
        raise TypeError(f"{model} needs a function for act_func, such as F.tanh, not {act_func!r}")


def as_rows(name: str, array: Any, W: chainer.Parameter) -> chainer.Variable:
    """``array`` as a variable of shape (B, W.shape[1]) and the dtype of ``W``."""
    n = W.shape[1]
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape is None or dtype is None:
        raise TypeError(
            f"{name} must be a NumPy or CuPy array or a chainer.Variable,"
            f" not {type(array).__name__}"
        )
    if len(shape) < 2 or int(np.prod(shape[1:])) != n:
        raise ValueError(f"{name} has shape {shape}, but this model needs (batch size, {n})")
    if dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(
            f"{name} has dtype {dtype}, but this model needs float16, float32 or float64"
            " (for images of bytes: x.astype('float32') / 255)"
        )
    validation.not_masked(f"the numbers of {name}", array)
    rows = chainer.as_variable(array)
    if len(shape) > 2:
        rows = F.reshape(rows, (shape[0], n))
    return rows if dtype == W.dtype else F.cast(rows, W.dtype)
