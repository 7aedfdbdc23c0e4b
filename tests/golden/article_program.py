"""Run the article's model under Python 3.6, Chainer 2.0.0 and NumPy 1.12.1; see record.py.

Usage: python article_program.py ARTICLE.md DATA_DIR; writes into the working folder.
"""

import gzip
import json
import platform
import re
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import six
from chainer import cuda, initializer, optimizers, serializers
from chainer.functions.loss.vae import gaussian_kl_divergence

# One row a recording: the model's sizes, and how it is trained.  With tanh, rounding errors grow
# about thousandfold within 100 steps: under another BLAS kernel or number of threads, this very
# program's float32 losses differ by up to 9e-5, and the divergence alone by 6e-4.  In float64
# nothing but another computation makes a difference: there, tanh is held to 100 steps.
SETTINGS = [
    dict(dtype="f4", act="softplus", n_latent=20, C=1.0, k=1, steps=120),
    dict(dtype="f4", act="tanh", n_latent=20, C=1.0, k=1, steps=15),
    dict(dtype="f4", act="softplus", n_latent=2, C=0.5, k=3, steps=100),
    # Several epochs, the last batch of each a partial one.
    dict(dtype="f4", act="softplus", n_latent=5, n_h=64, C=1.0, k=1, n=250, steps=120),
    dict(dtype="f8", act="softplus", n_latent=20, C=1.0, k=1, steps=100),
    dict(dtype="f8", act="tanh", n_latent=2, C=1.0, k=1, steps=100),
    dict(dtype="f8", act="tanh", n_latent=20, C=4.0, k=2, steps=100),
]
DEFAULTS = dict(n_h=500, n=60000, batchsize=100)
N_TEST = 1000


def article_model(article):
    """The article's VAE, from the code block that defines it."""
    with open(article, encoding="utf-8") as f:
        blocks = re.findall(r"^```\w*\n(.*?)^```", f.read(), re.DOTALL | re.MULTILINE)
    code = next(block for block in blocks if "class VAE" in block)
    # What the article's file imports above the block that it shows.
    names = dict(
        chainer=chainer,
        F=F,
        L=L,
        np=np,
        six=six,
        cuda=cuda,
        initializer=initializer,
        gaussian_kl_divergence=gaussian_kl_divergence,
    )
    exec(compile(code, article, "exec"), names)
    return names["VAE"]


def images(data_dir, name, n):
    with gzip.open("{}/{}-images-idx3-ubyte.gz".format(data_dir, name)) as f:
        pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)
    return pixels[:n].astype(np.float32) / 255


def cast(model, dtype):
    """Give the parameters, made as float32, another dtype."""
    for p in model.params():
        p.data = p.data.astype(dtype)
        p.grad = np.zeros_like(p.data)


def sums(model):
    """For each parameter, the sum of its elements and of their absolute values."""
    return {
        name: [float(p.data.sum(dtype=np.float64)), float(np.abs(p.data).sum(dtype=np.float64))]
        for name, p in sorted(model.namedparams())
    }


def record(VAE, x_train, x_test, setting, seed):
    np.random.seed(seed)
    model = VAE(784, setting["n_latent"], setting["n_h"], getattr(F, setting["act"]))
    cast(model, setting["dtype"])
    x_train, x_test = x_train.astype(setting["dtype"]), x_test.astype(setting["dtype"])
    optimizer = optimizers.Adam()
    optimizer.setup(model)
    # F.gaussian of Chainer 2.0.0 asks for float32, but computes with what it gets; its noise is
    # rounded to float32 all the same.
    chainer.config.type_check = setting["dtype"] == "f4"
    result = dict(setting, seed=seed, initial_sums=sums(model))
    losses = []
    loss_func = model.get_loss_func(setting["C"], setting["k"])
    while len(losses) < setting["steps"]:
        perm = np.random.permutation(len(x_train))
        for i in range(0, len(x_train), setting["batchsize"]):
            x = chainer.Variable(x_train[perm[i : i + setting["batchsize"]]])
            optimizer.update(loss_func, x)
            losses.append([float(v.data) for v in (model.loss, model.rec_loss, model.latent_loss)])
            if len(losses) == setting["steps"]:
                break
    result["losses"] = losses
    result["final_sums"] = sums(model)
    with chainer.no_backprop_mode():
        model.get_loss_func(k=10)(chainer.Variable(x_test))
    result["test_loss"] = float(model.loss.data)
    return result, model, optimizer


def main():
    article, data_dir = sys.argv[1:]
    VAE = article_model(article)
    x_train, x_test = images(data_dir, "train", 60000), images(data_dir, "t10k", N_TEST)
    recordings = []
    for seed, setting in enumerate(SETTINGS):
        setting = dict(DEFAULTS, **setting)
        recording, _, _ = record(VAE, x_train[: setting["n"]], x_test, setting, seed)
        print(seed, recording["losses"][0], recording["losses"][-1], recording["test_loss"])
        recordings.append(recording)
    versions = dict(
        python=platform.python_version(), chainer=chainer.__version__, numpy=np.__version__
    )
    with open("article.json", "w") as f:
        json.dump(dict(versions=versions, n_test=N_TEST, recordings=recordings), f, indent=1)

    # Files as the original program saves them, of a small model, to load today.
    small = dict(SETTINGS[1], n_latent=2, n_h=8, n=200, batchsize=100, steps=4)
    _, model, optimizer = record(VAE, x_train[:200], x_test, small, 9)
    serializers.save_npz("mlp_2.model", model)
    serializers.save_npz("mlp_2.state", optimizer)


if __name__ == "__main__":
    main()
