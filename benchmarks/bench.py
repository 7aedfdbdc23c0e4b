"""Time a training step and an evaluation on the CPU: this package, Chainer's loop, PyTorch.

    make bench          (or: python benchmarks/bench.py [--rounds 7] [--out FILE])

Everything is timed in one process and in turns, a few dozen steps at a time, so that what else the
machine does meets all alike; the table shows medians over the rounds, and how far the rounds lie
apart.  The floor is the step's matrix products alone, as NumPy does them with all its threads.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any, Callable

from chainer_vae import VAE, Config, devices, evaluate, load_mnist, load_model

# isort: split
import chainer  # after chainer_vae, which makes it usable
import numpy as np

from chainer_vae.engine import Engine, thread_pool
from chainer_vae.engine.threads import default_threads
from chainer_vae.model import build_model

try:
    import torch
    import torch_vae
except ImportError:  # compared only where it is installed
    torch = None

PAUSE = 0.3  # seconds, for the waiting threads of one library to give way to those of another
ROUND = 0.6  # seconds of steps in a round, about
Step = Callable[[np.ndarray], Any]


def fresh_model(n_latent: int) -> VAE:
    np.random.seed(0)
    return build_model(Config(dimz=n_latent), 784)


def trained_model(n_latent: int) -> VAE:
    return load_model(f"z{n_latent}")[0]


def chainers(model: VAE) -> Step:
    model = model.copy("copy")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    loss_func = model.get_loss_func()

    def step(x: np.ndarray) -> float:
        optimizer.update(loss_func, x)
        return float(model.loss.array)

    return step


@contextmanager
def engines(model: VAE, optimizer: Any) -> Iterator[Step]:
    with thread_pool() as pool:
        engine = Engine(model, optimizer, 1.0, 1, pool)
        yield engine.step
        engine.finish()


def pytorch(variant: str, model: VAE) -> Step:
    step = torch_vae.make_step(variant, model)
    return lambda x: step(torch.from_numpy(x)).item()


def products(n_latent: int, batchsize: int) -> Step:
    """The products of a step alone: for each layer forward, the weights' gradient, and back."""
    sizes = [(784, 500), (500, 500), (500, 2 * n_latent), (n_latent, 500), (500, 500), (500, 784)]
    random = np.random.RandomState(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype("f4")

    layers = [
        (matrix(batchsize, i), matrix(o, i), matrix(batchsize, o), number > 0)
        for number, (i, o) in enumerate(sizes)
    ]
    outs = [(np.empty_like(y), np.empty_like(W), np.empty_like(x)) for x, W, y, _ in layers]

    def step(_: np.ndarray) -> None:
        for (x, W, y, back), (out_y, out_W, out_x) in zip(layers, outs):
            np.dot(x, W.T, out=out_y)
            np.dot(y.T, x, out=out_W)
            if back:
                np.dot(y, W, out=out_x)

    return step


def time_steps(step: Step, images: np.ndarray, batchsize: int, count: int) -> float:
    """Seconds for each of ``count`` steps, after three to warm up."""
    random = np.random.RandomState(0)
    for number in range(count + 3):
        if number == 3:
            started = time.perf_counter()
        step(images[random.randint(0, len(images), batchsize)])
    return (time.perf_counter() - started) / count


def bench_steps(
    model: VAE, n_latent: int, batchsize: int, images: np.ndarray, rounds: int
) -> dict[str, list[float]]:
    steps = {
        "matrix products": products(n_latent, batchsize),
        "Chainer's loop": chainers(model),
    }
    if torch is not None:
        for variant in torch_vae.VARIANTS:
            steps[f"PyTorch {variant}"] = pytorch(variant, model)
    own = model.copy("copy")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(own)
    times: dict[str, list[float]] = {"engine": [], **{name: [] for name in steps}}
    counts = {}
    for number in range(rounds + 1):  # the first only says how many steps make a round
        for name, found in times.items():
            time.sleep(PAUSE)
            count = counts.get(name, 5)
            if name == "engine":
                with engines(own, optimizer) as step:
                    seconds = time_steps(step, images, batchsize, count)
            else:
                seconds = time_steps(steps[name], images, batchsize, count)
            counts.setdefault(name, max(5, int(ROUND / seconds)))
            if number:
                found.append(seconds)
    return times


def bench_evaluation(
    model: VAE, batchsize: int, images: np.ndarray, rounds: int
) -> dict[str, list[float]]:
    """An epoch's test: -ELBO of the test images with k = 10."""

    def pytorchs() -> None:
        with torch.no_grad():
            for start in range(0, len(images), batchsize):
                batch = torch.from_numpy(images[start : start + batchsize])
                sum(float(loss) for loss in vae.losses(batch, 10))

    passes = {
        "engine": lambda: evaluate(model, images, 10, batchsize),
        "Chainer's loop": lambda: evaluate(model, images, 10, batchsize, fused=False),
    }
    if torch is not None:
        vae = torch_vae.TorchVAE(len(model.le3_mu.W))
        vae.load(model)
        passes["PyTorch eager"] = pytorchs
    times: dict[str, list[float]] = {name: [] for name in passes}
    for number in range(rounds + 1):
        for name, run in passes.items():
            time.sleep(PAUSE)
            started = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def table(title: str, times: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Print medians and their ratios to the engine's; the same as rows."""
    own = median(times["engine"])
    print(f"\n{title}\n{'':22}{'median':>10}{'least':>10}{'most':>10}   engine takes")
    rows = []
    for name, found in times.items():
        middle = median(found)
        print(
            f"{name:22}{middle * 1e3:8.2f}ms{min(found) * 1e3:8.2f}ms{max(found) * 1e3:8.2f}ms"
            f"   {own / middle:.2f} of it",
            flush=True,
        )
        row = {"what": name, "milliseconds": [round(seconds * 1e3, 3) for seconds in found]}
        rows.append({**row, "median": round(middle * 1e3, 3), "engine": round(own / middle, 3)})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON there")
    args = parser.parse_args()
    if torch is None:
        print("PyTorch is not installed: it is left out", file=sys.stderr)
    data = load_mnist()
    result: dict[str, Any] = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "device": devices.describe(-1),
        "versions": {**devices.versions(), **({"torch": torch.__version__} if torch else {})},
        "threads": {"engine": default_threads(), "processors": os.cpu_count()},
        "tables": [],
    }
    if torch is not None:
        result["threads"]["torch"] = torch.get_num_threads()
    print(result["device"])

    def add(title: str, times: dict[str, list[float]]) -> None:
        result["tables"].append({"title": title, "rows": table(title, times)})

    for n_latent in (20, 2):
        for batchsize in (100, 1000):
            for state, model in (("new", fresh_model), ("trained", trained_model)):
                add(
                    f"a training step, z{n_latent}, batch {batchsize}, {state} model",
                    bench_steps(
                        model(n_latent), n_latent, batchsize, data.train_images, args.rounds
                    ),
                )
    for n_latent in (20, 2):
        for batchsize in (100, 1000):
            add(
                f"the test with k = 10, z{n_latent}, batch {batchsize}, trained model",
                bench_evaluation(
                    trained_model(n_latent), batchsize, data.test_images, min(args.rounds, 5)
                ),
            )
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
