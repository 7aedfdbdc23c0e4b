"""Check and measure everything on this machine's GPU, without a network.

    python scripts/gpu_check.py [--out results/gpu]

runs the GPU tests, holds the engine on the GPU against the CPU, trains the article's model for 100
epochs, and times a training step of Chainer's loop, of the engine and, where it is installed, of
PyTorch.  Writes <device>.json, and prints the table of it for docs/en/gpu.md.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any, Callable

from chainer_vae import VAE, Config, InputError, Run, devices, load_mnist, posterior

# isort: split
import chainer  # after chainer_vae, which makes it usable
import numpy as np

from chainer_vae.decoders import build_model
from chainer_vae.engine import Engine, thread_pool
from chainer_vae.evaluation import encode
from chainer_vae.runs import article_log

ROOT = Path(__file__).resolve().parent.parent
GPU_TESTS = "tests/test_gpu.py"
REPEATS = 7


def run_tests() -> dict[str, Any]:
    result = subprocess.run(
        # They are all in this file; others may need what this machine lacks.
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", GPU_TESTS],
        cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    print(result.stdout, result.stderr, sep="", flush=True)
    summary = (result.stdout.strip() or "no tests").splitlines()[-1]
    # Here a test that is skipped is not one that passed.
    passed = result.returncode == 0 and "passed" in summary and "skipped" not in summary
    return {"passed": passed, "summary": summary}


def new_model(dim_h: int = 500, on_gpu: bool = False) -> tuple[VAE, chainer.optimizers.Adam]:
    np.random.seed(0)
    model = build_model(Config(dim_h=dim_h), 784)
    if on_gpu:
        model.to_device("@cupy:0")
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    return model, optimizer


def agreement(dim_h: int = 500, batchsize: int = 100) -> dict[str, float]:
    """How far the engine on the GPU is from the one on the CPU, on the same noise."""
    from chainer_vae.engine import gpu_kernels
    from chainer_vae.engine.gpu_step import GpuEngine, StreamPool, streams

    images = load_mnist().train_images[: 100 * batchsize]
    model, optimizer = new_model(dim_h)
    with thread_pool() as pool:
        engine = Engine(model, optimizer, 1.0, 1, pool)
        np.random.seed(1)
        gradients = engine.gradients(images[:batchsize])
        batches = (images[start : start + batchsize] for start in range(0, len(images), batchsize))
        losses = np.array([engine.step(batch) for batch in batches])
        engine.finish()

    model, optimizer = new_model(dim_h, on_gpu=True)
    on_gpu = Engine(model, optimizer, 1.0, 1, StreamPool(streams(0)), gpu_kernels)
    np.random.seed(1)
    found: dict[str, Any] = on_gpu.gradients(model.xp.asarray(images[:batchsize]))
    gpu_engine = GpuEngine(model, optimizer, 1.0, 1, images, batchsize)
    gpu_engine.launch(np.arange(len(images)))
    return {
        "losses_of_100_steps": np.abs(gpu_engine.finished(0, 100) / losses - 1).max().item(),
        "gradients": max(
            (np.abs(found[name].get() - of_cpu).max() / np.abs(of_cpu).max()).item()
            for name, of_cpu in gradients.items()
        ),
    }


def train(epochs: int = 100) -> dict[str, Any]:
    """The article's run, on the clock from the command on."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = Run.start(Config(gpu=0, epoch=epochs), Path(folder) / "run")
        steps_by = run.backend.name
        log = list(run.train())
        seconds = time.perf_counter() - started
        mu, ln_var = encode(run.model, run.test_images)
        used = posterior.dimensions(mu, ln_var).active_by_kl
    author = [log[epochs].test_loss for log in article_log.load_logs()]
    return {
        "epochs": epochs,
        "steps_by": steps_by,
        "seconds": round(seconds, 2),
        "seconds_of_the_epochs": round(log[-1]["elapsed_time"], 2),
        "seconds_of_the_first_epoch": round(log[0]["elapsed_time"], 2),
        "train_loss": log[-1]["main/loss"],
        "test_loss": log[-1]["validation/main/loss"],
        "test_loss_of_the_author": author,
        "latent_units_with_a_KL_above_0.1": int(used.sum()),
    }


def seconds_per_step(steps: Callable[[], int]) -> list[float]:
    """Of several rounds, after one to warm up; ``steps`` returns how many it did."""
    times = []
    for _ in range(REPEATS + 1):
        chainer.backends.cuda.cupy.cuda.Device().synchronize()
        started = time.perf_counter()
        count = steps()
        chainer.backends.cuda.cupy.cuda.Device().synchronize()
        times.append((time.perf_counter() - started) / count)
    return times[1:]


