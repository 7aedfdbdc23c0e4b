"""``--lend``: names that libraries have dropped, for a program and for packages that it names."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image
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
    result = run("--lend=numpy", "--lend=json,companion", "--lend", program, path=[folder])
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_the_libraries_stay_as_they_are(tmp_path):
    folder = installed(tmp_path, "other", "import numpy, fractions as f, time\n")
    program = script(
        tmp_path,
        """
        import sys, time, unittest.mock
        import numpy as np, other, chainer
        from chainer import cuda
        np.new = np.rank(5) + 5
        assert np is sys.modules["numpy"] is cuda.get_array_module(np.zeros(2)) is other.numpy
        assert chainer.links.Linear(1, 1).xp is np and np.new == 5 and "rank" not in dir(np)
        look = "lambda thing, name: hasattr(thing, name)"
        theirs = eval(look, vars(other))  # a function of that package
        assert theirs(np, "sqrt") and not theirs(np, "rank") and not theirs(other.f, "gcd")
        assert not hasattr(chainer.reporter, "rank")
        with unittest.mock.patch.object(time, "sleep"):
            assert time.sleep(99) is not None
        time.sleep(0)
        del np.new
        """,
    )
    result = run("--lend", program, path=[folder])
    assert (result.returncode, result.stderr) == (0, "")


def test_however_a_name_is_reached(tmp_path):
    program = script(
        tmp_path,
        """
        import importlib, pickle
        import numpy as N
        from chainer import cuda, links
        from numpy import *
        from numpy import rank as r
        exec("assert N.rank(3) == 0")
        exec("import numpy; assert numpy.rank(3) == 0", {})
        assert cuda.get_array_module(N.ones(1)).rank(3) == links.Linear(1, 1).xp.rank(3) == 0
        assert rank(3) == r(3) == getattr(N, "rank")(3) == N.rank(3) == 0
        assert importlib.import_module("numpy").asscalar(N.ones(1)) == 1
        assert hasattr(N, "sqrt") and not hasattr(N, "no_such_name")
        assert asscalar(ones(1)) == 1 and int("3") == 3  # Python's own
        """,
    )
    result = run("--lend", program)
    assert (result.returncode, result.stderr) == (0, "")


def test_modules_by_their_names(tmp_path):
    folder = installed(
        tmp_path, "other", "import importlib\nload = lambda: importlib.import_module('imp')\n"
    )
    program = script(
        tmp_path,
        """
        import importlib, sys
        from importlib import import_module
        import other
        imp = importlib.import_module("imp")
        assert imp is import_module("imp") and imp.new_module("a").__name__ == "a"
        assert import_module("distutils.version").LooseVersion("1.2") < "1.10"
        assert import_module("scipy.misc").toimage([[0, 1]]).size == (2, 1)
        assert import_module(".parse", "urllib").quote("/") == "/"
        for load in (other.load, lambda: import_module("imp.part"), lambda: import_module("no")):
            try:
                load()
            except ModuleNotFoundError:
                pass
            else:
                assert sys.version_info < (3, 12) and load is other.load
        """,
    )
    result = run("--lend", program, path=[folder])
    assert (result.returncode, result.stderr) == (0, "")


def test_names_of_numpy_and_scipy(tmp_path):
    """Beside NumPy 1.21 and SciPy 1.7, which have them."""
    program = script(
        tmp_path,
        """
        import numpy as np, scipy, scipy.integrate, scipy.signal
        from numpy import math
        assert math.factorial(5) == 120 and np.typeDict["float32"] is np.float32
        assert np.safe_eval("[1, (2, 3)]") == [1, (2, 3)]
        assert np.fastCopyAndTranspose(np.arange(6).reshape(2, 3)).shape == (3, 2)
        assert np.obj2sctype("f4") is np.obj2sctype(np.float32) is np.float32
        assert np.obj2sctype(np.zeros(2)) is np.float64 and np.obj2sctype(object(), 1) == 1
        assert np.obj2sctype(np.floating) is np.floating and np.obj2sctype({"names": "a"}, 1) == 1
        assert [np.alen(a) for a in (np.array(3), None, "abc", [1, 2], 5.0)] == [1, 1, 3, 2, 1]
        assert np.find_common_type(["f4", "f4", "i4"], ["c8"]) == np.complex128
        assert np.find_common_type([np.float32], [np.int64, np.float64]) == np.float32
        assert np.find_common_type([], ["i4"]) == np.int32
        assert scipy.zeros(3).shape == (3,) and scipy.rand(2).shape == (2,)
        assert scipy.signal.hamming(5)[2] == scipy.signal.gaussian(5, 1)[2] == 1
        y = np.array([0.0, 1, 4, 9, 16])
        assert scipy.integrate.simps(y) == 64 / 3 and scipy.integrate.trapz(y) == 22
        assert scipy.integrate.cumtrapz(y).tolist() == [0.5, 3, 9.5, 22]
        assert scipy.integrate.cumtrapz(y, initial=5).tolist() == [5, 0.5, 3, 9.5, 22]
        few = np.array([1, 4, 9, 16.0, 2, 7, 1, 8])  # as recorded with SciPy 1.1
        ends = [scipy.integrate.simps(few, None, 1.0, -1, even) for even in ("first", "last")]
        assert abs(sum(ends) / 2 - 43.1666667) < 1e-6
        if "simps" not in vars(scipy.integrate):  # those of SciPy 1.11 to 1.13 differ
            assert abs(scipy.integrate.simps(few) - 43.1666667) < 1e-6
        assert scipy.sqrt(-1) == 1j and scipy.log10(100) == 2 and scipy.power(-8.0, 1 / 3).imag > 1
        assert np.float32 in np.cast and len(np.cast) >= 20 and np.cast["f4"](1).dtype == "f4"
        assert np.typeDict["f"] is np.float32 and np.loads(b"I1\\n.") == 1
        assert issubclass(np.VisibleDeprecationWarning, Warning) and np.isnan(np.NAN)
        assert np.float32 in np.sctypes["float"]
        assert np.find_common_type(["O"], [np.float64]) == object
        assert np.find_common_type(["S3", "U4"], []) == object
        """,
    )
    result = run("--lend", program)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_program_that_helps_itself_still_does(tmp_path):
    """Its libraries get what it gives them."""
    folder = installed(tmp_path, "other", "import numpy as np\nrank = lambda: np.rank(5)\n")
    program = script(
        tmp_path,
        """
        import collections, fractions
        import numpy as np, other
        if not hasattr(np, "rank"):
            np.rank = lambda a: 7
        print(other.rank(), np.rank(5))
        for i in range(3):
            fractions.gcd(2, 4)
            np.array([1.0]) / 0  # warned of once
        """,
    )
    result = python("-m", "chainer_vae.compat", "--lend", program, path=[folder])
    assert result.stdout == "7 7\n" and result.stderr.count("RuntimeWarning: divide") == 1


def test_a_star_passes_on_what_it_gave(tmp_path):
    (tmp_path / "utils.py").write_text("from numpy import *\n")
    program = script(tmp_path, "from utils import *\nprint(rank([1]))\n")
    assert run("--lend", program).stdout == "1\n"
    program.write_text("from pylab import *\nprint(rank([1]))\n")
    assert run("--lend", program).stdout == "1\n"


def test_what_is_there_costs_nothing(tmp_path):
    """The library's own attributes are asked by nobody but Python."""
    program = script(
        tmp_path,
        """
        import sys
        import numpy as np
        calls = [np.random and 0]  # which NumPy imports when it is asked for
        calls.clear()
        sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_filename))
        for _ in range(100):
            np.sqrt, np.random.rand
        sys.setprofile(None)
        assert not any("chainer_vae" in file for file in calls), calls
        """,
    )
    result = run("--lend", program)
    assert (result.returncode, result.stderr) == (0, "")


