"""A perceptron on a part of MNIST: Trainer with the standard extensions, stopped and resumed.

Usage: mlp_trainer.py FOLDER
"""

import contextlib
import io
import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import serializers, training
from chainer.training import extensions


class Digits(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.l1 = L.Linear(None, 50)
            self.l2 = L.Linear(50, 10)

    def forward(self, x, t):
        y = self.l2(F.dropout(F.relu(self.l1(x)), 0.2))
        loss = F.softmax_cross_entropy(y, t)
        correct = (y.array.argmax(axis=1) == t).sum()
        chainer.report({"loss": loss, "correct": correct, "total": len(t)}, self)
        return loss


class SeedOfEpoch(training.Extension):
    """Snapshots do not hold NumPy's random state."""

    trigger = 1, "epoch"

    def initialize(self, trainer):
        np.random.seed(trainer.updater.epoch)

    def __call__(self, trainer):
        np.random.seed(trainer.updater.epoch)


def make_trainer(train, test, out, printed):
    np.random.seed(0)
    model = Digits()
    optimizer = chainer.optimizers.MomentumSGD(lr=0.1)
    optimizer.setup(model)
    updater = training.StandardUpdater(chainer.iterators.SerialIterator(train, 50), optimizer)
    trainer = training.Trainer(updater, (4, "epoch"), out)
    test_iterator = chainer.iterators.SerialIterator(test, 100, repeat=False, shuffle=False)
    trainer.extend(SeedOfEpoch())
    trainer.extend(extensions.Evaluator(test_iterator, model))
    trainer.extend(extensions.MicroAverage("main/correct", "main/total", "main/accuracy"))
    trainer.extend(extensions.ExponentialShift("lr", 0.8), trigger=(1, "epoch"))
    trainer.extend(extensions.LinearShift("momentum", (0.5, 0.9), (0, 30)))
    trainer.extend(extensions.observe_lr(), trigger=(1, "iteration"))
    trainer.extend(extensions.observe_value("left", lambda t: 80 - t.updater.iteration))
    trainer.extend(extensions.FailOnNonNumber())
    trainer.extend(extensions.DumpGraph("main/loss", filename="graph.dot"))
    trainer.extend(extensions.ParameterStatistics(model.l1))
    trainer.extend(extensions.VariableStatisticsPlot(model.l2))
    trainer.extend(extensions.PlotReport(["main/loss", "validation/main/loss"], "epoch"))
    trainer.extend(extensions.LogReport(trigger=(10, "iteration")))
    entries = ["epoch", "iteration", "main/loss", "main/accuracy", "lr", "elapsed_time"]
    trainer.extend(extensions.PrintReport(entries, out=printed))
    trainer.extend(extensions.ProgressBar(update_interval=5))
    trainer.extend(extensions.snapshot(), trigger=(2, "epoch"))
    trainer.extend(extensions.snapshot_object(model, "model_{.updater.epoch}"))
    return trainer, model, optimizer


def main():
    out = sys.argv[1]
    train, test = chainer.datasets.get_mnist()
    train, test = train[:1000], test[:500]
    printed = io.StringIO()
    hook = chainer.function_hooks.TimerHook()
    # ProgressBar takes the standard output when it is made.
    with hook, contextlib.redirect_stdout(printed):
        trainer, model, optimizer = make_trainer(train, test, out, printed)
        trainer.run()
    hook.print_report(file=printed)
    assert hook.summary()["LinearFunction"]["occurrence"] >= 2 * 2 * 80
    log = trainer.get_extension("LogReport").log
    assert len(log) == 8 and log[-1]["main/loss"] < 0.5 * log[0]["main/loss"]
    accuracy = log[-1]["validation/main/correct"] / 100
    assert accuracy > 0.75 and log[-1]["main/accuracy"] > 0.8
    assert np.isclose(log[-1]["lr"], 0.1 * 0.8**3) and optimizer.momentum == 0.9
    assert log[-1]["l1/W/data/zeros"] == 0 and log[-1]["left"] == 0
    for name in ("graph.dot", "plot.png", "statistics.png", "log", "model_3"):
        assert os.path.getsize(os.path.join(out, name)) > 0
    assert "main/accuracy" in printed.getvalue() and "this epoch" in printed.getvalue()

    resumed_out = os.path.join(out, "resumed")
    with contextlib.redirect_stdout(printed):
        resumed, other, _ = make_trainer(train, test, resumed_out, printed)
    serializers.load_npz(os.path.join(out, "snapshot_iter_40"), resumed)
    assert resumed.updater.iteration == 40
    resumed.run()
    assert resumed.updater.iteration == 80
    for p, q in zip(model.params(), other.params()):
        np.testing.assert_array_equal(p.array, q.array)
    assert resumed.get_extension("LogReport").log[-1]["main/loss"] == log[-1]["main/loss"]
    print(f"loss {log[-1]['main/loss']:.3f}, test accuracy {accuracy:.3f}; resumed: the same")


if __name__ == "__main__":
    main()