def variants(batchsize: int) -> dict[str, Callable[[], Callable[[], int]]]:
    """Each makes a function that does some training steps and waits for them."""
    images = load_mnist().train_images

    def chainers() -> Callable[[], int]:
        model, optimizer = new_model(on_gpu=True)
        loss_func = model.get_loss_func()

        def steps() -> int:
            for start in range(0, 30 * batchsize, batchsize):
                optimizer.update(loss_func, model.xp.asarray(images[start : start + batchsize]))
                float(model.loss.array)
            return 30

        return steps

    def engine() -> Callable[[], int]:
        from chainer_vae.engine.gpu_step import GpuEngine

        model, optimizer = new_model(on_gpu=True)
        gpu_engine = GpuEngine(model, optimizer, 1.0, 1, images, batchsize)
        permutation = np.random.permutation(len(images)).astype(np.int32)

        def steps() -> int:
            count = gpu_engine.launch(permutation)
            return len(gpu_engine.finished(0, count))

        return steps

    def pytorch(variant: str) -> Callable[[], int]:
        sys.path.insert(0, str(ROOT / "benchmarks"))
        import torch
        import torch_vae

        model, _ = new_model()
        if variant == "graph":
            step = torch_vae.make_graph(model, batchsize)
        else:
            step = torch_vae.make_step(variant, model, "cuda")
        on_gpu = torch.from_numpy(images).cuda()

        def steps() -> int:
            for start in range(0, 60 * batchsize, batchsize):
                step(on_gpu[start : start + batchsize])
            torch.cuda.synchronize()
            return 60

        return steps

    return {
        "Chainer's loop": chainers,
        "engine": engine,
        "PyTorch eager": lambda: pytorch("eager"),
        "PyTorch fused Adam": lambda: pytorch("fused Adam"),
        "PyTorch compiled, fused Adam": lambda: pytorch("compiled"),
        "PyTorch compiled, one CUDA graph": lambda: pytorch("graph"),
    }


def kernels_per_step(steps: Callable[[], int]) -> Any:
    """Counted by PyTorch's profiler, whoever launches them; None where there is no PyTorch."""
    try:
        from torch.profiler import ProfilerActivity, profile
    except ImportError:
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        count = steps()
        chainer.backends.cuda.cupy.cuda.Device().synchronize()
    kernels = [
        event for event in found.events()
        if "memcpy" not in event.name.lower() and "memset" not in event.name.lower()
    ]  # fmt: skip
    return round(len(kernels) / count, 1)


def benchmark() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batchsize in (100, 1000):
        for name, make in variants(batchsize).items():
            try:
                steps = make()
                times = seconds_per_step(steps)
            except Exception as error:  # one that is not installed, or does not work here
                reason = reason_of(error)
                rows.append({"batchsize": batchsize, "what": name, "failed": reason})
                print(f"{batchsize:5} {name:34} failed: {reason}", flush=True)
                continue
            kernels = None
            with contextlib.suppress(Exception):  # a count is not worth the table
                kernels = kernels_per_step(steps)
            rows.append(
                {
                    "batchsize": batchsize,
                    "what": name,
                    "microseconds": round(median(times) * 1e6, 1),
                    "least": round(min(times) * 1e6, 1),
                    "most": round(max(times) * 1e6, 1),
                    "kernels": kernels,
                }
            )
            print(f"{batchsize:5} {name:34} {median(times) * 1e6:9.1f} us", flush=True)
    return rows


def table(steps: list[dict[str, Any]]) -> str:
    """The table of the steps in docs/en/gpu.md."""
    measured = {(row["batchsize"], row["what"]): row for row in steps if "microseconds" in row}
    lines = [
        "| a training step, microseconds | batch 100 | batch 1,000 | kernels (batch 100) |",
        "|---|---|---|---|",
    ]
    for what in dict.fromkeys(row["what"] for row in steps):
        times = [
            measured.get((batchsize, what), {}).get("microseconds") for batchsize in (100, 1000)
        ]
        kernels = measured.get((100, what), {}).get("kernels")
        cells = [
            what,
            *("" if number is None else f"{number:,.0f}" for number in (*times, kernels)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def torch_version() -> dict[str, str]:
    try:
        import torch
    except ImportError:
        return {}
    return {"torch": torch.__version__}


def reason_of(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gpu", metavar="DIR")
    args = parser.parse_args()
    started = time.perf_counter()
    try:
        devices.use_device(0)
    except InputError as error:
        print(f"gpu_check.py: error: {error}", file=sys.stderr)
        return 2
    device = devices.describe(0)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / (re.sub(r"[^A-Za-z0-9]+", "-", device).strip("-") + ".json")
    result: dict[str, Any] = {
        "device": device,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "versions": {**devices.versions(), **torch_version()},
    }
    parts = {"tests": run_tests, "agreement": agreement, "training": train, "steps": benchmark}
    for name, part in parts.items():
        try:
            result[name] = part()
        except Exception as error:  # the other parts are worth having
            traceback.print_exc()
            result[name] = {"failed": reason_of(error)}
        result["seconds"] = round(time.perf_counter() - started)
        if name != "steps":  # which prints its own, line by line
            print(json.dumps({name: result[name]}, indent=2), flush=True)
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if isinstance(result["steps"], list):
        print(table(result["steps"]))
    print(f"written in {result['seconds']} s: {file}")
    failed = [name for name in parts if "failed" in result[name]]
    return int(bool(failed) or not result["tests"]["passed"])


if __name__ == "__main__":
    sys.exit(main())
