"""``--lend``: names that libraries have dropped, for a program and for packages that it names."""

import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from test_compat import python, script

from chainer_vae.compat import lending
from chainer_vae.compat.dropped_names import DROPPED, MOVED

PROGRAM = """
    import collections
    import time
    import numpy as np
    from collections import Iterable
    from fractions import gcd
    x = np.zeros(3, dtype=np.float)
    print(x.dtype, np.product([2, 3]), np.asscalar(np.ones(1)), np.alen([1, 2]), np.Inf)
    print(isinstance([], Iterable), gcd(4, 6), time.clock() > 0, collections.Mapping.__name__)
"""
SAID = "float64 6 1.0 2 inf\nTrue 2 True Mapping\n"


def run(*args, cwd=None, path=()):
    return python("-W", "ignore", "-m", "chainer_vae.compat", *args, cwd=cwd, path=path)


def test_a_program_of_its_time(tmp_path):
    program = script(tmp_path, PROGRAM)
    result = run("--lend", program)
    assert (result.stdout, result.stderr) == (SAID, "")
    assert run(program).returncode == 1


@pytest.mark.parametrize(
    "words", [("-m", "program"), ("-c", textwrap.dedent(PROGRAM)), ("folder",)]
)
def test_however_it_is_named(tmp_path, words):
    program = script(tmp_path, PROGRAM)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(program.read_text())
    result = run("--lend", *words, cwd=tmp_path)
    assert (result.stdout, result.stderr) == (SAID, "")


def installed(tmp_path, name, text):
    """A folder with that package, as pip would install it."""
    folder = tmp_path / "site-packages"
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)
    return folder


def test_packages_borrow_that_are_named(tmp_path):
    folder = installed(tmp_path, "companion", "import numpy as np\nzero = np.rank(0)\n")
    program = script(tmp_path, "import companion; print(companion.zero)")
    result = run("--lend", program, path=[folder])
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "chainer_vae.compat: numpy.rank is gone since NumPy 1.18: write numpy.ndim;"
        " python -m chainer_vae.compat --lend=companion PROGRAM lends it"
    )
    result = run("--lend=other,companion", program, path=[folder])
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_the_libraries_stay_as_they_are(tmp_path):
    folder = installed(tmp_path, "other", "import numpy, fractions as f\n")
    program = script(
        tmp_path,
        """
        import sys
        import numpy as np, other, chainer
        np.new = np.rank(5) + 5
        real = sys.modules["numpy"]
        print("rank" in dir(real), hasattr(real, "rank"), hasattr(other.numpy, "rank"))
        print(real.new, np.linalg is real.linalg, np.__file__ == real.__file__)
        print(other.numpy is real, hasattr(other.f, "gcd"))
        print(hasattr(chainer.reporter.numpy, "rank"))
        """,
    )
    result = run("--lend", program, path=[folder])
    assert result.stdout == "False False False\n5 True True\nTrue False\nFalse\n", result.stderr


def test_an_error_is_the_library_s_own(tmp_path):
    program = script(tmp_path, "import numpy as np\nnp.no_such_name\n")
    result = run("--lend", program)
    assert "AttributeError: module 'numpy' has no attribute 'no_such_name'" in result.stderr
    assert "lending" not in result.stderr
    program.write_text("import numpy.no_such_module\n")
    result = run("--lend", program)
    assert "ModuleNotFoundError: No module named 'numpy.no_such_module'" in result.stderr
    assert "lending" not in result.stderr


def test_processes_borrow_too(tmp_path):
    program = script(
        tmp_path,
        """
        import multiprocessing, subprocess, sys
        import numpy as np
        ZERO = np.rank(0)  # when __main__ is imported again

        def half(x):
            return x / 2 + np.rank(x)

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(half, [1, 2]), flush=True)
            subprocess.run([sys.executable, "-c", "import numpy; print(numpy.rank(3))"])
        """,
    )
    result = run("--lend", program)
    assert (result.stdout, result.stderr) == ("[0.5, 1.0]\n0\n", "")


def test_what_was_used_is_listed(tmp_path):
    program = script(
        tmp_path,
        """
        import numpy as np
        from fractions import gcd
        for _ in range(3):
            x = np.rank(1) + gcd(2, 4)
        """,
    )
    result = run("--explain", program, cwd=tmp_path)
    assert result.stderr.splitlines() == [
        "chainer_vae.compat: program.py:3: fractions.gcd is gone since Python 3.9: write math.gcd",
        "chainer_vae.compat: program.py:5: numpy.rank is gone since NumPy 1.18: write numpy.ndim",
    ]


