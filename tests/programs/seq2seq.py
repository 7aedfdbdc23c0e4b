"""An encoder and a decoder of NStepLSTM that learn to reverse short sequences of numbers.

Usage: seq2seq.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import serializers

N_SYMBOLS, EOS, UNITS = 4, 4, 40


class Seq2seq(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.embed_x = L.EmbedID(N_SYMBOLS, UNITS)
            self.embed_y = L.EmbedID(N_SYMBOLS + 1, UNITS)
            self.encoder = L.NStepLSTM(1, UNITS, UNITS, 0.0)
            self.decoder = L.NStepLSTM(1, UNITS, UNITS, 0.0)
            self.out = L.Linear(UNITS, N_SYMBOLS + 1)

    def embed(self, link, sequences):
        # One call for all sequences, which are then cut apart again.
        ends = np.cumsum([len(s) for s in sequences])[:-1]
        return F.split_axis(link(F.concat(sequences, axis=0)), ends, 0, force_tuple=True)

    def forward(self, xs, ts):
        eos = np.array([EOS], "i")
        h, c, _ = self.encoder(None, None, self.embed(self.embed_x, xs))
        ys = [np.concatenate([eos, t]) for t in ts]
        _, _, outs = self.decoder(h, c, self.embed(self.embed_y, ys))
        targets = F.pad_sequence([np.concatenate([t, eos]) for t in ts], padding=-1)
        logits = self.out(F.pad_sequence(outs), n_batch_axes=2)
        loss = 0
        for y, t in zip(F.separate(logits, axis=1), F.separate(targets, axis=1)):
            loss += F.sum(F.softmax_cross_entropy(y, t, ignore_label=-1, reduce="no"))
        return loss / sum(len(y) for y in ys)

    def translate(self, xs, max_length=5):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            h, c, _ = self.encoder(None, None, self.embed(self.embed_x, xs))
            y = np.full(len(xs), EOS, "i")
            found = []
            for _ in range(max_length):
                inputs = F.split_axis(self.embed_y(y), len(xs), 0, force_tuple=True)
                h, c, outs = self.decoder(h, c, inputs)
                y = self.out(F.concat(outs, axis=0)).array.argmax(axis=1).astype("i")
                found.append(y)
        return [row[: list(row).index(EOS)] if EOS in row else row for row in np.stack(found, 1)]


def make_batch(n, random):
    lengths = random.randint(1, 4, size=n)
    xs = [random.randint(N_SYMBOLS, size=k).astype("i") for k in lengths]
    return xs, [x[::-1].copy() for x in xs]


def main():
    out = sys.argv[1]
    np.random.seed(0)
    random = np.random.RandomState(1)
    model = Seq2seq()
    optimizer = chainer.optimizers.Adam(0.01)
    optimizer.setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(5))
    xs, ts = make_batch(60, random)
    first = float(model(xs, ts).array)
    for _ in range(130):
        optimizer.update(model, *make_batch(16, random))
    last = float(model(xs, ts).array)
    right = np.mean([np.array_equal(y, t) for y, t in zip(model.translate(xs), ts)])
    assert last < 0.1 * first and right > 0.9
    (reversed_,) = model.translate([np.array([3, 1, 2], "i")])
    assert reversed_.tolist() == [2, 1, 3]

    path = os.path.join(out, "model.npz")
    serializers.save_npz(path, model)
    loaded = Seq2seq()
    serializers.load_npz(path, loaded)
    assert float(loaded(xs, ts).array) == last
    print(f"loss {first:.3f} -> {last:.4f}, {right:.3f} of the sequences reversed")


if __name__ == "__main__":
    main()
