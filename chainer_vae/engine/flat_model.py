"""A model and its Adam in flat arrays: what a step on the CPU and one on the GPU share.

Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014.
"""

import math
from functools import partial
from typing import Any, Callable

import chainer
import numpy as np

from chainer_vae.engine.network import Layer, Model, links_of, params_of
from chainer_vae.engine.support import unsupported
from chainer_vae.engine.threads import TaskPool


class FlatModel:
    """A model and its optimizer in flat arrays, and the update of each layer.

    The parameters, and Adam's moments of them, become parts of three flat arrays.  Chainer may
    train them, save them and load into them whenever no update is running, that is, after
    :meth:`finish`.  Where something else took their place, :meth:`is_current` says so.

    Nothing needs g(W), and the new W, before the next step's product with W: the pool computes them
    while the rest of the step runs, each as soon as it can be.

    Args:
        model: The model.
        optimizer: Its Adam.
        C (float): Weight of the KL divergence in a VAE's loss.
        k (int): Number of samples for each image; 1 for an autoencoder.
        pool: Runs the updates.
        kernels: What computes: :mod:`chainer_vae.engine.cpu_kernels` or, on a GPU, ``gpu_kernels``.

    Raises:
        ValueError: The engine cannot compute this; see :func:`unsupported`.
    """

    def __init__(
        self,
        model: Model,
        optimizer: chainer.optimizers.Adam,
        C: float,
        k: int,
        pool: TaskPool,
        kernels: Any,
    ) -> None:
        fault = unsupported(model, optimizer)
        if fault is not None:
            raise ValueError(f"the engine cannot train this: {fault}")
        self.model, self.optimizer = model, optimizer
        self.C, self.k = C, k
        self.pool = pool
        self.kernels = kernels
        size, dtype = sum(param.size for param in model.params()), model.le1.W.dtype
        self.p, self.m, self.v, self.g = (kernels.empty((size,), dtype) for _ in "pmvg")
        self.layers: dict[str, Layer] = {}
        self._gradients: dict[str, Layer] = {}
        self._slices: dict[str, slice] = {}  # of the layers in the flat arrays
        self._act_func = model.act_func
        self._adopted: list[tuple[chainer.Parameter, Any, Any, Any]] = []  # with p, m and v of each
        self._flatten()

    def _flatten(self) -> None:
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
            self._slices[name] = slice(start, end)
            for param in params_of(links):
                self._adopt(param, slice(start, start + param.size))
                start += param.size

    def _adopt(self, param: chainer.Parameter, part: slice) -> None:
        rule = param.update_rule
        rule._init_states(param)
        for flat, array in (
            (self.p, param.array),
            (self.m, rule.state["m"]),
            (self.v, rule.state["v"]),
        ):
            flat[part] = array.reshape(-1)
        p, m, v = (flat[part].reshape(param.shape) for flat in (self.p, self.m, self.v))
        param.array = p
        rule.state.update(m=m, v=v)
        self._adopted.append((param, p, m, v))

    def is_current(self) -> bool:
        """Whether the model and its optimizer still are what this was made for."""
        if unsupported(self.model, self.optimizer) is not None:
            return False
        params = [p for links in links_of(self.model).values() for p in params_of(links)]
        return self.model.act_func is self._act_func and all(
            param is adopted
            and param.array is p
            and param.update_rule.state is not None
            and param.update_rule.state["m"] is m
            and param.update_rule.state["v"] is v
            for param, (adopted, p, m, v) in zip(params, self._adopted)
        )

    def finish(self) -> None:
        """Return once the parameters are those after the last step."""
        for layer in self.layers.values():
            layer.wait()

    def _gradient(
        self, name: str, g_a: np.ndarray, h_T: np.ndarray, rows: slice = slice(None)
    ) -> None:
        """g(W) = g(a) h^T, g(b) = g(a) 1, or some rows of them."""
        gradient = self._gradients[name]
        self.kernels.dot(g_a[rows], h_T, gradient.W[rows])
        self.kernels.sum_columns(g_a[rows], gradient.b[rows])

    def _adam(self, name: str) -> Callable[[], None]:
        """Adam's step of a layer with its gradient, by Adam's settings as they are now."""
        p, m, v, g = (array[self._slices[name]] for array in (self.p, self.m, self.v, self.g))
        return partial(self.kernels.adam, p, m, v, g, *self._adam_settings())

    def _adam_settings(self) -> tuple[Any, ...]:
        """What the kernel ``adam`` takes beside the arrays."""
        hyper, t = self.optimizer.hyperparam, self.optimizer.t
        step = hyper.alpha * math.sqrt(1 - hyper.beta2**t) / (1 - hyper.beta1**t)
        return step, hyper.beta1, hyper.beta2, hyper.eps