def test_an_error_is_the_library_s_own(tmp_path):
    program = script(tmp_path, "import numpy as np\nnp.no_such_name\n")
    result = run("--lend", program)
    assert "AttributeError: module 'numpy' has no attribute 'no_such_name'" in result.stderr
    assert "lending" not in result.stderr
    program.write_text("import numpy.no_such_module\n")
    result = run("--lend", program)
    assert "ModuleNotFoundError: No module named 'numpy.no_such_module'" in result.stderr
    assert "lending" not in result.stderr


def test_processes_borrow_and_are_listed_too(tmp_path):
    program = script(
        tmp_path,
        """
        import multiprocessing, os, subprocess, sys
        import numpy as np

        def half(x):
            return x / 2 + np.rank(x)

        def end(x):
            np.rank([x])
            os._exit(0)

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(half, [1, 2]), flush=True)
            subprocess.run([sys.executable, "-c", "import numpy; print(numpy.rank([1]))"])
            if "fork" in multiprocessing.get_all_start_methods():
                child = multiprocessing.get_context("fork").Process(target=end, args=(1,))
                child.start()
                child.join()
        """,
    )
    result = run("--explain", program, cwd=tmp_path)
    assert result.stdout == "[0.5, 1.0]\n1\n"
    said = [
        "chainer_vae.compat: program.py:6: numpy.rank is gone since NumPy 1.18: write numpy.ndim",
        "chainer_vae.compat: program.py:9: numpy.rank is gone since NumPy 1.18: write numpy.ndim",
        "chainer_vae.compat: <string>:1: numpy.rank is gone since NumPy 1.18: write numpy.ndim",
    ]
    lines = result.stderr.splitlines()
    assert sorted(lines) == sorted(said if hasattr(os, "fork") else [said[0], said[2]])


