"""What a program under ``python -m chainer_vae.compat`` starts finds Chainer patched, too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from matrix import find_python
from test_compat import python, script

from chainer_vae import compat

# Needs patches from the first import on (numpy.sctypes, pkg_resources).
CHILD = """
    import sys
    before = "numpy" in sys.modules or "chainer" in sys.modules
    import chainer
    print(before, chainer.__version__, len(chainer.datasets.get_mnist()[0]))
"""
SAID = "False 7.8.1 60000\n"
CHILDREN = str(Path(compat.__file__).parent / "children")


def started(tmp_path, *words, **variables):
    """What a child says that a program starts with these words after the Python's name."""
    program = tmp_path / "starts.py"
    program.write_text(
        "import os, subprocess, sys\n"
        f"os.environ.update({variables!r})\n"
        f"done = subprocess.run([sys.executable, *{list(map(str, words))!r}],"
        " capture_output=True, text=True)\n"
        "print(done.stdout, end='')\n"
        "print(done.stderr, end='', file=sys.stderr)\n"
    )
    result = python("-m", "chainer_vae.compat", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    return result


@pytest.mark.parametrize("runner", [(), ("-m", "chainer_vae.compat")])
def test_by_subprocess(tmp_path, runner):
    child = script(tmp_path, CHILD)
    result = started(tmp_path, *runner, child)
    assert (result.stdout, result.stderr) == (SAID, "")


def test_by_joblib(tmp_path):
    """Its processes (loky) are Pythons that start from nothing."""
    program = script(
        tmp_path,
        """
        from joblib import Parallel, delayed

        def total(n):
            import chainer, numpy
            return float(chainer.functions.sum(chainer.Variable(numpy.ones(n, "f"))).array)

        print(Parallel(2)(delayed(total)(n) for n in (1, 2, 3)))
        """,
    )
    result = python("-W", "ignore", "-m", "chainer_vae.compat", program)
    assert (result.stdout, result.stderr) == ("[1.0, 2.0, 3.0]\n", "")


def test_in_a_notebook(tmp_path, monkeypatch):
    """Jupyter's kernels are such Pythons, too."""
    monkeypatch.delenv("PYTHONWARNINGS")  # the last Jupyter for Python 3.9 raises some
    notebook = tmp_path / "n.ipynb"
    cell = {
        "cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [],
        "source": "import chainer; print(chainer.__version__)",
    }  # fmt: skip
    notebook.write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    program = script(
        tmp_path,
        """
        import sys, nbformat
        from nbclient import NotebookClient

        notebook = nbformat.read(sys.argv[1], as_version=4)
        NotebookClient(notebook, kernel_name="python3").execute()
        print(notebook.cells[0].outputs[0].text, end="")
        """,
    )
    result = python("-W", "ignore", "-m", "chainer_vae.compat", program, notebook)
    assert (result.returncode, result.stdout) == (0, "7.8.1\n"), result.stderr


def test_nothing_that_takes_long_is_imported_for_who_does_not_ask(tmp_path):
    child = script(
        tmp_path, "import sys; print({'chainer', 'numpy', 'packaging'} & {*sys.modules})"
    )
    assert started(tmp_path, child).stdout == "set()\n"


@pytest.mark.parametrize("body", ["print('theirs')", "import nothing_like_it", "1 / 0"])
def test_a_sitecustomize_of_the_user_runs_as_without(tmp_path, body):
    """In the child, after ours; an error in it is told by Python in the same words."""
    (tmp_path / "sitecustomize.py").write_text(f"{body}\n")
    child = script(tmp_path, CHILD)
    alone = python("-c", "pass", path=[tmp_path])
    variables = {"PYTHONPATH": os.pathsep.join([CHILDREN, str(tmp_path)])}
    result = started(tmp_path, child, **variables)
    assert result.stdout == alone.stdout + SAID
    assert result.stderr == alone.stderr
    assert alone.stdout == "theirs\n" or "Error in sitecustomize" in alone.stderr


def test_tracebacks_in_a_child(tmp_path):
    child = script(
        tmp_path,
        """
        import chainer
        chainer.iterators.SerialIterator([1], 1).epoch = 0
        """,
    )
    result = started(tmp_path, child)
    assert "chainer_vae" not in result.stderr.partition("chainer_vae.compat: ")[0]
    assert "made this attribute read-only" in result.stderr.splitlines()[-1]


def test_a_child_that_uses_this_package(tmp_path):
    child = script(tmp_path, "import chainer_vae; print(chainer_vae.Run, chainer_vae.__all__[0])")
    result = started(tmp_path, child)
    assert result.stdout == "<class 'chainer_vae.runs.run.Run'> VAE\n"


@pytest.mark.parametrize("name", ["2.7", "3.6", "3.8", "another environment"])
def test_a_python_without_this_package_starts_as_ever(tmp_path, name):
    if name == "another environment":
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True
        )
        other = str(tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python")
    else:
        found = find_python(name)
        if found is None:  # the package does not support it, so few machines have it
            pytest.skip(f"there is no Python {name}")
        other = found.python
    program = script(
        tmp_path,
        """
        import subprocess, sys
        show = "import sys; print(sys.version_info[0], [f for f in sys.path if 'compat' in f])"
        done = subprocess.run([sys.argv[1], "-c", show], capture_output=True, text=True)
        print(done.stdout + done.stderr, end="")
        """,
    )
    result = python("-m", "chainer_vae.compat", program, other)
    assert result.stdout in ("(2, [])\n", "3 []\n"), result.stderr
