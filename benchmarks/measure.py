"""Time everything in this one process, as bench.py has set it up, and print JSON.

Everything is timed in turns, a fraction of a second at a time, so that what else the machine does
meets all alike.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import contestants
import numpy as np

from chainer_vae import VAE, Config, devices, kernels, load_mnist, load_model
from chainer_vae.engine import cpu_kernels
from chainer_vae.model import build_model

# isort: split
import chainer  # after chainer_vae, which makes it usable

CPU_TIMES = Path("/proc/stat")
# z, batch size, and the state of the model.
CASES = [
    (n_latent, batchsize, state)
    for n_latent in (20, 2)
    for batchsize in (100, 1000)
    for state in ("new", "trained")
]
QUICK_CASES = [(20, 100, "new"), (20, 100, "trained")]
ROUNDS, QUICK_ROUNDS = 5, 3
ROUND = 0.1  # seconds of steps in a round, about
STEPS = 2  # of them, at least
WARM_UP = 1  # step before each round
PAUSE = 0.05  # seconds, for the waiting threads of one library to give way to those of another
TEST_IMAGES = 1000

Times = dict[str, list[float]]


def stolen() -> tuple[float, float]:
    """Processor time that a virtual machine's host took, and all; since the start, in ticks."""
    if not CPU_TIMES.exists():
        return 0.0, 0.0
    ticks = [float(word) for word in CPU_TIMES.read_text().splitlines()[0].split()[1:9]]
    return ticks[7], sum(ticks)


def simd() -> dict[str, str]:
    """What each library computes with, as far as it tells."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    names = {
        "NumPy": (extensions.get("found") or extensions["baseline"])[-1],
        "BLAS": devices.blas(),
        "engine": kernels.describe(),
    }
    if contestants.torch is not None:
        names["PyTorch"] = contestants.torch.backends.cpu.get_cpu_capability()
    return names


def in_turns(names: list[str], rounds: int) -> Iterator[tuple[bool, str]]:
    """Whether it counts, and whose turn it is; each has one turn before, to warm up."""
    for number in range(rounds + 1):
        for name in names:
            time.sleep(PAUSE)
            yield number > 0, name


def time_steps(step: contestants.Step, batches: list[np.ndarray], count: int) -> float:
    """Seconds for each of ``count`` steps, after some to warm up."""
    for number in range(WARM_UP + count):
        if number == WARM_UP:
            started = time.perf_counter()
        step(batches[number % len(batches)])
    return (time.perf_counter() - started) / count


def measure_steps(model: VAE, batches: list[np.ndarray], quick: bool) -> Times:
    optimizer = chainer.optimizers.Adam()
    own = model.copy("copy")
    optimizer.setup(own)
    steps = contestants.steps(model, quick)
    times: Times = {name: [] for name in ["engine", *steps]}
    counts: dict[str, int] = {}
    for counted, name in in_turns(list(times), QUICK_ROUNDS if quick else ROUNDS):
        count = counts.get(name, STEPS)
        if name == "engine":
            with contestants.engine(own, optimizer) as step:
                seconds = time_steps(step, batches, count)
        else:
            seconds = time_steps(steps[name], batches, count)
        counts.setdefault(name, max(STEPS, int(ROUND / seconds)))
        if counted:
            times[name].append(seconds)
    return times


def measure_evaluations(evaluations: dict[str, Callable[[], Any]], quick: bool) -> Times:
    times: Times = {name: [] for name in evaluations}
    for counted, name in in_turns(list(times), QUICK_ROUNDS if quick else ROUNDS):
        started = time.perf_counter()
        evaluations[name]()
        if counted:
            times[name].append(time.perf_counter() - started)
    return times


def measure(quick: bool) -> Iterator[tuple[dict[str, Any], Times]]:
    """Each case, and the times of all in it."""
    data = load_mnist()
    order = np.random.RandomState(0).permutation(len(data.train_images))
    for n_latent, batchsize, state in QUICK_CASES if quick else CASES:
        np.random.seed(0)
        model = build_model(Config(dimz=n_latent), 784)
        if state == "trained":
            model, _ = load_model(f"z{n_latent}")
        batches = [data.train_images[part] for part in np.split(order[: 20 * batchsize], 20)]
        case = {"z": n_latent, "batch": batchsize, "model": state}
        yield {"what": "step", **case}, measure_steps(model, batches, quick)
        if state == "trained":
            images = data.test_images[:TEST_IMAGES]
            evaluations = contestants.evaluations(model, images, batchsize)
            yield {"what": "test", **case}, measure_evaluations(evaluations, quick)


def main() -> None:
    settings = json.loads(sys.argv[1])
    if settings["avx2"]:
        found = kernels.load("avx2")
        kernels.load = cpu_kernels.load = lambda level=None: found  # type: ignore[assignment]
    before = stolen()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    cases = []
    for case, times in measure(settings["quick"]):
        print("  " + " ".join(map(str, case.values())), file=sys.stderr, flush=True)
        milliseconds = {
            name: [round(seconds * 1e3, 3) for seconds in found] for name, found in times.items()
        }
        cases.append({**case, "milliseconds": milliseconds})
    taken, ticks = (after - earlier for after, earlier in zip(stolen(), before))
    result = {
        "device": devices.describe(-1),
        "versions": {**devices.versions(), **contestants.versions()},
        "simd": simd(),
        "load": round(load, 2),
        "stolen": round(taken / max(1.0, ticks), 3),
        "cases": cases,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
