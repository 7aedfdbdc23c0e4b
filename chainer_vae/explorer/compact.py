"""Shrink trained networks to fit into a page, within a given tolerance.

A page shows only a part of the latent space. There, a decoder can be made smaller:

- hidden units with a constant output (many, in a 2-dimensional latent space) are folded into the
  biases of the next layer,
- pixels that stay black are dropped,
- weights are rounded to multiples of a step, as coarse as the tolerance allows.

The error is measured, not estimated: the result is compared with the whole network on given
latent vectors.
"""

from dataclasses import dataclass, field
from typing import Callable, Union

import chainer
import numpy as np

from chainer_vae.errors import InputError
from chainer_vae.model import VAE, Autoencoder

# Activations of hidden layers, in float64; the page implements the same ones.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softplus": lambda a: np.logaddexp(0, a),
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(0, a),
    "sigmoid": lambda a: np.exp(-np.logaddexp(0, -a)),
}
COARSEST, FINEST = 2, 24  # steps range from 2^-2 to 2^-24, finer than float32 where it matters


@dataclass
class Layer:
    """An affine layer, ``h W^T + b``, in float64."""

    W: np.ndarray  # (n_out, n_in)
    b: np.ndarray  # (n_out,)
    # The rounding step, shape (n_out, 1): each row of W holds multiples of it. 0: not rounded.
    step: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))

    def rounded(self, step: np.ndarray) -> "Layer":
        """The layer with its weights rounded to multiples of ``step``, shape (n_out, 1)."""
        return Layer(np.rint(self.W / step) * step, self.b, step)


@dataclass
class Network:
    """A multilayer perceptron: affine layers with activations between them."""

    act: str  # a key of ACTIVATIONS
    layers: list[Layer]
    sigmoid: bool  # whether a sigmoid follows the last layer, whose outputs are then logits

    def __call__(self, h: np.ndarray) -> np.ndarray:
        """Map inputs (number, n_in) to outputs (number, n_out)."""
        return self.hidden(h)[-1]

    def hidden(self, h: np.ndarray) -> list[np.ndarray]:
        """The values after each layer and its activation; the outputs come last.

        Args:
            h: Inputs, shape (number, n_in).

        Returns:
            list: An array of shape (number, n_out) for each layer.
        """
        outputs = []
        for layer in self.layers:
            h = h @ layer.W.T + layer.b
            last = layer is self.layers[-1]
            h = ACTIVATIONS["sigmoid" if last else self.act](h) if self.sigmoid or not last else h
            outputs.append(h)
        return outputs


def decoder_of(model: Union[VAE, Autoencoder], act: str) -> Network:
    """The decoder of a model: from latent vectors (number, n_latent) to pixel probabilities.

    ``act`` names its activation, a key of ACTIVATIONS. The network outputs (number, n_in).
    """
    return Network(act, [_layer(link) for link in (model.ld1, model.ld2, model.ld3)], True)


def encoder_of(model: VAE, act: str) -> Network:
    """The encoder of a VAE: from images (number, n_in) to ``mu`` and ``ln_var``.

    ``act`` names its activation, a key of ACTIVATIONS. The network concatenates ``mu`` and
    ``ln_var`` into one output (number, 2 n_latent).
    """
    mu, ln_var = _layer(model.le3_mu), _layer(model.le3_ln_var)
    last = Layer(np.concatenate([mu.W, ln_var.W]), np.concatenate([mu.b, ln_var.b]))
    return Network(act, [_layer(model.le1), _layer(model.le2), last], False)


def _layer(link: chainer.Link) -> Layer:
    W, b = (chainer.backends.cuda.to_cpu(p.array).astype(np.float64) for p in (link.W, link.b))
    return Layer(W, b)


def drop_inputs(network: Network, used: np.ndarray) -> Network:
    """Keep only some inputs: those with True in ``used``, shape (n_in,). The others must be 0."""
    first, *rest = network.layers
    return Network(network.act, [Layer(first.W[:, used], first.b), *rest], network.sigmoid)


