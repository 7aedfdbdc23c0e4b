"""Networks made small enough for a page, and still exact enough.

What a trained decoder gives, in the part of its latent space that a page shows, needs less than
its weights: hidden units that are the same everywhere there (many, with two latent units) are
folded into the biases after them, pixels that stay black are left out, and the weights are
rounded to a whole number of steps, as coarse as the tolerance allows.  Each is measured, not
estimated: the result is compared with the whole network on the codes that are given.
"""

from dataclasses import dataclass, field
from typing import Callable, Union

import chainer
import numpy as np

from chainer_vae.errors import InputError
from chainer_vae.model import VAE, Autoencoder

# Of hidden layers, in float64; the page has the same.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softplus": lambda a: np.logaddexp(0, a),
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(0, a),
    "sigmoid": lambda a: np.exp(-np.logaddexp(0, -a)),
}
COARSEST, FINEST = 2, 24  # steps are from 2^-2 to 2^-24, finer than float32 where it matters


@dataclass
class Layer:
    """An affine map, ``h W^T + b``, in float64."""

    W: np.ndarray  # (n_out, n_in)
    b: np.ndarray  # (n_out,)
    # What the numbers in each row of W are multiples of, (n_out, 1); 0 before they are rounded.
    step: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))

    def rounded(self, step: np.ndarray) -> "Layer":
        return Layer(np.rint(self.W / step) * step, self.b, step)


@dataclass
class Network:
    """A perceptron: affine layers, with an activation between them."""

    act: str  # a key of ACTIVATIONS
    layers: list[Layer]
    sigmoid: bool  # whether the last layer's outputs are logits of what is wanted

    def __call__(self, h: np.ndarray) -> np.ndarray:
        """The outputs (number, n_out) for inputs (number, n_in)."""
        return self.hidden(h)[-1]

    def hidden(self, h: np.ndarray) -> list[np.ndarray]:
        """What each layer gives, after its activation; the outputs last."""
        outputs = []
        for layer in self.layers:
            h = h @ layer.W.T + layer.b
            last = layer is self.layers[-1]
            h = ACTIVATIONS["sigmoid" if last else self.act](h) if self.sigmoid or not last else h
            outputs.append(h)
        return outputs


def decoder_of(model: Union[VAE, Autoencoder], act: str) -> Network:
    """The decoder of a model: from codes to the probability of each pixel."""
    return Network(act, [_layer(link) for link in (model.ld1, model.ld2, model.ld3)], True)


def encoder_of(model: VAE, act: str) -> Network:
    """The encoder of a VAE: from images to ``mu`` and ``ln_var``, side by side."""
    mu, ln_var = _layer(model.le3_mu), _layer(model.le3_ln_var)
    last = Layer(np.concatenate([mu.W, ln_var.W]), np.concatenate([mu.b, ln_var.b]))
    return Network(act, [_layer(model.le1), _layer(model.le2), last], False)


def _layer(link: chainer.Link) -> Layer:
    W, b = (chainer.backends.cuda.to_cpu(p.array).astype(np.float64) for p in (link.W, link.b))
    return Layer(W, b)


def drop_inputs(network: Network, used: np.ndarray) -> Network:
    """The network of the inputs that are not always 0: those where ``used`` is True."""
    first, *rest = network.layers
    return Network(network.act, [Layer(first.W[:, used], first.b), *rest], network.sigmoid)


def drop_outputs(network: Network, used: np.ndarray) -> Network:
    """The network of some of the outputs: those where ``used`` is True."""
    *rest, last = network.layers
    return Network(network.act, [*rest, Layer(last.W[used], last.b[used])], network.sigmoid)


def fold_constant_units(network: Network, inputs: np.ndarray, tolerance: float) -> Network:
    """Leave out the hidden units that are nearly the same for all inputs.

    Args:
        network: Not rounded.
        inputs: Shape (number, n_in).
        tolerance: What no output may differ by for these.
    """
    expected = network(inputs)
    hidden = network.hidden(inputs)[:-1]
    means = [h.mean(axis=0) for h in hidden]
    # How far a unit can move what comes next.
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
    return network


def round_weights(
    network: Network, inputs: np.ndarray, tolerance: Union[float, np.ndarray]
) -> Network:
    """Round the weights to multiples of powers of two, as large as can be: one for each hidden
    layer, and one for each output.

    Args:
        network: Not rounded.
        inputs: Shape (number, n_in).
        tolerance: What no output may differ by for these; one number, or one for each output.

    Raises:
        InputError: The network's outputs are not finite.
    """
    expected = network(inputs)
    if not np.isfinite(expected).all():
        raise InputError("the model gives numbers that are not finite: it cannot be used")

    def errors(layers: list[Layer], inputs: np.ndarray) -> np.ndarray:
        """Of each output, the largest, as a part of the tolerance."""
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
            # Errors of several layers hardly ever add up in full: half the tolerance for each.
            excess = np.log2(np.maximum(2 * found, 1e-9))[:, None]
            if (excess <= 0).all():
                break
            # They are about proportional to the step, once they are small.
            exponent = exponent + np.where(excess > 0, np.clip(excess // 1, 1, 6), 0).astype(int)
        exponents.append(exponent)
    while True:
        rounded = [layer.rounded(2.0**-e) for layer, e in zip(layers, exponents)]
        if max(e.max() for e in exponents) >= FINEST or errors(rounded, inputs).max() <= 1:
            return Network(network.act, rounded, network.sigmoid)
        exponents = [e + 1 for e in exponents]
