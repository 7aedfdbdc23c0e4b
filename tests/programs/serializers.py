"""Saves and loads models, optimizers and a trainer, as npz and as HDF5, bit for bit.

Usage: serializers.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import serializers, training
from chainer.training import extensions


class Part(chainer.Chain):
    def __init__(self, n):
        super().__init__()
        self.add_persistent("calls", 0)
        with self.init_scope():
            self.linear = L.Linear(None, n)
            self.bn = L.BatchNormalization(n)

    def forward(self, x):
        self.calls += 1
        return self.bn(self.linear(x))


class Net(chainer.Chain):
    def __init__(self, head=True):
        super().__init__()
        with self.init_scope():
            self.parts = chainer.ChainList(Part(6), Part(5))
            if head:
                self.head = L.Linear(5, 1)

    def forward(self, x):
        return self.head(F.tanh(self.parts[1](F.tanh(self.parts[0](x)))))


class Regression(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.net = Net()

    def forward(self, x, t):
        loss = F.mean_squared_error(self.net(x), t)
        chainer.report({"loss": loss}, self)
        return loss


def make_trainer(data, out, savefun, epochs):
    model = Regression()
    optimizer = chainer.optimizers.Adam(0.03, amsgrad=True)
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(data, 10, shuffle=False)
    updater = training.StandardUpdater(iterator, optimizer)
    trainer = training.Trainer(updater, (epochs, "epoch"), out)
    if savefun is serializers.save_npz:  # HDF5 cannot hold its log
        trainer.extend(extensions.LogReport())
    trainer.extend(extensions.ExponentialShift("alpha", 0.98))
    name = "snapshot_{.updater.epoch}"
    trainer.extend(extensions.snapshot(savefun, name), trigger=(3, "epoch"))
    return trainer, model, optimizer


def flat(obj):
    """All that a serializer sees of an object."""
    target = {}
    serializers.DictionarySerializer(target).save(obj)
    return target


def same(a, b):
    a, b = flat(a), flat(b)
    assert sorted(a) == sorted(b)
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], key)
        assert a[key].dtype == b[key].dtype
    return len(a)


def check(save, load, data, out):
    os.makedirs(out)
    np.random.seed(0)
    trainer, model, optimizer = make_trainer(data, out, save, 6)
    trainer.run()
    for name, obj in (("model", model), ("optimizer", optimizer)):
        save(os.path.join(out, name), obj)
    _, model2, optimizer2 = make_trainer(data, out, save, 6)
    load(os.path.join(out, "model"), model2)
    load(os.path.join(out, "optimizer"), optimizer2)
    assert model2.net.parts[0].calls == 60 and optimizer2.t == 60
    n = same(model, model2) + same(optimizer, optimizer2)

    trainer3, model3, optimizer3 = make_trainer(data, out, save, 6)
    load(os.path.join(out, "snapshot_3"), trainer3)
    assert trainer3.updater.epoch == 3
    trainer3.run()
    same(model, model3)
    same(optimizer, optimizer3)
    if save is serializers.save_npz:
        losses = [
            [e["main/loss"] for e in t.get_extension("LogReport").log] for t in (trainer, trainer3)
        ]
        assert losses[0] == losses[1] and losses[0][-1] < 0.7 * losses[0][0]
    return n


def check_npz_options(out):
    snapshot = os.path.join(out, "snapshot_6")
    net, full = Net(), Regression()
    serializers.load_npz(os.path.join(out, "model"), full)
    serializers.load_npz(snapshot, net, path="updater/model:main/net/")
    same(net, full.net)
    body = os.path.join(out, "body.npz")
    serializers.save_npz(body, Net(head=False), compression=False)
    head = net.head.W.array.copy()
    try:
        serializers.load_npz(body, net)
    except KeyError as e:
        assert "head" in str(e)
    else:
        raise AssertionError
    serializers.load_npz(body, net, strict=False)
    np.testing.assert_array_equal(net.head.W.array, head)
    serializers.load_npz(os.path.join(out, "model"), net, "net/", ignore_names=["head/b"])
    same(net, full.net)


def main():
    out = sys.argv[1]
    random = np.random.RandomState(1)
    x = random.normal(size=(100, 4)).astype("f")
    data = chainer.datasets.TupleDataset(x, x[:, :1] * 2 - x[:, 1:2])
    folder = os.path.join(out, "npz")
    found = [f"npz: {check(serializers.save_npz, serializers.load_npz, data, folder)} arrays"]
    check_npz_options(folder)
    try:
        import h5py
    except ImportError:
        found.append("no h5py")
    else:
        folder = os.path.join(out, "hdf5")
        n = check(serializers.save_hdf5, serializers.load_hdf5, data, folder)
        with h5py.File(os.path.join(folder, "model"), "r") as f:
            assert f["net/parts/1/linear/W"].shape == (5, 6)
        found.append(f"hdf5: {n} arrays")
    print("; ".join(found))


if __name__ == "__main__":
    main()
