"""What the seed decides: the article's two runs, each with several seeds.

    python benchmarks/seeds.py
    python benchmarks/seeds.py --seeds 2 --epoch 1 --dimz 20 --runs runs/seeds --out runs/seeds.json

Adds to chainer_vae/data/seeds.json, after each run that it lacks: the losses (nats per image, the
test's with k = 10) after some epochs, and what the latent space looks like on the test images.  A
run that was begun resumes.
"""

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from chainer_vae import Config, Run, devices, encode, posterior
from chainer_vae.datasets import DATA_DIR
from chainer_vae.runs.files import save_text

SHOWN = (10, 50, 71, 100)  # epochs; Metzen's losses are of epoch 71


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="0 to N - 1 (5)")
    parser.add_argument("--epoch", type=int, default=100, metavar="N", help="of each run (100)")
    parser.add_argument("--dimz", type=int, nargs="+", default=[20, 2], help="(20 2)")
    parser.add_argument("--runs", type=Path, default=Path("runs/seeds"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=DATA_DIR / "seeds.json", metavar="FILE")
    args = parser.parse_args()
    record: dict[str, Any] = {"epoch": args.epoch, "runs": []}
    if args.out.exists():
        record = json.loads(args.out.read_text(encoding="utf-8"))
    if record["epoch"] != args.epoch:
        parser.error(f"{args.out} has runs of {record['epoch']} epochs: name another with --out")
    runs: list[dict[str, Any]] = record["runs"]
    for dimz, seed in [(dimz, seed) for dimz in args.dimz for seed in range(args.seeds)]:
        if any((run["dimz"], run["seed"]) == (dimz, seed) for run in runs):
            continue
        folder = args.runs / f"z{dimz}-seed{seed}"
        runs.append(measure(Config(epoch=args.epoch, dimz=dimz, seed=seed), folder))
        runs.sort(key=lambda run: (-run["dimz"], run["seed"]))
        save_text(args.out, json.dumps(record, indent=1) + "\n")


def measure(config: Config, folder: Path) -> dict[str, Any]:
    """Train a run to its end, and look at its losses and at its latent dimensions."""
    if (folder / "config.json").exists():
        run = Run.resume(folder, epoch=config.epoch, dimz=config.dimz, seed=config.seed)
    else:
        run = Run.start(config, folder)
    for entry in run.train():
        print(
            f"{folder.name}, epoch {entry['epoch']}: {entry['validation/main/loss']:.3f}",
            flush=True,
        )
    run.save()
    found = posterior.dimensions(*encode(run.model, run.test_images))
    return {
        "dimz": config.dimz,
        "seed": config.seed,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "device": devices.describe(-1),
        "versions": devices.versions(),
        "losses": {
            str(entry["epoch"]): {
                "train": entry["main/loss"],
                "test": entry["validation/main/loss"],
            }
            for entry in run.log
            if entry["epoch"] in {*SHOWN, config.epoch}
        },
        "kl": found.kl.tolist(),
        "active": int(found.active.sum()),
        "active_by_kl": int(found.active_by_kl.sum()),
    }


if __name__ == "__main__":
    main()
