"""A training step of the VAE that spends its time on the matrix products.

The same computation as ``get_loss_func(C, k)``, ``backward`` and Chainer's Adam, on the same
arrays, with the gradients derived by hand.  Columns are images: with B images of n_in pixels, ``x``
has the shape (n_in, B), and a layer is a = W h + b, h' = f(a), as on paper.

Forward, with k samples of z for each image (for these, the decoder has k B columns):

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

Backward, with g(y) for dloss/dy.  Through a layer a = W h + b, h' = f(a):

    g(a) = g(h') f'(a)        g(W) = g(a) h^T        g(b) = g(a) 1        g(h) = W^T g(a)

and, from the loss,

    g(a) = (1 / (1 + e^-a) - x) / (k B)                 of ld3
    g(mu) = sum_k g(z) + C mu / B                       since dz/dmu = 1
    g(ln_var) = sum_k g(z) sigma eps / 2 + C (sigma^2 - 1) / (2 B)
                                                        since dz/dln_var = sigma eps / 2

Nobody needs g(W), and the new W, before the next step's product with W: other threads
(:mod:`chainer_vae.team`) work on them while this one goes on.  The products are cut the same way
whatever the number of threads is, and so the results do not depend on it.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, section 2.4 and appendices B
and C; Kingma and Ba, "Adam", 2014.
"""

import math
from functools import partial
from typing import Any, Callable, Optional

import chainer
import chainer.links as L
import numpy as np

from chainer_vae import kernels_cpu
from chainer_vae.model import VAE
from chainer_vae.team import Crew, Pending

SHARE = 2**26  # multiplications in the share of a product that one task does, at least
SHARES = 4  # of a product, at most


def unsupported(model: Any, optimizer: Any = None) -> Optional[str]:
    """Why the engine cannot compute this model, or with this optimizer; None where it can."""
    if type(model) is not VAE:
        return f"the model is of class {type(model).__name__}, not the article's VAE"
    if model.act_func not in kernels_cpu.ACTIVATIONS:
        return "the activation is none of softplus, tanh, relu and sigmoid"
    dtypes = {param.dtype for param in model.params()}
    if dtypes != {np.dtype("f4")} and (dtypes != {np.dtype("f8")} or model.xp is not np):
        return "the parameters are not all float32 (or, on the CPU, float64)"
    if model.xp is not np:
        from chainer_vae import kernels_gpu  # where there is CuPy

        fault = kernels_gpu.fault()
        if fault is not None:
            return fault
    if optimizer is None:
        return None
    if type(optimizer) is not chainer.optimizers.Adam:
        return f"the optimizer is {type(optimizer).__name__}, not Adam"
    if optimizer.target is not model:
        return "the optimizer is not set up for the model"
    hyper = optimizer.hyperparam.get_dict()
    if hyper["amsgrad"] or hyper["adabound"] or hyper["weight_decay_rate"] or hyper["eta"] != 1:
        return "the optimizer is another variant of Adam"
    rules = [param.update_rule for param in model.params()]
    if not all(rule.enabled and rule.hyperparam.get_dict() == hyper for rule in rules):
        return "a parameter has an update rule of its own"
    if any(rule.t != optimizer.t for rule in rules):
        return "not all parameters have been updated as often"
    hooked = [optimizer._hookable, *(rule._hookable for rule in rules)]
    if any(hooks._pre_update_hooks or hooks._post_update_hooks for hooks in hooked):
        return "the optimizer has hooks"
    return None


class Layer:
    """An affine map: weights ``W``, shape (n_out, n_in), and biases ``b``, shape (n_out, 1)."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W = W
        self.b = b.reshape(-1, 1)
        self.update: Optional[Pending] = None  # by the last step, maybe not done yet

    def wait(self) -> None:
        """See to it that ``W`` and ``b`` are those after the last step."""
        if self.update is not None:
            self.update.wait()
            self.update = None


def links_of(model: VAE) -> dict[str, list[L.Linear]]:
    """The links that make up each layer; the encoder's two heads are one."""
    links = {name: [model[name]] for name in ("le1", "le2", "ld1", "ld2", "ld3")}
    return {**links, "le3": [model.le3_mu, model.le3_ln_var]}


def layers_of(model: VAE) -> dict[str, Layer]:
    """The weights of a model, to be used before they change."""
    return {
        name: Layer(
            *(
                model.xp.concatenate(arrays) if len(arrays) > 1 else arrays[0]
                for arrays in ([link.W.array for link in links], [link.b.array for link in links])
            )
        )
        for name, links in links_of(model).items()
    }


