"""Where a training step of z20 on the CPU spends its time: milliseconds of each of its kernels.

taskset -c 0 python benchmarks/profile_step.py [BATCH]      (100; with one thread)
"""

import sys
import time
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, Callable

from chainer_vae import load_mnist, load_model
from chainer_vae.engine import Engine, cpu_kernels, thread_pool

# isort: split
import chainer  # after chainer_vae, which makes it usable

KERNELS = "dot", "bernoulli", "adam", "sum_columns", "sample", "sample_chain", "gaussian_kl", "draw"
STEPS = 100


def main() -> None:
    batchsize = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    spent: defaultdict[str, float] = defaultdict(float)

    def timed(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            started = time.perf_counter()
            result = kernel(*args)
            spent[name] += time.perf_counter() - started
            return result

        return run

    kernels = SimpleNamespace(**vars(cpu_kernels))
    for name in KERNELS:
        setattr(kernels, name, timed(name, getattr(kernels, name)))
    kernels.ACTIVATIONS = {
        function: cpu_kernels.Activation(timed("activation", apply), timed("derivative", chain))
        for function, (apply, chain) in cpu_kernels.ACTIVATIONS.items()
    }
    model, _ = load_model("z20")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    images = load_mnist().train_images
    with thread_pool(1) as pool:
        engine = Engine(model, optimizer, 1.0, 1, pool, kernels)
        for number in range(STEPS + 10):
            if number == 10:
                engine.finish()
                spent.clear()
                started = time.perf_counter()
            first = number * batchsize % (len(images) - batchsize)
            engine.step(images[first : first + batchsize])
        engine.finish()
        whole = time.perf_counter() - started
    spent["the rest, in Python"] = whole - sum(spent.values())
    print(f"{whole / STEPS * 1e3:7.2f} ms a step")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{seconds / STEPS * 1e3:7.2f} {name}")


if __name__ == "__main__":
    main()
