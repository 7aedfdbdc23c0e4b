"""Compare the gradients of every function and link with numerical ones, in float64.

Usage: gradients.py FOLDER
"""

import sys
import warnings

import chainer
import numpy as np
import sweep

# For each type: the step, and how far from the numerical gradient, which has an error of its own.
# In float32 is what a function takes alone.
TYPES = {np.float64: (1e-6, 2e-5), np.float32: (1e-2, 3e-2)}
# Of these cases (by how their name begins) it is another in Chainer itself, also with NumPy 1.21.
OTHERWISE = {
    "F.pad.edge#0": "that of constant padding",
    "F.softmax_cross_entropy#4": "that of probabilities whose sum is 1",
    "F.softmax_cross_entropy#10": "that of probabilities whose sum is 1",
    "F.cholesky#0": "that of a symmetric matrix",
    "F.sparse_matmul#1": "goes to the sparse matrix, which the case makes of its argument",
    "F.batch_renormalization#0": "takes r and d for constants",
    "F.batch_renormalization#1": "takes r and d for constants",
    "L.BatchRenormalization#0": "takes r and d for constants",
    "F.roi_pooling_2d.0.7#1": "another",
    "L.BlackOut#0": "not finite, as the loss",
    "F.roi_max_align_2d": "of float32 alone, in whose step other pixels become the greatest",
}


def compute(case, dtype, steps=None):
    """The inputs, each moved by its step in a direction; the outputs; their weighed sum."""
    random, direction, inputs = np.random.RandomState(1), np.random.RandomState(2), []

    def make(value):
        if not isinstance(value, sweep.Array):
            return value
        array = np.asarray(value.draw(random))
        if value.kind == "i":
            return array.astype(np.int32)
        if not value.variable:
            return array.astype(dtype)
        move = direction.normal(size=array.shape)
        if steps is not None:
            array = array + steps[len(inputs)] * move
        inputs.append(chainer.Variable(np.asarray(array, dtype)))
        return inputs[-1]

    np.random.seed(0)
    args, options = sweep.build((case.args, case.options), make)
    with chainer.using_config("dtype", dtype):
        result = case.function(*args, **options)
    ys = sweep.flat(result.ys if isinstance(result, sweep.Result) else result)
    ys = [y for y in ys if isinstance(y, chainer.Variable) and y.dtype == dtype]
    ys = [y for y in ys if y.requires_grad and y.creator_node is not None]
    return inputs, ys, sum(float((y.array * w).sum()) for y, w in zip(ys, weights(ys)))


def weights(ys):
    random = np.random.RandomState(3)
    return [np.asarray(random.normal(size=y.shape)).astype(y.dtype) for y in ys]


def difference(case, dtype):
    """How far the derivative in that direction is from the numerical one; None without any."""
    inputs, ys, _ = compute(case, dtype)
    gradients = inputs and ys
    if gradients:
        gradients = chainer.grad(ys, inputs, [chainer.Variable(w) for w in weights(ys)])
    if all(g is None for g in gradients):
        return None
    direction = np.random.RandomState(2)
    moves = [direction.normal(size=x.shape) for x in inputs]
    exact = sum(float((g.array * d).sum()) for g, d in zip(gradients, moves) if g is not None)
    step = TYPES[dtype][0]
    # What has no gradient, such as boxes, stays.
    steps = np.array([0.0 if g is None else step for g in gradients])
    numerical = (compute(case, dtype, steps)[2] - compute(case, dtype, -steps)[2]) / (2 * step)
    return abs(exact - numerical) / max(1.0, abs(numerical))


def check(case):
    """Whether its gradient is right; None if it has none, or refuses what the case gives it."""
    for dtype, (_, tolerance) in TYPES.items():
        try:
            far = difference(case, dtype)
        except Exception:  # by Chainer's own checks: sweep.py compares which
            continue
        return None if far is None else far < tolerance
    return None


def main():
    checked, wrong = [], []
    for case in sweep.CASES:
        if case.name[:2] in ("F.", "L.") and not case.name.startswith(tuple(OTHERWISE)):
            right = check(case)
            if right is not None:
                checked.append(case.name.split("#")[0])
            if right is False:
                wrong.append(case.name)
    names = {".".join(name.split(".")[:2]) for name in checked}
    print(
        f"{len(checked)} gradients of {len(names)} functions and links, {len(wrong)} wrong;"
        f" not compared: {', '.join(OTHERWISE)}"
    )
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    main()
