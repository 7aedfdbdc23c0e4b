"""Two optimizers and two iterators in one updater; a converter and an extension of one's own.

Usage: custom_updater.py FOLDER
"""

import json
import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions


class AutoEncoder(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.encoder = L.Linear(8, 3)
            self.decoder = L.Linear(3, 8)

    def forward(self, x):
        return F.mean_squared_error(self.decoder(F.tanh(self.encoder(x))), x)


def normalize(x):
    return (x - 0.5).astype("f") * 2


def normalize_labelled(example):
    x, label = example
    return normalize(x), np.int32(label)


@chainer.dataset.converter()
def convert_labelled(batch, device):
    xs, labels = zip(*batch)
    send = chainer.dataset.to_device
    return {"x": send(device, np.stack(xs)), "t": send(device, np.array(labels, "i"))}


class TwoUpdater(training.updaters.StandardUpdater):
    """Codes are learned from many examples without labels, and classified with few labels."""

    def update_core(self):
        auto, head = self.get_optimizer("main"), self.get_optimizer("head")
        x = chainer.dataset.concat_examples(self.get_iterator("main").next())
        auto.update(auto.target, x)
        chainer.report({"loss": auto.target(x)}, auto.target)

        batch = self.converter(self.get_iterator("labelled").next(), self.device)
        with chainer.no_backprop_mode():
            code = F.tanh(auto.target.encoder(batch["x"]))
        head.update(head.target, code.array, batch["t"])


class BestLoss(training.Extension):
    trigger = 1, "iteration"
    priority = training.PRIORITY_READER
    best, calls = float("inf"), 0

    def initialize(self, trainer):
        self.out = trainer.out

    def __call__(self, trainer):
        self.calls += 1
        self.best = min(self.best, float(trainer.observation["main/loss"].array))

    def finalize(self):
        with open(os.path.join(self.out, "best.json"), "w") as f:
            json.dump({"best": self.best, "calls": self.calls}, f)


def make_data(n, random):
    """Three groups in eight dimensions, between 0 and 1."""
    labels = random.randint(3, size=n)
    centers = np.array([[0.2, 0.8] * 4, [0.8, 0.2] * 4, [0.8] * 4 + [0.2] * 4])
    return (centers[labels] + random.normal(0, 0.1, (n, 8))).clip(0, 1), labels


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    x, _ = make_data(500, random)
    unlabelled = chainer.datasets.TransformDataset(x, normalize)
    labelled = chainer.datasets.TransformDataset(
        chainer.datasets.TupleDataset(*make_data(40, random)), normalize_labelled
    )
    auto, head = AutoEncoder(), L.Classifier(L.Linear(3, 3))
    optimizers = {"main": chainer.optimizers.Adam(0.01), "head": chainer.optimizers.AdaGrad(0.1)}
    optimizers["main"].setup(auto)
    optimizers["head"].setup(head)
    iterators = {
        "main": chainer.iterators.MultiprocessIterator(unlabelled, 25, n_processes=2),
        "labelled": chainer.iterators.MultithreadIterator(labelled, 10, n_threads=2),
    }
    updater = TwoUpdater(iterators, optimizers, converter=convert_labelled)
    trainer = training.Trainer(updater, (10, "epoch"), out)
    trainer.extend(BestLoss())
    trainer.extend(extensions.LogReport())
    trainer.run()  # it finalizes the iterators, too

    log = trainer.get_extension("LogReport").log
    with open(os.path.join(out, "best.json")) as f:
        best = json.load(f)
    assert best["calls"] == updater.iteration == 200
    assert best["best"] <= log[-1]["main/loss"] < 0.4 * log[0]["main/loss"]
    assert iterators["labelled"].epoch == 50
    test, t = make_data(300, random)
    head(F.tanh(auto.encoder(normalize(test))), t.astype("i"))
    accuracy = float(head.accuracy.array)
    assert accuracy > 0.95
    loss = log[-1]["main/loss"]
    print(f"loss {loss:.4f}, the best {best['best']:.4f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