def test_functions_travel_to_other_processes(tmp_path):
    """By value, as joblib sends those of __main__."""
    program = script(
        tmp_path,
        """
        from joblib import Parallel, delayed
        import numpy as np

        def root(x):
            return float(np.sqrt(x) + np.rank(x))

        if __name__ == "__main__":
            print(Parallel(n_jobs=2)(delayed(root)(x) for x in (4, 9)))
        """,
    )
    result = run("--lend", program)
    assert (result.stdout, result.stderr) == ("[2.0, 3.0]\n", "")


def test_what_was_used_is_listed(tmp_path):
    program = script(
        tmp_path,
        """
        import os
        import numpy as np
        from fractions import gcd
        for _ in range(3):
            x = np.rank(1) + gcd(2, 4)
        os.chdir("/")
        """,
    )
    result = run("--explain", program, cwd=tmp_path)
    assert result.stderr.splitlines() == [
        "chainer_vae.compat: program.py:4: fractions.gcd is gone since Python 3.9:"
        " write math.gcd(a, b)",
        "chainer_vae.compat: program.py:6: numpy.rank is gone since NumPy 1.18: write numpy.ndim",
    ]


def fixed(tmp_path, source, encoding="utf-8", name="program.py"):
    """What the program prints, the report, the mended source, and what that prints."""
    program = tmp_path / name
    program.parent.mkdir(exist_ok=True)
    program.write_bytes(source.encode(encoding))
    before = run("--fix-report=fix.patch", program, cwd=tmp_path)
    report = (tmp_path / "fix.patch").read_bytes()
    if b"+++ " in report:
        patch = ["patch", "-p0", "-i"] if shutil.which("patch") else ["git", "apply", "-p0"]
        subprocess.run([*patch, "fix.patch"], cwd=tmp_path, check=True)
    mended = program.read_bytes().decode(encoding)
    after = run("--explain", program, cwd=tmp_path)
    assert before.returncode == after.returncode == 0, before.stderr + after.stderr
    assert after.stdout == before.stdout
    return before, report.decode(errors="replace"), mended, after


