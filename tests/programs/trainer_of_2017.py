"""A program in the manner of 2017: Chainer's Trainer, old module names, a data set by get_mnist.

Usage: trainer_of_2017.py FOLDER GPU
"""

import json
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import cuda, training
from chainer.training import extensions


class Net(chainer.Chain):
    def __init__(self):
        super(Net, self).__init__()  # noqa: UP008 - of 2017
        with self.init_scope():
            self.l1 = L.Linear(None, 20)
            self.l2 = L.Linear(20, 10)

    def __call__(self, x):
        return self.l2(F.relu(self.l1(x)))


def main():
    out, gpu = sys.argv[1], int(sys.argv[2])
    np.random.seed(0)
    assert cuda.get_array_module(np.zeros(1)) is np
    train, test = chainer.datasets.get_mnist()
    train, _ = chainer.datasets.split_dataset(train, 500)
    test, _ = chainer.datasets.split_dataset(test, 200)
    model = L.Classifier(Net())
    if gpu >= 0:
        cuda.get_device(gpu).use()
        model.to_gpu()
        assert model.xp is cuda.cupy
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(train, 50)
    test_iterator = chainer.iterators.SerialIterator(test, 50, repeat=False, shuffle=False)
    updater = training.StandardUpdater(iterator, optimizer, device=gpu)
    trainer = training.Trainer(updater, (3, "epoch"), out)
    trainer.extend(extensions.Evaluator(test_iterator, model, device=gpu))
    trainer.extend(extensions.LogReport())
    trainer.extend(extensions.PrintReport(["epoch", "main/loss", "validation/main/accuracy"]))
    trainer.extend(extensions.snapshot())
    trainer.run()
    with open(out + "/log") as f:
        log = json.load(f)
    assert log[-1]["main/loss"] < log[0]["main/loss"]
    sys.exit(10 + len(log))


if __name__ == "__main__":
    main()
