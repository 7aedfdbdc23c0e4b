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
from typing import Any

import contestants
import numpy as np

from chainer_vae import VAE, Config, devices, kernels, load_mnist, load_model
from chainer_vae.decoders import build_model
from chainer_vae.engine import cpu_kernels

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
ROUNDS, TEST_ROUNDS, QUICK_ROUNDS = 5, 3, 3
ROUND = 0.1  # seconds of steps in a round, about; one step, at least
WARM_UP = 1  # step before each round
PAUSE = 0.05  # seconds, for the waiting threads of one library to give way to those of another
TEST_IMAGES = 500  # and two batches, at least

Times = dict[str, list[float]]


def processor_time() -> tuple[float, float, float]:
    """Seconds since the start: all processors', what a virtual machine's host took of them, and
    what other processes used."""
    if not CPU_TIMES.exists():
        return 0.0, 0.0, 0.0
    words = CPU_TIMES.read_text().splitlines()[0].split()[1:9]
    user, nice, system, idle, wait, irq, soft_irq, stolen = (
        float(word) / os.sysconf("SC_CLK_TCK") for word in words
    )
    used = user + nice + system + irq + soft_irq
    return used + idle + wait + stolen, stolen, used - sum(os.times()[:4])


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
        count = counts.get(name, 1)
        if name == "engine":
            with contestants.engine(own, optimizer) as step:
                seconds = time_steps(step, batches, count)
        else:
            seconds = time_steps(steps[name], batches, count)
        counts.setdefault(name, max(1, int(ROUND / seconds)))
        if counted:
            times[name].append(seconds)
    return times


def measure_evaluations(model: VAE, images: np.ndarray, batchsize: int) -> Times:
    """For 1,000 images."""
    evaluations = contestants.evaluations(model, images, batchsize)
    times: Times = {name: [] for name in evaluations}
    for counted, name in in_turns(list(times), TEST_ROUNDS):
        started = time.perf_counter()
        evaluations[name]()
        if counted:
            times[name].append((time.perf_counter() - started) * 1000 / len(images))
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
            images = data.test_images[: max(TEST_IMAGES, 2 * batchsize)]
            yield {"what": "test", **case}, measure_evaluations(model, images, batchsize)


def main() -> None:
    settings = json.loads(sys.argv[1])
    if settings["avx2"]:
        found = kernels.load("avx2")
        kernels.load = cpu_kernels.load = lambda level=None: found  # type: ignore[assignment]
    before = processor_time()
    cases = []
    for case, times in measure(settings["quick"]):
        print("  " + " ".join(map(str, case.values())), file=sys.stderr, flush=True)
        milliseconds = {
            name: [round(seconds * 1e3, 3) for seconds in found] for name, found in times.items()
        }
        cases.append({**case, "milliseconds": milliseconds})
    passed, stolen, others = (after - earlier for after, earlier in zip(processor_time(), before))
    result = {
        "device": devices.describe(-1),
        "versions": {**devices.versions(), **contestants.versions()},
        "simd": simd(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "stolen": round(stolen / max(1.0, passed), 3),
        "others": round(others / max(1.0, passed), 3),
        "cases": cases,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