def test_the_report_is_a_patch_after_which_nothing_is_lent(tmp_path):
    source = textwrap.dedent(
        """
        import numpy, numpy as np, collections, chainer
        from collections import Iterable, OrderedDict as O, Mapping as M
        from numpy import rank, float_, asarray
        import collections as c; C = c

        class Links:
            xp, rank, ndim = np, 5, 6

        self = Links()
        a = np.zeros(2, np.int) + numpy.int(1)
        self.rank = np.rank(a) + rank(a) + self.rank  # np.rank
        b = self.rank + np.product(a) + np.float_(1) - np.NINF ** 2, "np.float_", self.xp.int(3)
        c = isinstance(a, collections.Iterable), isinstance([], (Iterable, M, O, C.Mapping))
        print(a, b, c, self.xp.alltrue(asarray(a)), 1 + \\
              np.rank(a))
        """
    )
    before, report, mended, after = fixed(tmp_path, source)
    assert after.stderr == ""
    assert "by hand" not in report + before.stderr
    assert " uses mended; apply: patch -p0 -d " in before.stderr
    assert "self.rank = np.ndim(a) + rank(a) + self.rank  # np.rank" in mended.splitlines()
    if not (lending._has_come("NumPy 2.0") and lending._has_come("Python 3.10")):
        return  # not all of it is gone
    for line in (
        "from collections.abc import Iterable, Mapping as M;"
        " from collections import OrderedDict as O",
        "from numpy import ndim as rank, float64 as float_, asarray",
        'b = self.rank + np.prod(a) + np.float64(1) - (-np.inf) ** 2, "np.float_", int(3)',
    ):
        assert line in mended.splitlines()


def test_a_module_that_another_function_imports_is_not_there(tmp_path):
    """`numpy` of g is no name of f's."""
    source = textwrap.dedent(
        """
        import scipy as sp

        def g():
            import numpy
            return numpy.ones(1)

        def f():
            return sp.cos(2)

        print(g(), f())
        """
    )
    program = tmp_path / "program.py"
    program.write_text(source)
    result = run("--fix-report=fix.patch", program, cwd=tmp_path)
    if not lending._has_come("SciPy 1.12"):
        return
    assert "0 uses mended, 1 to be changed by hand" in result.stderr
    assert "\n+" not in (tmp_path / "fix.patch").read_text()


@pytest.mark.skipif(not lending._has_come("Python 3.12"), reason="there is imp")
def test_names_of_a_module_that_is_gone_come_from_elsewhere(tmp_path):
    source = "from imp import new_module, reload as again\nprint(new_module, again.__name__)\n"
    before, report, mended, after = fixed(tmp_path, source)
    assert "by hand" not in report + before.stderr and after.stderr == ""
    first = "from types import ModuleType as new_module; from importlib import reload as again"
    assert mended.splitlines()[0] == first


def test_what_no_other_name_mends_is_left(tmp_path):
    """A module, a type with other fields, and what is not needed any more."""
    source = textwrap.dedent(
        """
        import inspect
        import numpy as np
        from inspect import ArgSpec
        from numpy import math
        print(np.math.pi, math.pi, inspect.ArgSpec([], None, None, None), ArgSpec([], 1, 2, 3))
        """
    )
    if lending._has_come("Python 3.12"):
        source += "import imp\nfrom imp import release_lock\nimp.acquire_lock()\n"
    _, report, mended, _ = fixed(tmp_path, source)
    assert "\n+" not in report and mended == source
    for module, name in (("numpy", "math"), ("inspect", "ArgSpec"), ("imp", "acquire_lock")):
        dropped = DROPPED[module][name]
        if lending._has_come(dropped.since):
            assert f"{module}.{name} is gone since {dropped.since}: write {dropped.mend}" in report


@pytest.mark.parametrize(
    ("encoding", "end", "name"),
    [
        ("utf-8", "\r\n", "program.py"),
        ("utf-8-sig", "\n", "program.py"),
        ("cp932", "\n", "program.py"),
        ("euc_jp", "\r\n", "my 実験/学習.py"),
    ],
)
def test_the_patch_fits_the_file(encoding, end, name, tmp_path):
    lines = ["# 学習 ", "import numpy as np", "s = '平均'; x = np.rank(s)", "print(x, np.rank(1))"]
    if "utf" not in encoding:
        lines.insert(0, f"# -*- coding: {encoding} -*-")
    source = end.join(lines)  # and no end of the last line
    _, _, mended, after = fixed(tmp_path, source, encoding, name)
    assert mended == source.replace("np.rank", "np.ndim") and after.stderr == ""


