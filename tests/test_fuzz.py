"""Bad input: a part of what `make fuzz` tries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_bad_input_is_right_or_refused():
    """In a process of its own: in forks of this one, what other tests have left would count."""
    pytest.importorskip("hypothesis")
    part = Path(__file__).parent / "fuzz_part.py"
    env = {**os.environ, "PYTHONWARNINGS": "", "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", part],
        cwd=part.parent.parent, env=env, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout
