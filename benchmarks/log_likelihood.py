"""ln p(x) of the trained models that come with the package, and what it costs.

    OPENBLAS_NUM_THREADS=1 python benchmarks/log_likelihood.py
    python benchmarks/log_likelihood.py --images 20 --k 50 --out runs/likelihood.json

Writes results/log-likelihood.json.  Times are the processor's, so that other programs count little:
those of the estimate, and those of its matrix products alone, as often.
"""

import argparse
import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from chainer_vae import VAE, devices, encode, evaluate, load_mnist, load_model, posterior
from chainer_vae.engine import thread_pool
from chainer_vae.likelihood import BLOCK, log_likelihood
from chainer_vae.runs import SHIPPED, files

OUT = Path(__file__).parent.parent / "results" / "log-likelihood.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="test images (default: 1000)")
    parser.add_argument("--k", type=int, default=5000, help="samples of each (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default: 0)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT.name} in results/")
    args = parser.parse_args()
    record = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "device": devices.describe(-1),
        "versions": devices.versions(),
        "images": args.images,
        "k": args.k,
        "seed": args.seed,
        "models": {name: measure(name, args.images, args.k, args.seed) for name in SHIPPED},
    }
    with files.written_whole(args.out) as file:
        file.write(json.dumps(record, indent=1).encode() + b"\n")


def measure(name: str, images: int, k: int, seed: int) -> dict[str, Any]:
    """What ``chainer-vae evaluate NAME --iw K --images N`` prints, and the times."""
    model, _ = load_model(name)
    x = load_mnist().test_images[:images]
    elbo = evaluate(model, x, random=np.random.RandomState(seed))
    wall, processor = time.perf_counter(), time.process_time()
    found = log_likelihood(model, x, k, seed)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    latents = encode(model, x)
    dimensions = posterior.dimensions(*latents)
    decomposition = posterior.decompose(*latents, seed)
    result = {
        "command": f"chainer-vae evaluate {name} --iw {k} --images {images} --seed {seed}",
        "elbo": -elbo.loss,
        "log_likelihood": found.mean,
        "standard_error": found.standard_error,
        "bounds": found.bounds,
        "kl": dimensions.kl.tolist(),
        "variance_of_mean": dimensions.variance_of_mean.tolist(),
        "mean": dimensions.mean.tolist(),
        "variance": dimensions.variance.tolist(),
        "active": int(dimensions.active.sum()),
        "active_by_kl": int(dimensions.active_by_kl.sum()),
        "aggregate": decomposition._asdict(),
        "largest_correlation": posterior.largest_correlation(*latents),
        "seconds": wall,
        "processor_seconds": processor,
        "of_products": seconds_of_products(model) * images * k,
    }
    print(f"{name}: {found.mean:.3f} +- {found.standard_error:.3f}, {processor:.0f} s")
    return result


def seconds_of_products(model: VAE) -> float:
    """Of the decoder's matrix products alone, for one sample; the processor's time."""
    weights = [model[name].W.array for name in ("ld1", "ld2", "ld3")]
    inputs = [np.ones((W.shape[1], BLOCK), W.dtype) for W in weights]
    outputs = [np.empty((len(W), BLOCK), W.dtype) for W in weights]
    with thread_pool(1):
        times = []
        for _ in range(50):
            start = time.process_time()
            for arrays in zip(weights, inputs, outputs):
                np.dot(*arrays)
            times.append(time.process_time() - start)
    return float(np.median(times)) / BLOCK


if __name__ == "__main__":
    main()