def test_the_report_is_a_patch_after_which_nothing_is_lent(tmp_path):
    program = script(
        tmp_path,
        """
        import numpy, numpy as np, collections
        a = np.zeros(2, np.int) + numpy.int(1)
        b = np.rank(a) + np.product(a) + np.float_(1) - np.NINF  # np.product
        c = isinstance(a, collections.Iterable), "np.int"
        print(a, b, c)
        """,
    )
    before = run(f"--fix-report={tmp_path / 'fix.patch'}", program, cwd=tmp_path)
    assert before.returncode == 0, before.stderr
    subprocess.run(["git", "apply", "-p0", "fix.patch"], cwd=tmp_path, check=True)
    after = run("--explain", program, cwd=tmp_path)
    assert after.stdout == before.stdout
    assert after.stderr == ""


def test_the_report_of_what_text_alone_does_not_mend(tmp_path):
    program = script(tmp_path, "from numpy import rank, asscalar\nprint(rank([2]))\n")
    run("--fix-report=fix.patch", program, cwd=tmp_path)
    patch = (tmp_path / "fix.patch").read_text()
    assert "numpy.rank is gone since NumPy 1.18: write numpy.ndim" in patch
    assert "numpy.asscalar is gone since NumPy 1.23: write a.item()" in patch
    folder = tmp_path / "none"
    result = run(f"--fix-report={folder / 'fix.patch'}", program)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"chainer_vae.compat: no folder for {folder / 'fix.patch'}\n"
    result = run(f"--fix-report={tmp_path}", program)
    assert result.stderr.startswith(f"chainer_vae.compat: cannot write {tmp_path}: ")


@pytest.mark.parametrize("option", ["--lend=", "--fix-report", "--explain=1", "--nothing"])
def test_wrong_options(tmp_path, option):
    result = run(option, script(tmp_path, "print(1)"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage:")


@pytest.mark.parametrize("module", [*DROPPED, *MOVED])
def test_everything_that_is_lent_is_there(module, monkeypatch):
    """Each name, as a program's module would import it."""
    monkeypatch.setattr("builtins.__import__", __import__)
    monkeypatch.setenv(lending.VARIABLE, "")  # and taken away again
    lending.lend("")
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in DROPPED.get(module, ["core"]):
            if module in MOVED:
                exec(f"import {module}.{name}; from {module} import {name}", names)
                continue
            exec(f"import {module}; value = {module}.{name}", names)
            exec(f"from {module} import {name}; assert {name} is value", names)


def test_images_of_scipy(tmp_path):
    """As recorded with SciPy 1.1.0 (Python 3.6, Pillow 5.4.1)."""
    lent = {name: dropped.make() for name, dropped in DROPPED["scipy.misc"].items()}
    imresize, file = lent["imresize"], tmp_path / "a.png"
    numbers = np.arange(12.0).reshape(3, 4) ** 2 - 7
    pixels = [[0, 2, 8, 19], [34, 53, 76, 103], [135, 171, 211, 255]]
    assert imresize(numbers, 200, interp="nearest")[::2, ::2].tolist() == pixels
    assert imresize(numbers, (2, 2)).tolist() == [[19, 39], [119, 172]]
    assert imresize(numbers, 0.5).shape == (1, 2)
    lent["imsave"](file, numbers)
    assert lent["imread"](file).tolist() == pixels
    assert lent["imread"](file, mode="RGB").shape == (3, 4, 3)
    assert lent["imread"](str(file), flatten=True).dtype == np.float32


def test_hints_of_what_is_gone(tmp_path):
    for text, words in (
        ("import numpy as np; np.rank", "numpy.rank is gone since NumPy 1.18: write numpy.ndim; "),
        ("import imp_of_mine", None),
        ("from fractions import gcd", "write math.gcd; python -m chainer_vae.compat --lend "),
        (
            "from scipy.misc import imread",
            "write PIL.Image.open; python -m chainer_vae.compat --lend ",
        ),
        ("from numpy import no_such_name", None),
    ):
        result = run(script(tmp_path, text))
        assert result.returncode == 1
        last = result.stderr.splitlines()[-1]
        assert words in last if words else "chainer_vae" not in last, last


def test_the_hint_of_numpy_s_numbers_names_the_line(tmp_path):
    """NumPy 2 lets np.float64 decide the type, and Chainer refuses the array."""
    program = script(
        tmp_path,
        """
        import numpy as np, chainer, chainer.links as L

        def call(x):
            return L.Linear(3, 2)(x * np.sqrt(np.float64(2)))

        call(np.ones((1, 3), "f"))
        """,
    )
    result = run(program)
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        assert result.returncode == 0
        return
    assert result.returncode == 1
    assert f"{program}:5 computes its argument" in result.stderr.splitlines()[-1]


def test_doctor_lists_what_can_be_lent():
    gone = lending.gone_here()
    assert {"rank", "asscalar"} <= set(gone["numpy"])
    done = subprocess.run(
        [sys.executable, "-m", "chainer_vae", "doctor"], capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )  # fmt: skip
    for module, names in gone.items():
        assert f"{module}: {', '.join(names)}" in done.stdout