class Network:
    """The forward and the backward pass on ``n`` images with ``k`` samples of each.

    Args:
        layers: The weights, by the names of :func:`links_of`.
        act_func: The model's activation function.
        n: Number of images.
        k: Number of samples of each.
        team: Shares the large products; None: this thread does them whole.
        kernels: The module that computes everything, on NumPy's or on CuPy's arrays.
    """

    def __init__(
        self,
        layers: dict[str, Layer],
        act_func: Any,
        n: int,
        k: int,
        team: Optional[Crew] = None,
        kernels: Any = kernels_cpu,
    ) -> None:
        self.layers = layers
        self.kernels = kernels
        self.activation = kernels.ACTIVATIONS[act_func]
        self.n, self.k = n, k
        self.team = team
        n_h, n_in = layers["le1"].W.shape
        n_latent = layers["ld1"].W.shape[1]

        def array(*shape: int) -> Any:
            return kernels.empty(shape, layers["le1"].W.dtype)

        self.x = array(n_in, n)
        self.h1, self.h2 = array(n_h, n), array(n_h, n)
        self.heads = array(2 * n_latent, n)
        self.mu, self.ln_var = self.heads[:n_latent], self.heads[n_latent:]
        self.sigma = array(n_latent, n)
        self.noise, self.z = array(n_latent, k * n), array(n_latent, k * n)
        self.d1, self.d2 = array(n_h, k * n), array(n_h, k * n)
        self.a = array(n_in, k * n)
        self.rec_losses = array(SHARES)  # of the shares of the pixels, summed over the images
        self.rec_losses.fill(0)
        self.kl = array(1)  # summed over the images
        # To work in, in the shape of the array at hand.
        self._t, self._e = array(max(n_h, n_in) * k * n), array(n_in, k * n)

    def allocate_gradients(self) -> None:
        """What :meth:`backward` needs; the gradient by ``a`` of ld3 takes the place of ``a``."""
        n_h, n_latent = len(self.h1), len(self.mu)

        def like(array: Any, rows: int) -> Any:
            return self.kernels.empty((rows, array.shape[1]), array.dtype)

        self.g_d2, self.g_d1 = like(self.d2, n_h), like(self.d1, n_h)
        self.g_z = like(self.z, n_latent)
        self.g_heads = like(self.heads, 2 * n_latent)
        self.g_mu, self.g_ln_var = self.g_heads[:n_latent], self.g_heads[n_latent:]
        self.g_h2, self.g_h1 = like(self.h2, n_h), like(self.h1, n_h)

    def encode(self) -> None:
        """From ``x``: ``h1``, ``h2``, and ``heads``, which are ``mu`` and ``ln_var``."""
        self._layer("le1", self.x, self.h1)
        self._layer("le2", self.h1, self.h2)
        self._layer("le3", self.h2, self.heads, activate=False)

    def sample(self, eps: np.ndarray) -> None:
        """From ``mu`` and ``ln_var``: ``sigma``, ``noise``, ``z`` and ``kl``.

        ``eps`` has the shape (k, n, n_latent), in which Chainer's loop draws it.
        """
        noise, z = self._by_sample(self.noise), self._by_sample(self.z)
        self.kernels.sample(self.mu, self.ln_var, eps, self.sigma, noise, z)
        self.kernels.gaussian_kl(self.mu, self.ln_var, self.sigma, self.kl)

    def decode(self) -> None:
        """From ``z``: ``d1`` and ``d2``."""
        self._layer("ld1", self.z, self.d1)
        self._layer("ld2", self.d1, self.d2)

    def reconstruct(self, backward: bool = False) -> None:
        """From ``d2`` and ``x``: ``rec_losses``; and if wanted, g(a) of ld3 into ``a``."""
        layer = self.layers["ld3"]
        layer.wait()

        def task(share: int, rows: slice) -> None:
            self.kernels.dot(layer.W[rows], self.d2, self.a[rows])
            arrays = self.a, self._e, self._scratch(self.a)
            a, e, t = (self._by_sample(array[rows]) for array in arrays)
            b, x, out = layer.b[rows, None], self.x[rows, None], self.rec_losses[share : share + 1]
            self.kernels.bernoulli(a, b, x, e, t, out, scale)

        scale = 1 / (self.k * self.n) if backward else None
        self._share(task, self.a, self.d2)

    def losses(self, C: float) -> tuple[float, float]:
        """loss and rec_loss, per image."""
        rec_loss = float(self.rec_losses.sum()) / (self.k * self.n)
        return rec_loss + C * float(self.kl[0]) / self.n, rec_loss

    def backward(self, C: float, then: Callable[[str, np.ndarray, np.ndarray], None]) -> None:
        """The gradient by ``a`` of every layer, beginning with that of ld3, which is there.

        Overwrites what the forward pass left.

        Args:
            C: Weight of the divergence.
            then: Called for each layer, with its name, g(a), shape (n_out, columns), and its input
                h^T, shape (columns, n_in), as soon as its weights are not needed here any more.
        """
        # g(d2) = V3^T g(a), times f'; and so on down
        self._back("ld3", self.a, self.g_d2, self.d2)
        then("ld3", self.a, self.d2.T)
        self._back("ld2", self.g_d2, self.g_d1, self.d1)
        then("ld2", self.g_d2, self.d1.T)
        # g(z) = V1^T g(a of ld1)
        self._back("ld1", self.g_d1, self.g_z)
        then("ld1", self.g_d1, self.z.T)
        # g(mu) = sum_k g(z) + C mu / B
        # g(ln_var) = sum_k g(z) sigma eps / 2 + C (sigma^2 - 1) / (2 B)
        g_z, noise = self._by_sample(self.g_z), self._by_sample(self.noise)
        self.kernels.sample_chain(
            self.g_mu, self.g_ln_var, g_z, noise, self.mu, self.sigma, C / self.n
        )
        # g(h2) = W3^T (g(mu); g(ln_var)), times f'
        self._back("le3", self.g_heads, self.g_h2, self.h2)
        then("le3", self.g_heads, self.h2.T)
        self._back("le2", self.g_h2, self.g_h1, self.h1)
        then("le2", self.g_h2, self.h1.T)
        then("le1", self.g_h1, self.x.T)

    def _layer(self, name: str, h: np.ndarray, a: np.ndarray, activate: bool = True) -> None:
        """a = W h + b, and f of it."""
        layer = self.layers[name]
        layer.wait()

        def task(share: int, rows: slice) -> None:
            self.kernels.dot(layer.W[rows], h, a[rows])
            if activate:
                self.activation.apply(a[rows], layer.b[rows], self._scratch(a)[rows])
            else:
                self.kernels.add_bias(a[rows], layer.b[rows])

        self._share(task, a, h)

    def _back(
        self, name: str, g_a: np.ndarray, g_h: np.ndarray, h: Optional[np.ndarray] = None
    ) -> None:
        """g(h) = W^T g(a); and where h = f(a') is a hidden layer, g(a') = g(h) f'(a')."""
        W = self.layers[name].W

        def task(share: int, rows: slice) -> None:
            self.kernels.dot(W[:, rows].T, g_a, g_h[rows])
            if h is not None:
                self.activation.chain(g_h[rows], h[rows], self._scratch(g_h)[rows])

        self._share(task, g_h, g_a)

    def _share(self, task: Callable[[int, slice], None], a: np.ndarray, h: np.ndarray) -> None:
        """Do ``task`` for all rows of a product ``a`` with ``h``, in shares if it is large."""
        shares = min(SHARES, max(1, a.size * len(h) // SHARE))
        if shares == 1 or self.team is None:
            task(0, slice(0, len(a)))
        else:
            cuts = [len(a) * i // shares for i in range(shares + 1)]
            self.team.run([partial(task, i, slice(*cuts[i : i + 2])) for i in range(shares)])

    def _scratch(self, a: np.ndarray) -> np.ndarray:
        return self._t[: a.size].reshape(a.shape)

    def _by_sample(self, array: np.ndarray) -> np.ndarray:
        """(rows, k n) as (rows, k, n)."""
        return array.reshape(len(array), self.k, self.n)


class JoinedModel:
    """A model and its optimizer, on the arrays that these hold, and the update of each layer.

    From now on the parameters, and Adam's moments of them, are parts of three long arrays.  Chainer
    may go on with them, save them and load into them whenever no update is under way, that is,
    after :meth:`finish`.

    Args:
        model: The model.
        optimizer: Its Adam.
        C (float): Weight of the divergence in the loss.
        k (int): Number of samples for each image.
        team: Who does the updates.
        kernels: What computes: :mod:`chainer_vae.kernels_cpu`, or on a GPU ``kernels_gpu``.

    Raises:
        ValueError: The engine cannot compute this; see :func:`unsupported`.
    """

    def __init__(
        self,
        model: VAE,
        optimizer: chainer.optimizers.Adam,
        C: float,
        k: int,
        team: Crew,
        kernels: Any,
    ) -> None:
        fault = unsupported(model, optimizer)
        if fault is not None:
            raise ValueError(f"the engine cannot train this: {fault}")
        self.model, self.optimizer = model, optimizer
        self.C, self.k = C, k
        self.team = team
        self.kernels = kernels
        size, dtype = sum(param.size for param in model.params()), model.le1.W.dtype
        self.p, self.m, self.v, self.g = (kernels.empty((size,), dtype) for _ in "pmvg")
        self.layers: dict[str, Layer] = {}
        self._gradients: dict[str, Layer] = {}
        self._places: dict[str, slice] = {}  # of the layers in the long arrays
        self._join()

    def _join(self) -> None:
        """Make every parameter, and Adam's moments of it, a part of ``p``, ``m`` and ``v``."""
        start = 0
        for name, links in links_of(self.model).items():
            n_in = links[0].W.shape[1]
            n_out = sum(len(link.W) for link in links)
            biases, end = start + n_out * n_in, start + n_out * (n_in + 1)
            self.layers[name] = Layer(self.p[start:biases].reshape(n_out, n_in), self.p[biases:end])
            self._gradients[name] = Layer(
                self.g[start:biases].reshape(n_out, n_in), self.g[biases:end]
            )
            self._places[name] = slice(start, end)
            for param in [link.W for link in links] + [link.b for link in links]:
                self._adopt(param, slice(start, start + param.size))
                start += param.size

    def _adopt(self, param: chainer.Parameter, place: slice) -> None:
        rule = param.update_rule
        rule._init_states(param)
        for whole, part in (
            (self.p, param.array),
            (self.m, rule.state["m"]),
            (self.v, rule.state["v"]),
        ):
            whole[place] = part.reshape(-1)
        param.array = self.p[place].reshape(param.shape)
        rule.state["m"] = self.m[place].reshape(param.shape)
        rule.state["v"] = self.v[place].reshape(param.shape)

    def finish(self) -> None:
        """Return once the parameters are those after the last step."""
        for layer in self.layers.values():
            layer.wait()

    def _update(self, name: str, g_a: np.ndarray, h_T: np.ndarray) -> None:
        """Let the team compute the gradient of a layer, and make Adam's step with it."""

        def task() -> None:
            self._gradient(name, g_a, h_T)
            self._descend(name)

        self.layers[name].update = self.team.begin([task])

    def _gradient(self, name: str, g_a: np.ndarray, h_T: np.ndarray) -> None:
        """g(W) = g(a) h^T, g(b) = g(a) 1"""
        gradient = self._gradients[name]
        self.kernels.dot(g_a, h_T, gradient.W)
        self.kernels.sum_columns(g_a, gradient.b)

    def _descend(self, name: str) -> None:
        hyper, t = self.optimizer.hyperparam, self.optimizer.t
        step = hyper.alpha * math.sqrt(1 - hyper.beta2**t) / (1 - hyper.beta1**t)
        p, m, v, g = (array[self._places[name]] for array in (self.p, self.m, self.v, self.g))
        self.kernels.adam(p, m, v, g, step, hyper.beta1, hyper.beta2, hyper.eps)


class Engine(JoinedModel):
    """Training steps, one batch at a time; the arguments are those of :class:`JoinedModel`."""

    def __init__(
        self,
        model: VAE,
        optimizer: chainer.optimizers.Adam,
        C: float,
        k: int,
        team: Crew,
        kernels: Any = kernels_cpu,
    ) -> None:
        super().__init__(model, optimizer, C, k, team, kernels)
        # By their numbers of images; two of each, in turn, because the updates of the last step
        # may still read its arrays.
        self._networks: dict[tuple[int, bool], Network] = {}
        self._turn = False

    def step(self, x: np.ndarray) -> tuple[float, float]:
        """One step of the optimizer on a batch.

        Where the loss is not finite, the parameters stay as they are.

        Args:
            x: Images in [0, 1], shape (B, n_in).

        Returns:
            tuple of float: loss and rec_loss, in nats per image, as :meth:`VAE.get_loss_func` has
            them.

        Raises:
            ValueError: The shape of ``x`` is not (B, n_in), or B is 0.
        """
        network = self._forward(x)
        losses = network.losses(self.C)
        if math.isfinite(losses[0]):
            self.optimizer.t += 1
            for param in self.model.params():
                param.update_rule.t += 1
            network.backward(self.C, self._update)
        return losses

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The gradient of the loss by every parameter, by the names of ``model.namedparams()``.

        Args:
            x: As for :meth:`step`.
        """
        self._forward(x).backward(self.C, self._gradient)
        found, start = {}, 0
        names = {id(param): name for name, param in self.model.namedparams()}
        for links in links_of(self.model).values():
            for param in [link.W for link in links] + [link.b for link in links]:
                part = self.g[start : start + param.size]
                found[names[id(param)]] = part.reshape(param.shape).copy()
                start += param.size
        return found

    def _forward(self, x: np.ndarray) -> Network:
        n_in = self.layers["le1"].W.shape[1]
        if x.ndim != 2 or x.shape[1] != n_in or len(x) == 0:
            raise ValueError(f"x has shape {x.shape}, but this model needs (batch size, {n_in})")
        self._turn = not self._turn
        key = len(x), self._turn
        if key not in self._networks:
            self._networks[key] = Network(
                self.layers, self.model.act_func, len(x), self.k, self.team, self.kernels
            )
            self._networks[key].allocate_gradients()
        network = self._networks[key]
        network.x[...] = x.T
        network.encode()
        network.sample(self.kernels.draw((self.k, len(x), len(network.mu))))
        network.decode()
        network.reconstruct(backward=True)
        return network
