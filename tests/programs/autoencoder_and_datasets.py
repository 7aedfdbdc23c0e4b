"""Datasets of all kinds, from arrays, pickles and PNG files, and an autoencoder trained on them.

Usage: autoencoder_and_datasets.py FOLDER
"""

import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import datasets


class AutoEncoder(chainer.Chain):
    def __init__(self, n_in, n_units):
        super().__init__()
        with self.init_scope():
            self.encoder = L.Linear(n_in, n_units)
            self.decoder = L.Linear(n_units, n_in)

    def forward(self, x):
        return F.sigmoid(self.decoder(F.relu(self.encoder(x))))


def make_images(n, random):
    """Squares of 8x8 pixels: a bright row (0) or a bright column (1), as bytes."""
    labels = random.randint(2, size=n).astype("i")
    images = random.randint(0, 30, (n, 8, 8)).astype(np.uint8)
    for image, label in zip(images, labels):
        (image.T if label else image)[random.randint(8)] = 230
    return images, labels


def check_in_memory(x, t):
    pairs = datasets.TupleDataset(x, t)
    assert len(pairs) == len(x) and pairs[3][1] == t[3] and len(pairs[2:9:2]) == 4
    named = datasets.DictDataset(image=x, label=t)
    assert sorted(named[0]) == ["image", "label"] and named[1:3][1]["label"] == t[2]
    batch = chainer.dataset.concat_examples([named[i] for i in range(5)])
    np.testing.assert_array_equal(batch["image"], x[:5])
    both = datasets.ConcatenatedDataset(pairs, datasets.SubDataset(pairs, 10, 15))
    assert len(both) == len(x) + 5
    np.testing.assert_array_equal(both[len(x) + 1][0], x[11])
    backwards = datasets.SubDataset(x, 0, 3, order=np.arange(len(x))[::-1])
    np.testing.assert_array_equal(backwards[0], x[-1])

    folds = datasets.get_cross_validation_datasets_random(list(range(len(x))), 4, seed=5)
    held = np.concatenate([test[:] for _, test in folds])
    assert sorted(held) == list(range(len(x)))
    assert all(not set(train[:]) & set(test[:]) for train, test in folds)
    again = datasets.get_cross_validation_datasets_random(list(range(len(x))), 4, seed=5)
    assert [test[:] for _, test in again] == [test[:] for _, test in folds]
    return datasets.split_dataset_random(pairs, len(x) * 3 // 4, seed=2)


def check_pickle(pairs, path):
    with datasets.open_pickle_dataset_writer(path) as writer:
        for i in range(20):
            writer.write(pairs[i])
    with datasets.open_pickle_dataset(path) as loaded:
        assert len(loaded) == 20
        for i in (7, 0, 19):
            np.testing.assert_array_equal(loaded[i][0], pairs[i][0])
            assert loaded[i][1] == pairs[i][1]


def check_files(images, labels, folder):
    from PIL import Image

    with open(os.path.join(folder, "list.txt"), "w") as f:
        for i in range(12):
            Image.fromarray(images[i]).save(os.path.join(folder, f"{i}.png"))
            f.write(f"{i}.png {labels[i]}\n")
    Image.fromarray(np.stack([images[0]] * 3, 2)).save(os.path.join(folder, "rgb.png"))
    plain = datasets.ImageDataset(["rgb.png", "3.png"], root=folder)
    assert plain[0].shape == (3, 8, 8) and plain[0].dtype == np.float32
    np.testing.assert_array_equal(plain[1][0], images[3])
    labelled = datasets.LabeledImageDataset(os.path.join(folder, "list.txt"), folder)
    assert len(labelled) == 12
    x, t = chainer.dataset.concat_examples(labelled[:])
    np.testing.assert_array_equal(x[:, 0], images[:12])
    np.testing.assert_array_equal(t, labels[:12])
    return x.reshape(12, -1) / np.float32(255)


def train(model, train_set, epochs=25):
    optimizer = chainer.optimizers.Adam(0.01)
    optimizer.setup(model)
    iterator = chainer.iterators.SerialIterator(train_set, 30)
    while iterator.epoch < epochs:
        x, _ = chainer.dataset.concat_examples(iterator.next())
        optimizer.update(lambda x: F.mean_squared_error(model(x), x), x)


def error(model, x):
    with chainer.no_backprop_mode():
        return float(F.mean_squared_error(model(x), x).array)


def main():
    out = sys.argv[1]
    np.random.seed(0)
    images, labels = make_images(400, np.random.RandomState(1))
    x = images.reshape(400, -1).astype("f") / 255
    train_set, test_set = check_in_memory(x, labels)
    check_pickle(train_set, os.path.join(out, "pairs.pickle"))

    model = AutoEncoder(64, 24)
    held, _ = chainer.dataset.concat_examples(test_set[:])
    before = error(model, held)
    train(model, train_set)
    after = error(model, held)
    assert after < 0.1 * before and after < 0.25 * held.var()
    text = f"error {before:.4f} -> {after:.4f} (variance {held.var():.4f})"
    try:
        from_files = check_files(images, labels, out)
    except ImportError:
        text += ", no Pillow"
    else:
        of_files = error(model, from_files)
        assert of_files < 0.25 * held.var()
        text += f", {of_files:.4f} for the PNG files"
    print(text)


if __name__ == "__main__":
    main()
