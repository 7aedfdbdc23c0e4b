#!/usr/bin/env python
"""Train the VAE or the IWAE of Burda et al. with one stochastic layer, stage by stage.

    python scripts/burda.py --stages 5 --out runs/burda
    python scripts/burda.py --objective iwae --k 50 --out runs/burda-iwae
    python scripts/burda.py --dataset binarized_mnist.npz --out runs/static
    make burda STAGES=5

Stage i, from 0 to 7, trains for 3^i epochs with the learning rate 1e-3 10^(-i/7): 3,280 epochs in
all.  After each, ln p(x) of the first 1,000 test images is estimated; after the last, of all.  The
encoder and the decoder have two layers of 200 tanh units, z has 50 dimensions; MNIST is binarized
at random, the training images anew in each epoch; Adam has epsilon 1e-4, a batch 20 images.  With
``--dataset``, the images are taken as they are: binarized once for all, say.

Other than theirs: the first weights (the article's), and the biases of the pixels, which begin
at 0 and not at the mean image's.

Source: Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2015, section 5.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from chainer_vae import Config, Run, devices, load_model, posterior
from chainer_vae.config import OBJECTIVES
from chainer_vae.datasets import load_data
from chainer_vae.errors import InputError
from chainer_vae.evaluation import encode
from chainer_vae.likelihood import log_likelihood
from chainer_vae.runs.files import save_text

EPSILON = 1e-4  # Adam's
SHOWN = 1000  # test images, after each stage but the last
RESUMED = "epoch", "seed", "objective", "k", "dataset", "binarize"  # what a run keeps


def rate(epoch: int) -> float:
    """The learning rate of an epoch, from 0 on."""
    stage = 0
    while epoch >= 3**stage:
        epoch -= 3**stage
        stage += 1
    return 1e-3 * 10 ** (-stage / 7)


def measure(run: Path, n_images: int, samples: int) -> dict[str, Any]:
    """What is known of a model: ln p(x), its bounds, and its active units."""
    model, config = load_model(run)
    images = load_data(config).test_images
    found = log_likelihood(model, images[:n_images], samples)
    dimensions = posterior.dimensions(*encode(model, images))
    return {
        "images": n_images,
        "nll": -found.mean,
        "standard_error": found.standard_error,
        "bounds": {str(k): -bound for k, bound in found.bounds.items()},
        "active": int(dimensions.active.sum()),
    }


def command_of(args: argparse.Namespace) -> str:
    """What trains the same, as it is typed."""
    words = ["python", "scripts/burda.py", "--stages", str(args.stages)]
    for name, default in (("objective", "elbo"), ("k", 1), ("seed", 0), ("samples", 5000)):
        value = getattr(args, name)
        words += [] if value == default else [f"--{name}", str(value)]
    if args.dataset is not None:
        words += ["--dataset", Path(args.dataset).name]
    return shlex.join(words)


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stages", type=int, default=5, metavar="N", help="1 to 8 (5)")
    parser.add_argument("--objective", choices=OBJECTIVES, default="elbo")
    parser.add_argument("--k", type=int, default=1, metavar="K", help="samples in training (1)")
    parser.add_argument("--dataset", metavar="FILE", help="images that are binarized already")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--samples", type=int, default=5000, metavar="K", help="for ln p(x) (5000)")
    parser.add_argument("--out", type=Path, default=Path("runs/burda"), metavar="DIR")
    args = parser.parse_args(argv)
    if not 1 <= args.stages <= 8:
        parser.error("--stages must be from 1 to 8")
    ends = [(3 ** (stage + 1) - 1) // 2 for stage in range(args.stages)]
    config = Config(
        epoch=ends[-1], dimz=50, dim_h=200, act="tanh", batchsize=20, seed=args.seed,
        binarize="none" if args.dataset else "stochastic", dataset=args.dataset, lr=rate(0),
        objective=args.objective, k=args.k,
    )  # fmt: skip
    if (args.out / "config.json").exists():
        settings = {name: getattr(config, name) for name in RESUMED}
        run = Run.resume(args.out, **settings)
    else:
        run = Run.start(config, args.out)
    run.optimizer.hyperparam.eps = EPSILON
    run.optimizer.hyperparam.alpha = rate(run.epoch)
    file = args.out / "stages.json"
    stages = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    started = time.monotonic()
    for entry in run.train():
        epoch = int(entry["epoch"])
        run.optimizer.hyperparam.alpha = rate(epoch)
        print(f"epoch {epoch}: {entry['validation/main/loss']:.3f}", flush=True)
        if epoch in ends:
            seconds = time.monotonic() - started
            n_images = len(run.test_images) if epoch == ends[-1] else SHOWN
            run.save()
            found = measure(args.out, n_images, args.samples)
            stages.append({"stage": len(stages), "epochs": epoch, "seconds": seconds, **found})
            print(json.dumps(stages[-1]), flush=True)
            stages[-1].update(
                date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
                device=devices.describe(-1),
                versions=devices.versions(),
                seed=args.seed,
                command=command_of(args),
            )
            save_text(file, json.dumps(stages, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"burda.py: {error}")
