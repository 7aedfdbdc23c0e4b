"""The article's two models as matrix products, with their gradients derived by hand.

This is the computation of ``get_loss_func`` and ``backward``, on the same parameters, shared
by the CPU (:mod:`~chainer_vae.engine.cpu_step`) and the GPU (:mod:`~chainer_vae.engine.gpu_step`),
which differ in the kernels and in what runs tasks in parallel.  Columns are images: with B images
of n_in pixels, ``x`` has the shape (n_in, B), and a layer is a = W h + b, h' = f(a), as on paper.

Forward pass, with k samples of z for each image (the decoder then has k B columns)::

    h1 = f(W1 x + b1)                                   le1
    h2 = f(W2 h1 + b2)                                  le2
    (mu; ln_var) = W3 h2 + b3                           le3_mu and le3_ln_var, in one product
    sigma = e^(ln_var / 2),  z = mu + sigma eps         eps ~ N(0, I)
    d1 = f(V1 z + c1)                                   ld1
    d2 = f(V2 d1 + c2)                                  ld2
    a = V3 d2 + c3                                      ld3
    rec_loss = sum(ln(1 + e^a) - x a) / (k B)
    kl = sum(mu^2 + sigma^2 - ln_var - 1) / (2 B)
    loss = rec_loss + C kl

Backward pass, with g(y) for dloss/dy.  Through a layer a = W h + b, h' = f(a)::

    g(a) = g(h') f'(a)        g(W) = g(a) h^T        g(b) = g(a) 1        g(h) = W^T g(a)

and, from the loss, ::

    g(a) = (1 / (1 + e^-a) - x) / (k B)                 of ld3
    g(mu) = sum_k g(z) + C mu / B                       since dz/dmu = 1
    g(ln_var) = sum_k g(z) sigma eps / 2 + C (sigma^2 - 1) / (2 B)
                                                        since dz/dln_var = sigma eps / 2

The plain autoencoder has the same layers, but one head, z = W3 h2 + b3, no noise and k = 1.  Its
pixels and its loss, and the gradient to begin with, are ::

    x' = 1 / (1 + e^-a)
    loss = sum((x' - x)^2) / B
    g(a) = 2 (x' - x) x' (1 - x') / B                   since dx'/da = x' (1 - x')

Large products of the forward pass are split into blocks of rows, one for each task; beside those
of the backward pass there are the gradients of the weights to compute.  The split depends on the
sizes alone, not on the number of threads, and so the results do not depend on it either.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, section 2.4 and appendices B
and C.
"""

from functools import partial
from typing import Any, Callable, Optional, Union

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from chainer_vae.engine import cpu_kernels
from chainer_vae.engine.threads import Pending, TaskPool
from chainer_vae.model import VAE, Autoencoder

Model = Union[VAE, Autoencoder]
MIN_BLOCK_WORK = 12_000_000  # multiplications in one task's block of a product, at least
MAX_BLOCKS = 4  # of a product


class Layer:
    """An affine map: weights ``W``, shape (n_out, n_in), and biases ``b``, shape (n_out, 1)."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W = W
        self.b = b.reshape(-1, 1)
        self.update: Optional[Pending] = None  # of the last step, perhaps not finished yet

    def wait(self) -> None:
        """Return once ``W`` and ``b`` are those after the last step."""
        if self.update is not None:
            self.update.wait()
            self.update = None


def links_of(model: Model) -> dict[str, list[L.Linear]]:
    """The links that make up each layer; the encoder's two heads are one."""
    heads = [model.le3_mu, model.le3_ln_var] if isinstance(model, VAE) else [model.le3]
    links = {name: [model[name]] for name in ("le1", "le2", "ld1", "ld2", "ld3")}
    return {**links, "le3": heads}


def params_of(links: list[L.Linear]) -> list[chainer.Parameter]:
    """The parameters of a layer, in the order in which flat arrays have them."""
    return [link.W for link in links] + [link.b for link in links]


def layers_of(model: Model) -> dict[str, Layer]:
    """The weights of a model as they are now."""
    return {
        name: Layer(
            *(
                model.xp.concatenate(arrays) if len(arrays) > 1 else arrays[0]
                for arrays in ([link.W.array for link in links], [link.b.array for link in links])
            )
        )
        for name, links in links_of(model).items()
    }


