"""The benchmark: that it measures all that are installed, and what its tables say."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import bench
import contestants
import measure

INSTALLED = contestants.versions()  # of PyTorch and JAX
WITH_AVX2 = measure.kernels.load("avx2") is not None


@pytest.mark.slow
@pytest.mark.parametrize("avx2", [False, True] if WITH_AVX2 else [False])
def test_everybody_is_measured(avx2, monkeypatch, capsys):
    for name, value in dict(
        QUICK_ROUNDS=2, TEST_ROUNDS=2, PAUSE=0, ROUND=0, TEST_IMAGES=100
    ).items():
        monkeypatch.setattr(measure, name, value)
    monkeypatch.setattr(sys, "argv", ["measure.py", json.dumps({"avx2": avx2, "quick": True})])
    for module in (measure.kernels, measure.cpu_kernels):
        monkeypatch.setattr(module, "load", module.load)  # to be restored: measure.py replaces it
    measure.main()
    result = json.loads(capsys.readouterr().out)
    step, test = ("matrix products", "Chainer's loop"), ("Chainer's loop",)
    if "torch" in INSTALLED:
        step, test = (*step, "PyTorch eager", "PyTorch fused Adam"), (*test, "PyTorch eager")
    found = {(case["what"], case["model"]): case["milliseconds"] for case in result["cases"]}
    assert {key: tuple(times) for key, times in found.items()} == {
        ("step", "new"): ("engine", *step),
        ("step", "trained"): ("engine", *step),
        ("test", "trained"): ("engine", *test),
    }
    for times in found.values():
        assert all(len(rounds) == 2 and min(rounds) > 0 for rounds in times.values())
    assert result["simd"].keys() >= {"NumPy", "BLAS", "engine"}
    assert "AVX2" in result["simd"]["engine"] or not avx2
    assert 0 <= result["stolen"] <= 1 and 0 <= result["others"] <= 1


def case(model, **milliseconds):
    return {"what": "step", "z": 20, "batch": 100, "model": model, "milliseconds": milliseconds}


def test_tables(capsys):
    """Medians; the fastest PyTorch is compared with; "~" where rounds lie apart, "!" over a bar."""
    times = {
        "engine": [9.0, 10.0, 10.5],
        "matrix products": [5.0, 5.0, 5.0],
        "PyTorch eager": [20.0, 20.0, 20.0],
        "PyTorch compiled": [8.0, 12.0, 16.0],
    }
    bench.show("step", [case("new", **times), case("trained", **{**times, "engine": [13.0] * 3})])
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == "a step, ms z20 100 new z20 100 trained"
    assert "PyTorch compiled ~12.0 ~12.0" in rows
    assert "engine 10.0 13.0" in rows
    assert "engine / the fastest PyTorch (bar 1.0) 0.83 1.08 !" in rows
    assert "engine / the matrix products (bar 1.4) 2.00 ! 2.60 !" in rows
    assert not any("JAX" in row for row in rows)  # which is not there


def test_warnings(capsys):
    bench.warn({"stolen": 0.0, "others": 0.01})
    assert capsys.readouterr().out == ""
    bench.warn({"stolen": 0.1, "others": 0.5})
    host, others = capsys.readouterr().out.splitlines()
    assert "took 10% of the processors' time" in host
    assert "other processes took 50% of it" in others


def test_avx512_is_switched_off_in_every_library():
    environment = bench.without_avx512()
    assert environment["OPENBLAS_CORETYPE"] == "Haswell"
    assert "AVX512" in environment["NPY_DISABLE_CPU_FEATURES"] or sys.platform != "linux"
