"""What two runs of tests/programs/sweep.py computed differently: ``compare_sweeps.py OLD NEW``."""

import sys

import numpy as np

# Beyond what another order of sums, or another exp, gives.
TOLERANCES = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-10}


def difference(old, new, coarsest=None):
    """What differs between two arrays, in words; None if nothing does."""
    errors = [str(a) for a in (old, new) if a.dtype.kind == "U" and str(a).startswith("raises")]
    if errors and (old.dtype.kind != "U" or str(old) != str(new)):
        return f"{errors[0]}, {'now' if new.dtype.kind == 'U' else 'then'}"
    if old.dtype != new.dtype:
        return f"{old.dtype} was, {new.dtype} is"
    if old.shape != new.shape:
        return f"{old.shape} was, {new.shape} is"
    if old.dtype.kind != "f":
        return None if np.array_equal(old, new) else "other values"
    finite = np.isfinite(old)
    if not np.array_equal(finite, np.isfinite(new)):
        return "not finite elsewhere"
    if not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        return "another infinity"
    if not finite.any():
        return None
    tolerance = TOLERANCES[coarsest or old.dtype.name]
    old, new = old[finite].astype(np.float64), new[finite].astype(np.float64)
    scale = max(np.abs(old).max(), np.abs(new).max(), np.finfo(np.float64).tiny)
    far = np.abs(old - new).max() / scale
    return f"values, by {far:.1e}" if far > tolerance else None


def compare(old, new):
    """Yield the name of each array that differs, and how."""
    for name in sorted(set(old) | set(new)):
        if name not in old or name not in new:
            yield name, "only now" if name in new else "only then"
            continue
        # In the parentheses is of what types the arrays and the numbers of the case are.
        how = difference(old[name], new[name], next((t for t in TOLERANCES if t in name), None))
        if how:
            yield name, how


def read(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def main():
    found = list(compare(*map(read, sys.argv[1:])))
    for name, how in found:
        print(f"{name}: {how}")
    print(f"{len(found)} differences")


if __name__ == "__main__":
    main()
