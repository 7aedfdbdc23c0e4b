"""chainer.Sequential and ChainList: appended, inserted, repeated, copied, flattened, pickled.

Usage: sequential.py FOLDER
"""

import os
import pickle
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import Sequential


class Towers(chainer.ChainList):
    """The mean of towers, each with weights of its own."""

    def __init__(self, tower, n):
        super().__init__()
        for _ in range(n):
            self.append(tower.copy(mode="init"))

    def forward(self, x):
        return sum(tower(x) for tower in self) / len(self)


def assemble():
    model = Sequential(L.Linear(None, 6), F.tanh)
    model.append(L.Linear(6, 1))
    model.insert(2, Sequential(L.Linear(6, 6), F.relu))
    assert len(model) == 4 and [link.name for link in model.children()] == ["0", "1", "2"]
    assert isinstance(model[2], Sequential) and model[1] is F.tanh
    assert len(model.flatten()) == 5
    assert model.flatten().count_by_layer_type("Linear") == 3
    assert len(model[:2] + model[3:]) == 3
    model.extend(Sequential(F.identity))
    assert model.pop() is F.identity
    model.remove_by_layer_type("tanh")
    model.insert(1, F.tanh)
    return model


def show_lazy(model, x):
    assert not model[0].W.is_initialized and model[3].W.is_initialized
    seen = model[2].count_params()
    assert seen == 6 * 6 + 6
    assert model(x).shape == (len(x), 1)
    assert model[0].W.shape == (6, 3)
    assert model.count_params() == (3 * 6 + 6) + seen + (6 + 1)


def show_copies(model, x):
    y = model(x).array
    share, copy, init = (model.copy(mode) for mode in ("share", "copy", "init"))
    assert share[0].W.array is model[0].W.array and copy[0].W.array is not model[0].W.array
    np.testing.assert_array_equal(copy(x).array, y)
    assert not np.array_equal(init(x).array, y)
    model[0].W.array += 1
    assert not np.array_equal(share(x).array, y)
    np.testing.assert_array_equal(copy(x).array, y)
    model.copyparams(copy)
    np.testing.assert_array_equal(model(x).array, y)


def show_repeat():
    block = Sequential(L.Linear(4, 4), F.relu)
    init, copy, share = (block.repeat(3, mode) for mode in ("init", "copy", "share"))
    assert [len(m.flatten()) for m in (init, copy, share)] == [6, 6, 6]
    w = [link.W.array for link in init.flatten() if isinstance(link, L.Linear)]
    assert not np.array_equal(w[0], w[1])
    w = [link.W.array for link in copy.flatten() if isinstance(link, L.Linear)]
    assert np.array_equal(w[0], w[1]) and w[0] is not w[1]
    assert len({id(p.array) for p in share.params()}) == 2


def train(model, x, t, steps=300):
    optimizer = chainer.optimizers.Adam(0.02)
    optimizer.setup(model)
    losses = []
    for _ in range(steps):
        loss = F.mean_squared_error(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    return losses


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    x = random.uniform(-1, 1, (100, 3)).astype("f")
    t = (x[:, :1] * x[:, 1:2] + np.sin(2 * x[:, 2:])).astype("f")
    model = assemble()
    show_lazy(model, x)
    show_copies(model, x)
    show_repeat()

    towers = Towers(model, 3)
    assert len(towers) == 3 and towers[2].name == "2"
    assert towers.count_params() == 3 * model.count_params()
    assert len(list(towers.links(skipself=True))) == 3 * 5
    losses = train(towers, x, t)
    assert losses[-1] < 0.1 * losses[0]

    path = os.path.join(out, "towers.pickle")
    with open(path, "wb") as f:
        pickle.dump(towers, f)
    with open(path, "rb") as f:
        loaded = pickle.load(f)
    np.testing.assert_array_equal(loaded(x).array, towers(x).array)
    print(f"{towers.count_params()} parameters, loss {losses[0]:.3f} -> {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
