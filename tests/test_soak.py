"""Nothing grows with epochs, calls and runs: a quick part of what `make soak` does."""

import pytest
import soak
from conftest import write_idx_folder


@pytest.mark.slow
@pytest.mark.parametrize("part", soak.PARTS)
def test_nothing_grows(part, mnist, tmp_path):
    data = write_idx_folder(tmp_path / "data", mnist, 100, 10)
    n = 30 if part == "resume" else 150
    found = soak.in_a_process(part, n, data, tmp_path / "run")
    for name in ("open files", "threads", "files"):
        first, last = found[name]
        assert first == last, name
    first, last = found["memory"]
    assert first is None or last - first < 20  # MB; a run's arrays are about 1
    # kB: parameters, moments and the graph; and an epoch has less than 1 in the log and the .state.
    assert found["size"][1] < 500 + n
    if part in ("fused", "chainer") and found["written"] is not None:
        # A save writes less than 1 MB; there is one a second, and a few at the ends.
        assert found["written"] < found["seconds"] + 10
