"""A convolutional network on made-up images of bars: BatchNormalization, pooling, dropout, hooks.

Usage: convnet.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import serializers, training
from chainer.training import extensions


class Block(chainer.Chain):
    def __init__(self, channels, pool):
        super().__init__()
        self.pool = pool
        with self.init_scope():
            w = chainer.initializers.HeNormal()
            self.conv = L.Convolution2D(None, channels, 3, pad=1, nobias=True, initialW=w)
            self.bn = L.BatchNormalization(channels)

    def forward(self, x):
        return self.pool(F.relu(self.bn(self.conv(x))), 2)


class Net(chainer.Chain):
    def __init__(self, n_classes):
        super().__init__()
        with self.init_scope():
            self.block1 = Block(8, F.max_pooling_2d)
            self.block2 = Block(16, F.average_pooling_2d)
            self.out = L.Linear(None, n_classes)

    def forward(self, x):
        h = self.block2(self.block1(x))
        return self.out(F.dropout(h, ratio=0.3))


def make_data(n, random):
    """Bars in four directions, anywhere, in noise."""
    images = random.normal(0, 0.5, (n, 1, 12, 12)).astype("f")
    labels = random.randint(4, size=n).astype("i")
    steps = [(0, 1), (1, 0), (1, 1), (1, -1)]
    for image, label in zip(images, labels):
        dy, dx = steps[label]
        y, x = random.randint(6), random.randint(6) + (5 if dx < 0 else 0)
        for i in range(6):
            image[0, y + i * dy, x + i * dx] += 2
    return chainer.datasets.TupleDataset(images, labels)


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    train, test = make_data(800, random), make_data(400, random)
    model = L.Classifier(Net(4))
    optimizer = chainer.optimizers.Adam(alpha=0.005)
    optimizer.setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(1e-4))
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(1.0))
    for param in model.params():
        if param.name in ("beta", "gamma"):
            param.update_rule.add_hook(chainer.optimizer_hooks.GradientHardClipping(-0.5, 0.5))
    updater = training.StandardUpdater(chainer.iterators.SerialIterator(train, 50), optimizer)
    trainer = training.Trainer(updater, (6, "epoch"), out)
    test_iterator = chainer.iterators.SerialIterator(test, 100, repeat=False, shuffle=False)
    trainer.extend(extensions.Evaluator(test_iterator, model))
    trainer.extend(extensions.LogReport())
    trainer.run()

    log = trainer.get_extension("LogReport").log
    assert log[-1]["main/loss"] < 0.3 * log[0]["main/loss"]
    accuracy = log[-1]["validation/main/accuracy"]
    assert accuracy > 0.9
    bn = model.predictor.block1.bn
    assert bn.avg_var.min() > 0 and not np.array_equal(bn.avg_mean, np.zeros(8))

    path = os.path.join(out, "model.npz")
    serializers.save_npz(path, model)
    loaded = L.Classifier(Net(4))
    serializers.load_npz(path, loaded)
    x = np.stack([image for image, _ in test[:20]])
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        y = model.predictor(x)
        np.testing.assert_array_equal(loaded.predictor(x).array, y.array)
    assert y.creator is None
    print(f"loss {log[-1]['main/loss']:.4f}, test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