def row_blocks(rows: int, work: int) -> list[slice]:
    """The blocks of a product of so many rows and multiplications."""
    count = min(MAX_BLOCKS, max(1, work // MIN_BLOCK_WORK))
    count = 1 << count.bit_length() - 1  # a power of two, as the number of threads mostly is
    cuts = [rows * number // count for number in range(count + 1)]
    return [slice(*cuts[number : number + 2]) for number in range(count)]


class Network:
    """The forward and the backward pass on ``n`` images with ``k`` samples of each.

    Args:
        layers: The weights, by the names of :func:`links_of`.
        act_func: The model's activation function.
        n: Number of images.
        k: Number of samples of each.
        pool: Runs the blocks of large products; None: this thread does them whole.
        kernels: The module that computes everything, on NumPy's or on CuPy's arrays.
    """

    def __init__(
        self,
        layers: dict[str, Layer],
        act_func: Any,
        n: int,
        k: int = 1,
        pool: Optional[TaskPool] = None,
        kernels: Any = cpu_kernels,
    ) -> None:
        self.layers = layers
        self.kernels = kernels
        self.activation = kernels.ACTIVATIONS[act_func]
        self.n, self.k = n, k
        self.pool = pool
        n_h, n_in = layers["le1"].W.shape
        self.x = self._array(n_in, n)
        self.h1, self.h2 = self._array(n_h, n), self._array(n_h, n)
        self.heads = self._array(len(layers["le3"].W), n)
        self.z = self._array(layers["ld1"].W.shape[1], k * n)
        self.d1, self.d2 = self._array(n_h, k * n), self._array(n_h, k * n)
        self.a = self._array(n_in, k * n)
        self.rec_losses = self._array(MAX_BLOCKS)  # of each block of pixels, summed over the images
        self.rec_losses.fill(0)
        # Scratch memory, used in the shape of the array at hand.
        self._t, self._e = self._array(max(n_h, n_in) * k * n), self._array(n_in, k * n)

    def _array(self, *shape: int) -> Any:
        return self.kernels.empty(shape, self.layers["le1"].W.dtype)

    def allocate_gradients(self) -> None:
        """What :meth:`backward` needs; the gradient by ``a`` of ld3 takes the place of ``a``."""
        self.g_d2, self.g_d1, self.g_z, self.g_heads, self.g_h2, self.g_h1 = (
            self._array(*array.shape)
            for array in (self.d2, self.d1, self.z, self.heads, self.h2, self.h1)
        )

    def encode(self) -> None:
        """From ``x``: ``h1``, ``h2`` and ``heads``."""
        self._layer("le1", self.x, self.h1, self.activation)
        self._layer("le2", self.h1, self.h2, self.activation)
        self._layer("le3", self.h2, self.heads)

    def decode(self) -> None:
        """From ``z``: ``d1`` and ``d2``."""
        self._layer("ld1", self.z, self.d1, self.activation)
        self._layer("ld2", self.d1, self.d2, self.activation)

    def draw_pixels(self) -> None:
        """From ``d2``: the pixels, 1 / (1 + e^-a), into ``a``."""
        self._layer("ld3", self.d2, self.a, self.kernels.ACTIVATIONS[F.sigmoid])

    def reconstruct(self, backward: bool = False) -> None:
        """From ``d2`` and ``x``: ``rec_losses``; and if wanted, g(a) of ld3 into ``a``."""
        layer = self.layers["ld3"]
        layer.wait()

        def task(block: int, rows: slice) -> None:
            self.kernels.dot(layer.W[rows], self.d2, self.a[rows])
            arrays = self.a, self._e, self._scratch(self.a)
            a, e, t = (self._by_sample(array[rows]) for array in arrays)
            b, x, out = layer.b[rows, None], self.x[rows, None], self.rec_losses[block : block + 1]
            self._pixel_losses(a, b, x, e, t, out, scale)

        scale = 1 / (self.k * self.n) if backward else None
        self._by_row_blocks(task, self.a, self.d2)

    def _pixel_losses(self, *arguments: Any) -> None:
        """As ``kernels.bernoulli``, what the model's reconstruction error is."""
        raise NotImplementedError

    def losses(self, C: float) -> tuple[float, float]:
        """loss and rec_loss, per image."""
        rec_loss = float(self.rec_losses.sum()) / (self.k * self.n)
        return rec_loss, rec_loss

    def backward(
        self,
        C: float,
        gradient: Callable[[str, np.ndarray, np.ndarray], None],
        update: Callable[[str], None],
    ) -> None:
        """The gradient by ``a`` of every layer, beginning with that of ld3, which is there.

        Overwrites what the forward pass left.

        Args:
            C: Weight of the KL divergence.
            gradient: Called for each layer, with its name, g(a), shape (n_out, columns), and its
                input h^T, shape (columns, n_in), as soon as they are there.
            update: Called with its name then, as soon as its weights are no longer needed.
        """
        # g(d2) = V3^T g(a), times f'; and so on down
        gradient("ld3", self.a, self.d2.T)
        self._back("ld3", self.a, self.g_d2, self.d2)
        update("ld3")
        gradient("ld2", self.g_d2, self.d1.T)
        self._back("ld2", self.g_d2, self.g_d1, self.d1)
        update("ld2")
        # g(z) = V1^T g(a of ld1)
        gradient("ld1", self.g_d1, self.z.T)
        self._back("ld1", self.g_d1, self.g_z)
        update("ld1")
        self._heads_from_z(C)
        # g(h2) = W3^T g(heads), times f'
        gradient("le3", self.g_heads, self.h2.T)
        self._back("le3", self.g_heads, self.g_h2, self.h2)
        update("le3")
        gradient("le2", self.g_h2, self.h1.T)
        self._back("le2", self.g_h2, self.g_h1, self.h1)
        update("le2")
        gradient("le1", self.g_h1, self.x.T)
        update("le1")

    def _heads_from_z(self, C: float) -> None:
        """``g_heads`` from ``g_z`` and, with the weight C, the KL divergence."""
        raise NotImplementedError

    def _layer(
        self, name: str, h: np.ndarray, a: np.ndarray, activation: Optional[Any] = None
    ) -> None:
        """a = W h + b, and f of it."""
        layer = self.layers[name]
        layer.wait()

        def task(block: int, rows: slice) -> None:
            self.kernels.dot(layer.W[rows], h, a[rows])
            if activation is None:
                self.kernels.add_bias(a[rows], layer.b[rows])
            else:
                activation.apply(a[rows], layer.b[rows], self._scratch(a)[rows])

        self._by_row_blocks(task, a, h)

    def _back(
        self, name: str, g_a: np.ndarray, g_h: np.ndarray, h: Optional[np.ndarray] = None
    ) -> None:
        """g(h) = W^T g(a); and where h = f(a') is a hidden layer, g(a') = g(h) f'(a')."""
        self.kernels.dot(self.layers[name].W.T, g_a, g_h)
        if h is not None:
            self.activation.chain(g_h, h, self._scratch(g_h))

    def _by_row_blocks(
        self, task: Callable[[int, slice], None], a: np.ndarray, h: np.ndarray
    ) -> None:
        """Do ``task`` for all rows of a product ``a`` with ``h``, in blocks if it is large."""
        if self.pool is None:
            task(0, slice(0, len(a)))
        else:
            blocks = row_blocks(len(a), a.size * len(h))
            self.pool.run([partial(task, block, rows) for block, rows in enumerate(blocks)])

    def _scratch(self, a: np.ndarray) -> np.ndarray:
        return self._t[: a.size].reshape(a.shape)

    def _by_sample(self, array: np.ndarray) -> np.ndarray:
        """(rows, k n) as (rows, k, n)."""
        return array.reshape(len(array), self.k, self.n)


class VAENetwork(Network):
    """That of the :class:`VAE <chainer_vae.VAE>`; ``heads`` are ``mu`` and ``ln_var``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        n_latent = len(self.z)
        self.mu, self.ln_var = self.heads[:n_latent], self.heads[n_latent:]
        self.sigma = self._array(n_latent, self.n)
        self.noise = self._array(*self.z.shape)
        self.kl = self._array(1)  # summed over the images

    def sample(self, eps: np.ndarray) -> None:
        """From ``mu`` and ``ln_var``: ``sigma``, ``noise``, ``z`` and ``kl``.

        ``eps`` has the shape (k, n, n_latent), in which Chainer's loop draws it.
        """
        noise, z = self._by_sample(self.noise), self._by_sample(self.z)
        self.kernels.sample(self.mu, self.ln_var, eps, self.sigma, noise, z)
        self.kernels.gaussian_kl(self.mu, self.ln_var, self.sigma, self.kl)

    def losses(self, C: float) -> tuple[float, float]:
        """loss and rec_loss, per image."""
        _, rec_loss = super().losses(C)
        return rec_loss + C * float(self.kl[0]) / self.n, rec_loss

    def _pixel_losses(self, *arguments: Any) -> None:
        self.kernels.bernoulli(*arguments)

    def log_p(self) -> Any:
        """From ``d2`` and ``x``, of one image: ln p(x|z) of each sample, shape (k,)."""
        layer = self.layers["ld3"]
        # sum(x l - ln(1 + e^l)) of the logits l = a + c3
        self.kernels.dot(layer.W, self.d2, self.a)
        of_x = self.x.T.dot(self.a) + self.x.T.dot(layer.b)
        self.kernels.ACTIVATIONS[F.softplus].apply(self.a, layer.b, self._scratch(self.a))
        return (of_x - self.a.sum(axis=0, dtype=np.float64))[0]

    def _heads_from_z(self, C: float) -> None:
        # g(mu) = sum_k g(z) + C mu / B
        # g(ln_var) = sum_k g(z) sigma eps / 2 + C (sigma^2 - 1) / (2 B)
        n_latent = len(self.z)
        g_mu, g_ln_var = self.g_heads[:n_latent], self.g_heads[n_latent:]
        g_z, noise = self._by_sample(self.g_z), self._by_sample(self.noise)
        self.kernels.sample_chain(g_mu, g_ln_var, g_z, noise, self.mu, self.sigma, C / self.n)


class AutoencoderNetwork(Network):
    """That of the :class:`Autoencoder <chainer_vae.Autoencoder>`; ``heads`` are ``z``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.z = self.heads

    def allocate_gradients(self) -> None:
        super().allocate_gradients()
        self.g_heads = self.g_z

    def _pixel_losses(self, *arguments: Any) -> None:
        self.kernels.squared_error(*arguments)

    def _heads_from_z(self, C: float) -> None:
        """They are the same."""


def network_of(model: Model) -> type[Network]:
    """The class of a model's networks."""
    return VAENetwork if isinstance(model, VAE) else AutoencoderNetwork
