"""The benchmark: that it measures all that are installed, and what its tables say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import bench
import contestants
import distributed_bounds
import log_likelihood
import measure

from chainer_vae import likelihood, load_mnist, load_model

ROOT = Path(__file__).resolve().parent.parent
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


def test_ln_p_of_x_is_recorded(tmp_path, monkeypatch):
    """What chainer-vae evaluate prints, and times."""
    out = tmp_path / "recorded.json"
    settings = ["--images", "3", "--k", "10", "--seed", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["log_likelihood.py", *settings])
    log_likelihood.main()
    record = json.loads(out.read_text())
    images = load_mnist().test_images[:3]
    for name, found in record["models"].items():
        expected = likelihood.log_likelihood(load_model(name)[0], images, 10, seed=2)
        assert found["log_likelihood"] == expected.mean == found["bounds"]["10"]
        assert found["command"] == f"chainer-vae evaluate {name} --iw 10 --images 3 --seed 2"
        assert found["processor_seconds"] > 0 and found["of_products"] > 0


@pytest.mark.parametrize("language", ["en", "ja"])
def test_several_processes_in_the_guide(language, capsys):
    """Its tables are what was measured, and what is computed from it."""
    guide = (ROOT / "docs" / language / "chainermn.md").read_text(encoding="utf-8")
    record = json.loads((ROOT / "results" / "distributed.json").read_text(encoding="utf-8"))
    reduce = record["allreduce"]["gradient"]
    for step in record["steps"]:
        alone, share = step["alone"], step["share"]
        faster = alone / (share + reduce)
        assert f"| {step['batchsize']:,} | {alone:.1f} | {share:.1f} | {faster:.2f} |\n" in guide
    assert f"{reduce:.1f} ms" in guide
    assert f"{1000 * record['allreduce']['one_number']:.1f} µs" in guide
    assert record["gradient_bytes"] == distributed_bounds.GRADIENT
    a, b = distributed_bounds.step()
    assert f"a = {1e6 * a:.0f} µs" in guide and f"b = {1e6 * b:.2f} µs" in guide

    distributed_bounds.main()
    _, *rows = capsys.readouterr().out.splitlines()
    for row in rows:
        gpus, link, time, _, *sizes = row.split()
        assert f"| {gpus} | {link} | {time} µs | {' | '.join(sizes)} |\n" in guide


def test_a_batch_that_pays_is_as_fast_as_one_gpu():
    a, b = distributed_bounds.step()
    for gpus, (_, bandwidth, _) in distributed_bounds.LINKS.items():
        for efficiency in (1 / gpus, 0.5):
            n = distributed_bounds.batch_size(gpus, efficiency)
            together = a + b * n / gpus + distributed_bounds.allreduce(gpus)
            assert together == pytest.approx((a + b * n) / (efficiency * gpus), rel=0.01)
        sent = 2 * (gpus - 1) / gpus * distributed_bounds.GRADIENT / bandwidth
        assert distributed_bounds.allreduce(gpus) > sent


@pytest.mark.slow
def test_several_processes_are_measured(mpiexec, tmp_path):
    options = ["--steps", "2", "--batchsizes", "10", "--out", tmp_path / "new.json"]
    program = ROOT / "benchmarks" / "distributed.py"
    process = mpiexec(2, program, *options, cwd=tmp_path, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    record = json.loads(out)
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8")) == record
    assert record["processes"] == 2 and record["allreduce"]["gradient"] > 0
    (step,) = record["steps"]
    assert step["batchsize"] == 10 and step["alone"] > 0 < step["share"]
