"""A small DCGAN: Deconvolution2D, and an updater of one's own that trains two networks.

Usage: dcgan.py FOLDER
"""

import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions

N_Z = 4


class Generator(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            w = chainer.initializers.Normal(0.1)
            self.l0 = L.Linear(N_Z, 16 * 2 * 2, initialW=w)
            self.bn0 = L.BatchNormalization(16 * 2 * 2)
            self.dc1 = L.Deconvolution2D(16, 8, 4, stride=2, pad=1, initialW=w)
            self.bn1 = L.BatchNormalization(8)
            self.dc2 = L.Deconvolution2D(8, 1, 4, stride=2, pad=1, initialW=w)

    def forward(self, z):
        h = F.reshape(F.relu(self.bn0(self.l0(z))), (len(z), 16, 2, 2))
        return F.sigmoid(self.dc2(F.relu(self.bn1(self.dc1(h)))))

    def sample(self, n):
        return self(np.random.normal(size=(n, N_Z)).astype("f"))


class Discriminator(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            w = chainer.initializers.Normal(0.1)
            self.c0 = L.Convolution2D(1, 8, 4, stride=2, pad=1, initialW=w)
            self.c1 = L.Convolution2D(8, 16, 4, stride=2, pad=1, initialW=w)
            self.out = L.Linear(None, 1, initialW=w)

    def forward(self, x):
        h = F.leaky_relu(self.c0(x))
        return self.out(F.leaky_relu(self.c1(h)))


class GANUpdater(training.StandardUpdater):
    def update_core(self):
        gen, dis = (self.get_optimizer(name).target for name in ("gen", "dis"))
        x_real = self.converter(self.get_iterator("main").next(), self.device)
        x_fake = gen.sample(len(x_real))
        y_real, y_fake = dis(x_real), dis(x_fake)
        loss_gen = F.mean(F.softplus(-y_fake))
        loss_dis = F.mean(F.softplus(-y_real)) + F.mean(F.softplus(y_fake))

        gen.cleargrads()
        loss_gen.backward()
        self.get_optimizer("gen").update()
        x_fake.unchain_backward()
        dis.cleargrads()
        loss_dis.backward()
        self.get_optimizer("dis").update()
        chainer.report({"loss": loss_gen}, gen)
        chainer.report({"loss": loss_dis}, dis)


def make_images(n, random):
    """A bright spot near the middle of a dark 8x8 image."""
    y, x = np.mgrid[:8, :8]
    cy, cx = random.uniform(3, 4, (2, n, 1, 1))
    return np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 4).astype("f")[:, None]


def distances(gen, images):
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        made = gen.sample(500).array
    assert made.shape[1:] == images.shape[1:] and made.min() >= 0 and made.max() <= 1
    return [np.abs(f(made, axis=0) - f(images, axis=0)).mean() for f in (np.mean, np.std)]


def main():
    out = sys.argv[1]
    np.random.seed(0)
    images = make_images(500, np.random.RandomState(1))
    gen, dis = Generator(), Discriminator()
    optimizers = {"gen": chainer.optimizers.Adam(0.002, beta1=0.5)}
    optimizers["dis"] = chainer.optimizers.Adam(0.0005, beta1=0.5)
    optimizers["gen"].setup(gen)
    optimizers["dis"].setup(dis)
    before = distances(gen, images)
    updater = GANUpdater(chainer.iterators.SerialIterator(images, 25), optimizers)
    trainer = training.Trainer(updater, (160, "iteration"), out)
    trainer.extend(extensions.LogReport(["gen/loss", "dis/loss"], trigger=(40, "iteration")))
    trainer.extend(extensions.snapshot_object(gen, "gen.npz"), trigger=(160, "iteration"))
    trainer.run()
    after = distances(gen, images)
    assert after[0] < 0.4 * before[0] and after[1] < 0.8 * before[1]
    log = trainer.get_extension("LogReport").log
    assert len(log) == 4 and 0.3 < log[-1]["dis/loss"] < 2
    mean, std = (f"{b:.3f} -> {a:.3f}" for b, a in zip(before, after))
    print(f"mean off by {mean}, deviation by {std}")


if __name__ == "__main__":
    main()
