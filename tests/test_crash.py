"""Nothing is lost, wherever a training is killed: a part of what `make crash` tries."""

import os

import pytest
from conftest import write_idx_folder

crash = pytest.importorskip("crash") if hasattr(os, "fork") else None


@pytest.mark.slow
@pytest.mark.skipif(crash is None, reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # which is multi-threaded
@pytest.mark.parametrize("engine", ["fused", "chainer"])
def test_every_run_goes_on_as_if_it_had_not_been_killed(engine, mnist, tmp_path):
    data = write_idx_folder(tmp_path / "data", mnist, 250, 40)
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)  # which pytest shows of a test that fails
    done, wrong = crash.crash(data, engine, 23, 5, seed)
    assert wrong == []
    assert all(done[kind] >= 5 for kind in ("kill", "full", "read", "random"))
