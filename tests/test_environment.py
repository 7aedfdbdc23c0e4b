"""Variables of the environment that other libraries read: nonsense in them is told in one line."""

import os
import subprocess
import sys

import pytest

from chainer_vae import InputError
from chainer_vae.environment import blamed_on

FIGURES = ("-m", "chainer_vae", "figures", "--only", "eq-elbo")
TRAIN = ("-m", "chainer_vae", "train", "--test", "--epoch", "1", "--dim-h", "8")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (TRAIN, "CHAINER_DTYPE"),
        (("-m", "chainer_vae", "doctor"), "CHAINER_DEBUG"),
        (("-c", "import chainer_vae"), "CHAINER_LAZY_GRAD_SUM"),
        (FIGURES, "MPLBACKEND"),
    ],
)
def test_nonsense_is_told_in_one_line(command, name, tmp_path):
    """And nothing is written."""
    result = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env={**os.environ, name: "nonsense"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"chainer-vae: error: the environment has {name}='nonsense', which")
    assert line.endswith("; unset or correct it")
    assert list(tmp_path.iterdir()) == []


def test_nonsense_that_a_program_meets_is_told_after_its_traceback(tmp_path):
    code = "import os; os.environ['CHAINER_TYPE_CHECK'] = 'nonsense'; import chainer"
    result = subprocess.run(
        [sys.executable, "-m", "chainer_vae.compat", "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "chainer_vae.compat: the environment has CHAINER_TYPE_CHECK='nonsense': Chainer"
    )


def test_what_needs_a_variable_only(tmp_path):
    """A command that draws nothing does not care about Matplotlib's, nor doctor about tqdm's."""
    nonsense = {"MPLBACKEND": "nonsense", "TQDM_NCOLS": "nonsense", "TQDM_FILE": "nonsense"}
    result = subprocess.run(
        [sys.executable, "-m", "chainer_vae", "doctor"], cwd=tmp_path,
        env={**os.environ, **nonsense}, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")


def test_other_errors_pass(monkeypatch):
    monkeypatch.delenv("TQDM_NCOLS", raising=False)
    with pytest.raises(ValueError, match=r"^fault$"), blamed_on("TQDM_NCOLS"):
        raise ValueError("fault")
    monkeypatch.setenv("TQDM_NCOLS", "two\nlines")
    with pytest.raises(ZeroDivisionError), blamed_on("TQDM_NCOLS"):
        raise ZeroDivisionError
    message = r"^the environment has TQDM_NCOLS='two\\nlines', which cannot be used \(a b\); unset"
    with pytest.raises(InputError, match=message), blamed_on("TQDM_NCOLS"):
        raise ValueError("a\nb")