BY_HAND = [
    ("NumPy 2.0", "print(np.asfarray([1, 2]), np.msort([2, 1]))"),
    ("NumPy 2.0", "print(np.cast['f'](1))"),
    ("Python 3.11", "import inspect; print(inspect.getargspec(f).args)"),
    ("NumPy 1.18", "xs = [np]; print(xs[0].rank(2))"),
    ("NumPy 1.18", "print([np.rank(1), getattr(np, 'rank')(2)])"),
    ("Python 3.9", "from fractions import gcd; print(gcd(4, -6))"),
    ("NumPy 1.23", "from numpy import asscalar; print(asscalar(np.ones(1)))"),
    ("NumPy 1.24", "print((lambda int: np.int(int))(2))"),
    ("NumPy 1.18", "print(eval('np.rank([])'))"),
]


@pytest.mark.parametrize("line", [line for since, line in BY_HAND if lending._has_come(since)])
def test_what_is_to_be_changed_by_hand_is_named(line, tmp_path):
    source = f"import numpy as np\ndef f(a): pass\n{line}\n"
    before, report, mended, _ = fixed(tmp_path, source)
    assert mended == source or "getattr" in line
    assert report.startswith("To be changed by hand:\n") and ("+++" in report) == (mended != source)
    assert "by hand (named there)" in before.stderr
    assert "program.py:3: " in report or "<string>:1: " in report


