"""Time a training step and an evaluation on the CPU, beside Chainer's loop, PyTorch and JAX.

    make bench          (or: python benchmarks/bench.py [--quick] [--out FILE])

Measures with one thread, pinned to one processor, and with all; on a processor with AVX-512 also
with AVX2 alone.  The tables show medians of a few rounds, in milliseconds, and the engine's time as
a multiple of the others'.  Where the rounds of a cell lie apart by more than 20 %, it has a "~".
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from chainer_vae import kernels
from chainer_vae.engine.threads import default_threads

MEASURE = Path(__file__).with_name("measure.py")
THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
APART = 0.2  # of a median: how far apart rounds may lie
# What a step and an evaluation of this package's are held to: a name, of whom the fastest counts,
# and how many times as long the engine may take.
BARS = {
    "step": [
        ("the fastest PyTorch", "PyTorch", 1.0),
        ("JAX jitted", "JAX", 1.0),
        ("Chainer's loop", "Chainer", 0.45),
        ("the matrix products", "matrix", 1.4),
    ],
    "test": [("PyTorch eager", "PyTorch", 0.7), ("Chainer's loop", "Chainer", 1.0)],
}


def without_avx512() -> dict[str, str]:
    """The environment in which nobody uses AVX-512."""
    core = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    dispatched = import_module(f"{core}._multiarray_umath").__cpu_dispatch__
    beyond = [name for name in dispatched if "AVX512" in name or name == "X86_V4"]
    return {**AVX2, "NPY_DISABLE_CPU_FEATURES": " ".join(beyond)}


@contextmanager
def processors(count: int) -> Iterator[None]:
    """Processes that are started here run on so many processors."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def measure(threads: int, avx2: bool, quick: bool) -> dict[str, Any]:
    """What measure.py finds with so many threads."""
    environment = {**os.environ, **{name: str(threads) for name in THREADS}}
    if avx2:
        environment.update(without_avx512())
    settings = json.dumps({"avx2": avx2, "quick": quick})
    with processors(threads):
        found = subprocess.run(
            [sys.executable, MEASURE, settings], env=environment, check=True, stdout=subprocess.PIPE
        )
    result: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return {"threads": threads, "avx2": avx2, **result}


def cell(milliseconds: list[float]) -> str:
    middle = median(milliseconds)
    apart = max(milliseconds) - min(milliseconds) > APART * middle
    return f"{'~' if apart else ''}{middle:.1f}"


def ratio(times: dict[str, list[float]], of_whom: str) -> float:
    """The engine's median as a multiple of the least one of those whose name begins so."""
    others = [median(found) for name, found in times.items() if name.startswith(of_whom)]
    return median(times["engine"]) / min(others)


def show(what: str, cases: list[dict[str, Any]]) -> None:
    """Print a table: milliseconds, and the engine's as multiples of the others'."""
    chosen = [case for case in cases if case["what"] == what]
    heads = [f"z{case['z']} {case['batch']} {case['model']}" for case in chosen]
    times = [case["milliseconds"] for case in chosen]
    rows = [["a step, ms" if what == "step" else "a test of 1,000 images, ms", *heads]]
    rows += [[name, *(cell(found[name]) for found in times)] for name in times[0]]
    for name, of_whom, bar in BARS[what]:
        if any(other.startswith(of_whom) for other in times[0]):
            ratios = [ratio(found, of_whom) for found in times]
            shown = [f"{value:.2f}{' !' if value > bar else ''}" for value in ratios]
            rows.append([f"engine / {name} (bar {bar})", *shown])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(word.rjust(width) for word, width in zip(row, widths)))
    print(flush=True)


def warn(result: dict[str, Any]) -> None:
    """Say what makes the times doubtful."""
    if result["stolen"] > 0.02:
        print(f"! the machine's host took {result['stolen']:.0%} of the processors' time")
    if result["others"] > 0.05:
        print(f"! other processes took {result['others']:.0%} of it")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="z20, batch 100; not compiled, no JAX")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write JSON there")
    args = parser.parse_args()
    results = []
    for avx2 in (False, True) if kernels.load("avx512") else (False,):
        for threads in sorted({1, default_threads()}):
            with_threads = "one thread" if threads == 1 else f"{threads} threads"
            print(f"{with_threads}{', AVX2 alone' if avx2 else ''}", flush=True)
            result = measure(threads, avx2, args.quick)
            results.append(result)
            print(", ".join(f"{name}: {found}" for name, found in result["simd"].items()))
            print(", ".join(f"{name} {found}" for name, found in result["versions"].items()))
            warn(result)
            for what in BARS:
                show(what, result["cases"])
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        recorded = {"date": date, "quick": args.quick, "results": results}
        args.out.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
