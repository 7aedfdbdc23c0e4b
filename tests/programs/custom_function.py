"""A FunctionNode of one's own, differentiated twice; hooks, modes, forget, and the graph.

Usage: custom_function.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import numpy as np
from chainer import gradient_check
from chainer.computational_graph import build_computational_graph
from chainer.utils import type_check


class SquaredSoftplus(chainer.FunctionNode):
    """log(1 + exp(x)) ** 2 * w"""

    def check_type_forward(self, in_types):
        type_check.expect(in_types.size() == 2)
        x, w = in_types
        type_check.expect(x.dtype.kind == "f", x.dtype == w.dtype, x.shape == w.shape)

    def forward(self, inputs):
        x, w = inputs
        self.retain_inputs((0, 1))
        return ((np.logaddexp(0, x) ** 2 * w).astype(x.dtype),)

    def backward(self, indexes, grad_outputs):
        (x, w), (gy,) = self.get_retained_inputs(), grad_outputs
        grads = []
        if 0 in indexes:
            grads.append(2 * F.softplus(x) * F.sigmoid(x) * w * gy)
        if 1 in indexes:
            grads.append(F.softplus(x) ** 2 * gy)
        return grads


def squared_softplus(x, w):
    return SquaredSoftplus().apply((x, w))[0]


class CountingHook(chainer.FunctionHook):
    name = "Counting"

    def __init__(self):
        self.forward, self.backward = [], []

    def forward_postprocess(self, function, in_data):
        self.forward.append(function.label)

    def backward_postprocess(self, function, in_data, out_grad):
        self.backward.append(function.label)


def check_gradients(random):
    x, w, gy, ggx, ggw = random.uniform(-2, 2, (5, 3, 2)).astype("d")
    gradient_check.check_backward(squared_softplus, (x, w), gy, atol=1e-5, rtol=1e-5)
    gradient_check.check_double_backward(
        squared_softplus, (x, w), gy, (ggx, ggw), atol=1e-5, rtol=1e-5
    )
    (numerical,) = gradient_check.numerical_grad(
        lambda: (squared_softplus(x, w).array,), (x,), (gy,)
    )
    v = chainer.Variable(x)
    y = squared_softplus(v, w)
    y.grad = gy
    y.backward()
    np.testing.assert_allclose(v.grad, numerical, rtol=1e-3, atol=1e-4)
    try:
        squared_softplus(x, w.astype("f"))
    except type_check.InvalidType as e:
        assert "in_types[0].dtype" in str(e)
    else:
        raise AssertionError
    return np.abs(v.grad - numerical).max()


def check_modes(x):
    with chainer.no_backprop_mode():
        silent = squared_softplus(x, x)
        with chainer.force_backprop_mode():
            forced = squared_softplus(x, x)
    assert silent.creator is None and isinstance(forced.creator_node, SquaredSoftplus)
    unchained = chainer.as_variable(x.array)
    assert not unchained.requires_grad and chainer.as_variable(x) is x


def check_arithmetic(x):
    y = F.sum(2 ** (-x / 4) + (1 - x) * 3 - abs(x) // 1)
    y += F.sum(x[:, ::-1] @ x.T[:, :1])
    (gx,) = chainer.grad([y], [x], enable_double_backprop=True)
    (ggx,) = chainer.grad([F.sum(gx * gx)], [x])
    a = x.array.astype("d")
    g = -np.log(2) / 4 * 2 ** (-a / 4) - 3
    g += a[0, ::-1]
    g[0] += a.sum(axis=0)[::-1]
    np.testing.assert_allclose(gx.array, g, rtol=1e-4)
    assert ggx.shape == x.shape and np.isfinite(ggx.array).all()


def main():
    out = sys.argv[1]
    random = np.random.RandomState(1)
    error = check_gradients(random)
    x = chainer.Variable(random.uniform(0.5, 2, (3, 2)).astype("f"), name="x")
    check_modes(x)
    check_arithmetic(x)

    hook = CountingHook()
    with hook:
        loss = F.sum(squared_softplus(x, x) + F.forget(lambda v: F.tanh(F.exp(v)), x))
        loss.backward()
    # F.forget computes what it forgot once more.
    assert hook.forward.count("exp") == hook.forward.count("Tanh") == 2, hook.forward
    assert hook.forward.count("SquaredSoftplus") == hook.backward.count("SquaredSoftplus") == 1
    e = np.exp(x.array)
    s = np.log1p(e)
    expected = 2 * s * e / (1 + e) * x.array + s**2 + e / np.cosh(e) ** 2
    np.testing.assert_allclose(x.grad, expected, rtol=1e-4)

    graph = build_computational_graph([loss], rankdir="LR")
    dot = graph.dump()
    assert dot.startswith("digraph graphname{rankdir=LR;") and "SquaredSoftplus" in dot
    assert 'label="x: (3, 2), float32"' in dot
    with open(os.path.join(out, "graph.dot"), "w") as f:
        f.write(dot)
    print(f"gradients off by {error:.1e}; {len(graph.nodes)} nodes, {len(graph.edges)} edges")


if __name__ == "__main__":
    main()
