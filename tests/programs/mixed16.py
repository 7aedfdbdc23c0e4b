"""Training in mixed16: CHAINER_DTYPE, float16 parameters updated in float32, loss scaling.

Usage: mixed16.py FOLDER
"""

import os
import sys

os.environ["CHAINER_DTYPE"] = "mixed16"

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


class Net(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(2, 24)
            self.bn = L.BatchNormalization(24)
            self.l2 = L.Linear(24, 2)

    def forward(self, x):
        return self.l2(F.relu(self.bn(self.l1(x))))


def make_data(n, random):
    """Points of a plane: do both coordinates have the same sign?"""
    x = random.uniform(-1, 1, (n, 2))
    t = (x[:, 0] * x[:, 1] > 0).astype("i")
    return x.astype(chainer.get_dtype(map_mixed16=np.float16)), t


def train(optimizer, data, epochs=10):
    np.random.seed(0)
    model = L.Classifier(Net())
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(chainer.datasets.TupleDataset(*data), 50)
    losses = []
    while iterator.epoch < epochs:
        x, t = chainer.dataset.concat_examples(next(iterator))
        optimizer.update(model, x, t)
        losses.append(float(model.loss.array))
    return model, np.mean(losses[:20]), np.mean(losses[-20:])


def main():
    out = sys.argv[1]
    assert chainer.global_config.dtype == chainer.mixed16 == np.dtype("f2")
    assert chainer.get_dtype() == np.float16
    assert chainer.get_dtype(map_mixed16=np.float32) == np.float32
    random = np.random.RandomState(1)
    data, test = make_data(1000, random), make_data(500, random)

    scaled = chainer.optimizers.Adam(0.03)
    scaled.use_fp32_update()
    scaled.loss_scaling(interval=20)  # dynamic
    model, first, last = train(scaled, data)
    net = model.predictor
    assert scaled._loss_scale > 64
    assert net.l1.W.dtype == net.l1.W.grad.dtype == np.float16
    assert net.bn.gamma.dtype == net.bn.avg_mean.dtype == np.float32  # mixed
    kept = net.l1.W.update_rule._fp32_param
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept.array.astype("f2"), net.l1.W.array)
    assert last < 0.6 * first
    with chainer.using_config("train", False):
        model(*test)
    assert model.y.dtype == np.float16
    accuracy = float(model.accuracy.array)
    assert accuracy > 0.85

    # Steps this small are lost in float16, and kept by an update in float32.
    lost = {}
    for fp32 in (False, True):
        sgd = chainer.optimizers.SGD(1e-6)
        if fp32:
            sgd.use_fp32_update()
        sgd.loss_scaling(scale=128.0)
        scale = L.Scale(W_shape=(3,))
        param = scale.W
        sgd.setup(scale)
        for _ in range(1000):
            param.cleargrad()
            F.sum(param * np.ones(3, "f2")).backward(loss_scale=128.0)
            sgd.update()
        lost[fp32] = float(param.array[0])
    assert lost[False] == 1 and abs(lost[True] - 0.999) < 5e-4

    with chainer.using_config("dtype", np.float32):
        assert L.Linear(2, 3).W.dtype == np.float32
        data32 = (data[0].astype("f"), data[1])
        model32, _, last32 = train(chainer.optimizers.Adam(0.03), data32)
    assert model32.predictor.l1.W.dtype == np.float32
    assert abs(last - last32) < 0.1
    chainer.serializers.save_npz(os.path.join(out, "model.npz"), model)
    with np.load(os.path.join(out, "model.npz")) as saved:
        assert saved["predictor/l1/W"].dtype == np.float16
    losses = f"{first:.3f} -> {last:.3f}, in float32 {last32:.3f}"
    print(f"loss {losses}; accuracy {accuracy:.3f}, loss scale {scaled._loss_scale:.0f}")


if __name__ == "__main__":
    main()
