"""From which batch size on several GPUs would train faster than one: computed, not measured.

    python benchmarks/distributed_bounds.py

A step of one GPU takes a + b B for a batch of B images, by the least times in results/gpu for 100
and for 1,000 (of the latter PyTorch's; the engine then waited for its noise, as it no longer does).
Of R GPUs, each has B / R images.  Then there is the allreduce of the gradient, S bytes, in a ring
over links of w bytes per second and a latency l::

    T(R, B) = a + b B / R + 2 (R - 1) / R S / w + 2 l steps,    steps = R - 1, between nodes log2 R

w and l have not been measured here: see LINKS.
"""

import json
import math
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results" / "gpu" / "NVIDIA-H100-80GB-HBM3.json"
GRADIENT = 5_267_296  # bytes: 1,316,824 numbers of 784-500-500-20 and back
# Number of GPUs: name, bytes per second in each direction, seconds.  NVLink 4 of an H100 has 450e9,
# InfiniBand NDR 50e9, by their data sheets; the latencies are assumed.
LINKS = {
    2: ("NVLink", 450e9, 5e-6),
    8: ("NVLink", 450e9, 5e-6),
    64: ("InfiniBand", 50e9, 10e-6),
}


def step() -> tuple[float, float]:
    """a and b, in seconds, and seconds per image."""
    steps = json.loads(RESULTS.read_text(encoding="utf-8"))["steps"]
    times = {
        batch: min(s["microseconds"] for s in steps if s["batchsize"] == batch) / 1e6
        for batch in (100, 1000)
    }
    b = (times[1000] - times[100]) / 900
    return times[100] - 100 * b, b


def allreduce(gpus: int) -> float:
    """Seconds."""
    name, bandwidth, latency = LINKS[gpus]
    hops = gpus - 1 if name == "NVLink" else math.log2(gpus)
    return 2 * (gpus - 1) / gpus * GRADIENT / bandwidth + 2 * latency * hops


def batch_size(gpus: int, efficiency: float) -> int:
    """From which on the GPUs are ``efficiency * gpus`` times as fast as one."""
    a, b = step()
    # a + b B / R + c = (a + b B) / (e R)
    share = b / (efficiency * gpus) - b / gpus
    return math.ceil((a + allreduce(gpus) - a / (efficiency * gpus)) / share)


def main() -> None:
    print("GPUs  link        allreduce  faster than one from  at half efficiency from")
    for gpus, (link, *_) in LINKS.items():
        faster, half = batch_size(gpus, 1 / gpus), batch_size(gpus, 0.5)
        row = f"{gpus:4}  {link:10}  {1e6 * allreduce(gpus):6.0f} us"
        print(f"{row}  {faster:20,}  {half:23,}")


if __name__ == "__main__":
    main()