def drop_outputs(network: Network, used: np.ndarray) -> Network:
    """Keep only some outputs: those with True in ``used``, shape (n_out,)."""
    *rest, last = network.layers
    return Network(network.act, [*rest, Layer(last.W[used], last.b[used])], network.sigmoid)


def fold_constant_units(network: Network, inputs: np.ndarray, tolerance: float) -> Network:
    """Drop hidden units that are nearly constant over the inputs, and adapt the next biases.

    Args:
        network: A network that is not rounded yet.
        inputs: The inputs to measure on, shape (number, n_in).
        tolerance: The largest change allowed in any output for these inputs.

    Returns:
        Network: The network with fewer hidden units, or with all if none can be dropped.
    """
    expected = network(inputs)
    hidden = network.hidden(inputs)[:-1]
    means = [h.mean(axis=0) for h in hidden]
    # By how much a unit can change the next layer.
    reach = [
        np.abs(h - mean).max(axis=0) * np.abs(layer.W).max(axis=0)
        for h, mean, layer in zip(hidden, means, network.layers[1:])
    ]
    least = 16 * tolerance
    while least > tolerance / 1000:
        layers = [Layer(layer.W, layer.b) for layer in network.layers]
        for i, (mean, moves) in enumerate(zip(means, reach)):
            kept = moves > least
            layer, after = layers[i], layers[i + 1]
            layers[i] = Layer(layer.W[kept], layer.b[kept])
            layers[i + 1] = Layer(after.W[:, kept], after.b + after.W[:, ~kept] @ mean[~kept])
        folded = Network(network.act, layers, network.sigmoid)
        if np.abs(folded(inputs) - expected).max() <= tolerance:
            return folded
        least /= 2
    return network  # no cover: where rounding alone exceeds the tolerance


def round_weights(
    network: Network, inputs: np.ndarray, tolerance: Union[float, np.ndarray]
) -> Network:
    """Round the weights to multiples of a power of two, as coarse as the tolerance allows.

    Each hidden layer has one step, and the last layer one per output. The search ends at steps of
    about 2^-24: with very large weights, the error may therefore exceed the tolerance.

    Args:
        network: A network that is not rounded yet.
        inputs: The inputs to measure on, shape (number, n_in).
        tolerance: The largest change allowed in an output for these inputs: one number, or one
            per output, shape (n_out,).

    Returns:
        Network: The rounded network.

    Raises:
        InputError: The outputs of the network are not finite.
    """
    expected = network(inputs)
    if not np.isfinite(expected).all():
        raise InputError("the model cannot be used: its outputs are not finite")

    def errors(layers: list[Layer], inputs: np.ndarray) -> np.ndarray:
        """The largest error of each output, relative to the tolerance."""
        outputs = Network(network.act, layers, network.sigmoid)(inputs)
        return np.abs(outputs - expected).max(axis=0) / tolerance

    layers = network.layers
    exponents = []
    for i, (layer, before) in enumerate(zip(layers, [inputs, *network.hidden(inputs)])):
        exponent = np.full((len(layer.W), 1), COARSEST)
        while exponent.max() < FINEST:
            found = errors([layer.rounded(2.0**-exponent), *layers[i + 1 :]], before)
            if i < len(layers) - 1:
                found = found.max(keepdims=True)
            # Give each layer half the tolerance: errors of several layers rarely add up in full.
            excess = np.log2(np.maximum(2 * found, 1e-9))[:, None]
            if (excess <= 0).all():
                break
            # Small errors are about proportional to the step.
            exponent = exponent + np.where(excess > 0, np.clip(excess // 1, 1, 6), 0).astype(int)
        exponents.append(exponent)
    while True:
        rounded = [layer.rounded(2.0**-e) for layer, e in zip(layers, exponents)]
        if max(e.max() for e in exponents) >= FINEST or errors(rounded, inputs).max() <= 1:
            return Network(network.act, rounded, network.sigmoid)
        exponents = [e + 1 for e in exponents]  # no cover: where errors of layers add up in full