def test_a_report_where_it_cannot_be(tmp_path):
    program = script(tmp_path, "print(1)\n")
    folder = tmp_path / "none"
    for file, fault in (
        (folder / "fix.patch", f"{folder} is no folder to write to"),
        (program, f"{program} is there already; name a new file"),
        (tmp_path, f"{tmp_path} is there already; name a new file"),
    ):
        result = run(f"--fix-report={file}", program)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"chainer_vae.compat: --fix-report: {fault}\n"
    assert program.read_text() == "print(1)\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word to it")
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP),
        ("signal.signal(signal.SIGTERM, lambda *a: sys.exit(4)); signal.raise_signal(15)", 4),
    ],
)
def test_a_report_however_it_ends(tmp_path, signals, end, code):
    program = script(
        tmp_path,
        f"""
        import multiprocessing, os, signal, sys
        import numpy as np
        np.rank(3)
        context = multiprocessing.get_context("fork")
        for work in (os.abort, lambda: os._exit(5), lambda: os.kill(os.getpid(), 15)):
            child = context.Process(target=work)
            child.start()
            child.join()
            assert child.exitcode in (-signal.SIGABRT, 5, -15)
        {end}
        """,
    )
    result = run("--explain", "--fix-report=fix.patch", program, cwd=tmp_path)
    assert result.returncode == code
    listed, patched = result.stderr.splitlines()
    assert "program.py:4: numpy.rank is gone" in listed and "1 uses mended" in patched
    assert "+np.ndim(3)" in (tmp_path / "fix.patch").read_text()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("not_installed", "no package of this name is installed"),
        ("numpy.linalg", "give the name by which a package is imported"),
        (" numpy", "give the name by which a package is imported"),
    ],
)
def test_packages_that_cannot_borrow(name, fault, tmp_path):
    result = run(f"--lend=numpy,{name}", script(tmp_path, "print(1)\n"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"chainer_vae.compat: --lend={name}: {fault}\n"


@pytest.mark.parametrize("option", ["--lend=", "--fix-report", "--explain=1", "--nothing"])
def test_wrong_options(tmp_path, option):
    result = run(option, script(tmp_path, "print(1)"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage:")


@pytest.mark.parametrize("module", [*DROPPED, *MOVED])
def test_everything_that_is_lent_is_there(module, tmp_path):
    """Each name, as a program's module would import it; and a report can be made of it."""
    lines = []
    for name in DROPPED.get(module, ["core"]):
        if module in DROPPED:
            lines += [f"import {module}; value = {module}.{name}"]
            lines += [f"from {module} import {name}; assert {name} is value"]
        else:
            lines += [f"import {module}.{name}; from {module} import {name}"]
    program = script(tmp_path, "\n".join(lines))
    result = run("--fix-report=fix.patch", program, cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert result.stderr.startswith(f"chainer_vae.compat: wrote {tmp_path / 'fix.patch'}: ")


def test_what_is_lent_does_what_it_did(capsys):
    """As recorded with Python 3.6 and NumPy 1.16."""
    lent = {
        name: dropped.make()
        for module in ("numpy", "fractions", "cgi", "imp")
        for name, dropped in DROPPED[module].items()
        if name in ("in1d", "alen", "issubclass_", "issubsctype", "disp", "gcd", "escape", "cast")
    }
    assert lent["in1d"]([[1, 2], [3, 4]], [1]).tolist() == [True, False, False, False]
    assert (lent["alen"](5), lent["alen"]([[1, 2]])) == (1, 1)
    assert not lent["issubclass_"](3, int) and lent["issubclass_"](bool, int)
    assert lent["issubsctype"](np.array([1]), np.int64) and not lent["issubsctype"]("f4", int)
    assert [lent["gcd"](*pair) for pair in ((-4, -6), (4, -6), (-4, 6), (0, 5))] == [-2, -2, 2, 5]
    assert lent["escape"]('<a href="x">') == '&lt;a href="x"&gt;'
    assert lent["escape"]('"', quote=True) == "&quot;"
    lent["disp"]("x", linefeed=False)
    assert capsys.readouterr().out == "x"


def test_modules_by_imp(tmp_path):
    (tmp_path / "part.py").write_text("x = 1\n")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "__init__.py").write_text("x = 2\n")
    program = script(
        tmp_path,
        """
        import imp, os, time
        for name in ("part", "whole"):
            print(imp.load_module(name, *imp.find_module(name, [os.getcwd()])).x)
        print(imp.load_source("again", "part.py").x)
        start = time.clock()
        time.sleep(1)
        assert os.name == "nt" or time.clock() - start < 0.5  # of the processor
        with open("settings.conf", "w") as file:
            file.write("y = 3")
        assert imp.load_source("settings", "settings.conf").y == 3
        """,
    )
    result = run("--lend", program, cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("1\n2\n1\n", "")


def test_imp_loads_as_it_did(tmp_path):
    (tmp_path / "bad.py").write_text("x = 1\nraise ValueError\n")
    (tmp_path / "part.py").write_text("x = globals().get('x', 0) + 1\n")
    program = script(
        tmp_path,
        """
        import imp, sys, os
        import pkg_resources
        try:
            imp.load_source("bad", "bad.py")
        except ValueError:
            assert "bad" not in sys.modules
        first = imp.load_source("part", "part.py")
        assert imp.load_source("part", "part.py") is first and first.x == 2
        imp.acquire_lock()
        imp.release_lock()
        assert os.path.exists(pkg_resources.resource_filename("json", "decoder.py"))
        assert pkg_resources.parse_version("1.10") > pkg_resources.parse_version("1.9")
        """,
    )
    result = run("--lend", program, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


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
    assert imresize(numbers, np.int64(200)).shape == (6, 8)
    assert imresize(numbers, (4, 4, 3)).shape == (4, 4)  # the shape of another image
    assert imresize(numbers, [4, 4]).shape == imresize(numbers, np.array([4, 4])).shape == (4, 4)
    assert imresize(numbers, 2.0, mode="F").dtype == np.float32
    assert imresize(np.zeros((3, 8, 6)), (4, 5)).shape == (4, 5, 3)  # channels first
    few = np.array([[0.0, 1, 2], [3, 4, 7]])
    bytescale, toimage = lent["bytescale"], lent["toimage"]
    assert bytescale(few).tolist() == [[0, 36, 73], [109, 146, 255]]
    assert bytescale(few, cmin=1, cmax=5).tolist() == [[0, 0, 64], [128, 191, 255]]
    assert bytescale(few, 0, 7, low=10, high=20).tolist() == [[10, 11, 13], [14, 16, 20]]
    shown = np.array(toimage(few, cmin=0.0, cmax=4.0))
    assert shown.tolist() == [[0, 64, 128], [191, 255, 255]]
    assert np.array(toimage(few, 100, 20)).tolist() == [[20, 31, 43], [54, 66, 100]]
    assert toimage(np.zeros((3, 4, 5))).size == toimage(np.zeros((4, 5, 3))).size == (5, 4)
    assert toimage(np.zeros((4, 3, 5)), channel_axis=1).size == (5, 4)
    assert toimage(few, mode="F").mode == "F" and toimage(few, pal=np.eye(256, 3)).mode == "P"
    assert [toimage(few, mode=mode).mode for mode in "P1I"] == ["P", "1", "I"]
    for array, mode in ((few, "RGB"), (np.zeros((4, 5, 3)), "L"), (np.zeros((4, 5, 4)), "RGB")):
        with pytest.raises(ValueError, match="no image of the mode"):
            toimage(array, mode=mode)
    colors = np.arange(90, dtype=np.uint8).reshape(3, 10, 3)
    assert np.array(toimage(colors.reshape(10, 3, 3), mode="YCbCr", channel_axis=2)).sum() == 4005
    lent["imsave"](file, colors)  # channels last, although there are three rows
    np.testing.assert_array_equal(lent["imread"](file), colors)
    with pytest.raises(ValueError, match="no image"):
        lent["imsave"](file, np.zeros((3, 10, 10)))
    grey = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8
    assert lent["imrotate"](grey, 90)[0].tolist() == [36, 60, 108, 156, 204, 0]
    assert lent["imrotate"](grey, 30, "nearest")[1].tolist() == [8, 16, 72, 72, 128, 136]
    assert lent["fromimage"](toimage(grey)).tolist() == grey.tolist()
    assert lent["fromimage"](toimage(grey), mode="RGB").shape == (5, 6, 3)
    image = Image.fromarray(np.uint8(pixels))
    image.convert("P").save(file)
    assert lent["imread"](file).shape == (3, 4, 3)
    image.convert("1").save(file)
    assert lent["imread"](file).dtype == np.uint8


def test_hints_of_what_is_gone(tmp_path):
    for text, words in (
        ("import numpy as np; np.rank", "numpy.rank is gone since NumPy 1.18: write numpy.ndim; "),
        (
            "raise AttributeError('`np.Inf` was removed in NumPy 2.0')",
            'lends it, and "numpy<1.24" still has it' if sys.version_info < (3, 12) else "lends it",
        ),
        ("import imp_of_mine", None),
        ("import numpy; numpy.flaot64", None),
        ("from fractions import gcd", "write math.gcd(a, b); python -m chainer_vae.compat --lend "),
        ("raise AttributeError('`np.Inf` was removed in NumPy 2.0')", "write numpy.inf; "),
        (
            "from scipy.misc import imread",
            "write PIL.Image.open(name); python -m chainer_vae.compat --lend ",
        ),
        ("from numpy import no_such_name", None),
    ):
        result = run(script(tmp_path, text))
        assert result.returncode == 1
        last = result.stderr.splitlines()[-1]
        assert words in last if words else "chainer_vae" not in last, last


@pytest.mark.skipif(not lending._has_come("Python 3.12"), reason="there is imp")
def test_the_hint_names_who_imports_what_is_gone(tmp_path):
    folder = installed(tmp_path, "old", "import imp\nprint(imp.reload.__name__)\n")
    program = script(tmp_path, "import old")
    hint = run(program, path=[folder]).stderr.splitlines()[-1]
    assert hint.startswith("chainer_vae.compat: imp is gone since Python 3.12; --lend=old lends ")
    assert run("--lend=old", program, path=[folder]).stdout == "reload\n"


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
    assert {"rank"} <= set(gone["numpy"])
    done = subprocess.run(
        [sys.executable, "-m", "chainer_vae", "doctor"], capture_output=True, text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )  # fmt: skip
    assert ("distutils" in gone) == (sys.version_info >= (3, 12))
    for module, names in gone.items():
        assert f"{module}: {', '.join(names)}" in done.stdout
