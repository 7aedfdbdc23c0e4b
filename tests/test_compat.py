import inspect
import os
import platform
import subprocess
import sys
import textwrap
import types
import zipapp
import zipfile
from pathlib import Path

import chainer
import chainer.functions as F
import chainermn  # noqa: F401 - a patch is for it
import numpy as np
import pytest

from chainer_vae import compat
from chainer_vae.compat import cupy_patches, setuptools_patches
from chainer_vae.compat.importer import PatchingFinder
from chainer_vae.compat.patch import Extended, Patch
from chainer_vae.compat.table import PATCHES

HERE = Path(__file__).parent


def python(*args, cwd=None, path=()):
    """Run a fresh interpreter, with folders put before all others on its path."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, cwd=cwd, env=env,
        timeout=300,
    )  # fmt: skip


def script(tmp_path, text):
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(text))
    return file


def test_import_leaves_numpy_and_sys_modules_alone_and_is_silent(tmp_path):
    program = script(
        tmp_path,
        """
        import sys, warnings, numpy
        import numpy.typing  # as SciPy does

        def numpy_now():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy 1.22 still has numpy.float, and warns
                return dir(numpy), hasattr(numpy, "float"), hasattr(numpy, "sctypes")

        before = numpy_now()
        import chainer_vae, chainer.testing, chainer.functions
        assert numpy_now() == before
        # An older setuptools has it, without a warning; then Chainer takes the real one.
        if "pkg_resources" in sys.modules:
            assert sys.modules["pkg_resources"].__file__
        assert "numpy.distutils" not in sys.modules
        """,
    )
    for flags in ((), ("-W", "error")):
        result = python(*flags, program)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.slow
def test_no_module_of_chainer_warns_of_what_is_deprecated(tmp_path):
    program = script(
        tmp_path,
        """
        import pkgutil, warnings
        warnings.simplefilter = lambda *args, **options: None  # activate() silences by it
        import chainer_vae, chainer
        for module in pkgutil.walk_packages(chainer.__path__, "chainer.", lambda name: None):
            __import__(module.name)
        """,
    )
    # Compiled anew, since the compiler warns, too.  Chainer warns that it does not know this CuPy.
    flags = ("-X", f"pycache_prefix={tmp_path}", "-W", "error", "-W", "ignore::UserWarning")
    result = python(*flags, program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_chainer_missing(tmp_path):
    program = script(
        tmp_path,
        """
        import sys
        class Nowhere:
            def find_spec(self, name, path=None, target=None):
                if name == "chainer":
                    raise ModuleNotFoundError("No module named 'chainer'", name="chainer")
        sys.meta_path.insert(0, Nowhere())
        import chainer_vae.compat
        """,
    )
    result = python(program)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "ModuleNotFoundError: chainer-vae needs Chainer 7.8.1; install it with:"
    )
    assert "&&" not in result.stderr  # Windows' own PowerShell does not know it


@pytest.mark.parametrize(
    "fault", ["import something_missing", "raise ImportError('broken')", "1 / 0"]
)
def test_a_real_import_error_is_not_hidden(tmp_path, fault):
    (tmp_path / "chainer").mkdir()
    (tmp_path / "chainer" / "__init__.py").write_text(fault)
    result = python("-c", "import chainer_vae", path=[tmp_path])
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert "something_missing" in last or "broken" in last or "division" in last
    assert str(tmp_path) in result.stderr  # the traceback leads to where it is


def test_import_again_after_chainer_alone_has_failed():
    """As in a notebook: ``import chainer`` fails, then ``import chainer_vae``."""
    result = python(
        "-c",
        "try:\n import chainer\nexcept Exception: pass\n"
        "import chainer_vae, chainer; assert chainer.__version__ == '7.8.1'",
    )
    assert result.returncode == 0, result.stderr


def test_chainer_imported_before_by_other_means(tmp_path):
    program = script(
        tmp_path,
        """
        import sys, types, numpy
        if not hasattr(numpy, "sctypes"):
            numpy.sctypes = {"int": [numpy.int32, numpy.int64], "float": [numpy.float32]}
        sys.modules["pkg_resources"] = types.SimpleNamespace(
            require=lambda name: None, WorkingSet=None, ResolutionError=Exception,
            DistributionNotFound=Exception, VersionConflict=Exception,
        )
        system_info = types.SimpleNamespace(get_info=lambda name: {})
        numpy.distutils = types.SimpleNamespace(system_info=system_info)
        sys.modules["numpy.distutils"] = numpy.distutils
        sys.modules["numpy.distutils.system_info"] = system_info
        import warnings
        warnings.simplefilter("ignore")  # two CuPys "installed"
        import chainer
        import chainer_vae
        x = numpy.zeros((1, 1, 2, 2), numpy.float32)
        assert chainer.functions.resize_images(x, (4, 4)).shape == (1, 1, 4, 4)
        assert len(chainer.datasets.get_mnist()[1]) == 10000
        """,
    )
    result = python(program)
    assert (result.returncode, result.stderr) == (0, "")


# The mechanism, on a package of its own


def test_modules_that_share_a_loader_are_patched_each(tmp_path, monkeypatch):
    """As those of a zip file do."""
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as file:
        for name in ("__init__", "one", "other"):
            file.writestr(f"zippkg/{name}.py", "value = 1\n")
    patches = [
        Patch(
            f"zippkg.{name}", "a number", "1.0", lambda: True,
            apply=lambda module, name=name: setattr(module, "found", name),
        )
        for name in ("one", "other")
    ]  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path / "zipped.zip"))
    finder = PatchingFinder(("zippkg",), lambda: tuple(patches))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    try:
        from zippkg import one, other

        assert (one.found, one.value, other.found) == ("one", 1, "other")
        assert inspect.getsource(one) == "value = 1\n"  # which its loader tells
        assert [patch.module for patch in finder.applied] == ["zippkg.one", "zippkg.other"]
    finally:
        for name in [name for name in sys.modules if name.startswith("zippkg")]:
            del sys.modules[name]


@pytest.fixture
def old_package(tmp_path, monkeypatch):
    (tmp_path / "oldpkg").mkdir()
    (tmp_path / "oldpkg" / "__init__.py").write_text("")
    (tmp_path / "oldpkg" / "uses.py").write_text(
        "import json, gone_module\nfrom . import other\n"
        "value = gone_module.value\nname = json.gone_name\n"
        "def later():\n    import gone_module\n    return gone_module.value\n"
    )
    (tmp_path / "oldpkg" / "other.py").write_text("import json\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("oldpkg")]:
        del sys.modules[name]


def patching_finder(*, needed):
    import json

    patches = (
        Patch(
            "oldpkg.uses",
            "gone_module",
            "1.0",
            lambda: needed,
            provide={"gone_module": lambda: types.SimpleNamespace(value=5)},
        ),
        Patch(
            "oldpkg.uses",
            "json.gone_name",
            "1.0",
            lambda: True,
            provide={"json": lambda: Extended(json, gone_name="here")},
            apply=lambda module: setattr(module, "patched", True),
        ),
    )
    return PatchingFinder(("oldpkg",), lambda: patches)


def test_patches_reach_only_their_module(old_package, monkeypatch):
    import json

    finder = patching_finder(needed=True)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    from oldpkg import uses

    assert (uses.value, uses.name, uses.patched, uses.later()) == (5, "here", True, 5)
    assert uses.json.dumps([1]) == "[1]"
    assert uses.other.json is json and not hasattr(json, "gone_name")
    assert "gone_module" not in sys.modules
    assert [patch.gone for patch in finder.applied] == ["gone_module", "json.gone_name"]


def test_a_patch_not_needed_is_not_applied(old_package, monkeypatch):
    finder = patching_finder(needed=False)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="gone_module"):
        from oldpkg import uses  # noqa: F401
    assert finder.applied == []


def imports_silently(module):
    return python("-W", "error", "-c", f"import {module}").returncode == 0


def has_silently(name):
    return python("-W", "error", "-c", f"import numpy; numpy.{name}").returncode == 0


def runs_silently(code):
    return python("-W", "error", "-c", f"from numpy import *; {code}").returncode == 0


@pytest.mark.parametrize(
    ("gone", "still_there"),
    [
        ("pkg_resources", lambda: imports_silently("pkg_resources")),
        ("numpy.sctypes", lambda: has_silently("sctypes")),
        ("numpy.float", lambda: has_silently("float")),
        ("numpy.meshgrid giving a list", lambda: isinstance(np.meshgrid([0]), list)),
        ("means of", lambda: (0.0 + np.float32(1)).dtype == np.float64),
        ("numpy.maximum taking out", lambda: runs_silently("a = zeros(2); maximum(a, 1, a)")),
        ("int() of an array", lambda: runs_silently("ones(1).__int__()")),
        ("numpy.fix", lambda: runs_silently("fix(1.5)")),
        ("assigning to an array's shape", lambda: runs_silently("zeros(2).shape = 1, 2")),
        ("NumPy's numbers", lambda: (np.ones(1, "f") + np.float64(1)).dtype == np.float32),
        ("float32 arrays", lambda: (np.ones(1, "f") + np.float64(1)).dtype == np.float32),
        ("boxes of float32", lambda: (np.float32(1) * 1.0).dtype == np.float64),
        ("numbers out of", lambda: runs_silently("uint8(256)")),
        ("padding out of", lambda: runs_silently("empty(1, uint8)[:] = -1")),
        ("numpy.full", lambda: runs_silently("full(1, -1, uint8)")),
        ("arrays without a device", lambda: not hasattr(np.ones(1), "device")),
        (
            "sparse matrices",
            lambda: runs_silently("import scipy.sparse as s; s.coo_matrix(ones((2, 2), 'e'))"),
        ),
        ("threading.Thread.setDaemon", lambda: sys.version_info < (3, 10)),
    ],
)
def test_applied_where_gone_and_only_there(gone, still_there):
    patches = [p for p in PATCHES if p.gone.startswith(gone) and p.module in sys.modules]
    assert patches
    for patch in patches:
        assert (patch in compat.applied()) == (not still_there()), patch


def test_provided_pkg_resources_asks_what_is_installed():
    module = setuptools_patches.pkg_resources()
    module.require("numpy>=1", "chainer==7.8.1")
    with pytest.raises(module.DistributionNotFound):
        module.require("no-such-distribution")
    with pytest.raises(module.VersionConflict):
        module.WorkingSet().require("numpy<1")
    assert issubclass(module.VersionConflict, module.ResolutionError)
    assert module.get_distribution("chainer").version == "7.8.1"


def test_no_warning_of_cudnn():
    def check_cuda_available():
        pass

    cuda = types.SimpleNamespace(
        available=True, cudnn_enabled=False, check_cuda_available=check_cuda_available
    )
    cupy_patches._do_not_warn_of_cudnn(cuda)
    assert check_cuda_available._already_warned


# What the patches are for


def test_as_strided():
    x = chainer.Variable(np.arange(12, dtype=np.float32).reshape(3, 4))
    y = F.as_strided(x, (2, 3), (4, 2), 1)
    np.testing.assert_array_equal(y.array, [[1, 3, 5], [5, 7, 9]])
    y.grad = np.ones_like(y.array)
    y.backward()
    np.testing.assert_array_equal(x.grad, [[0, 1, 0, 1], [0, 2, 0, 1], [0, 1, 0, 0]])


def test_resize_images():
    x = np.array([[[[0, 1], [2, 3]]]], np.float32)
    y = F.resize_images(x, (3, 3))
    np.testing.assert_allclose(y.array[0, 0], [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]])


def test_categorical():
    p = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]], np.float32)
    log_prob = chainer.distributions.Categorical(p).log_prob(np.array([1, 0, 1]))
    np.testing.assert_allclose(log_prob.array, np.log([0.8, 0.5, 0.1]), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_means_of_a_log(dtype):
    summary = chainer.reporter.Summary()
    for _ in range(5000):
        summary.add(dtype(1))
    assert summary.compute_mean() == 1
    assert summary.compute_mean().dtype == np.float64


def test_caffe_models(tmp_path):
    """What Chainer writes for Caffe, it reads, by the schema of 2015."""
    from chainer.exporters import caffe
    from chainer.links.caffe import CaffeFunction
    from chainer.links.caffe.protobuf3 import caffe_pb2

    assert caffe_pb2.TRAIN == 0 and caffe_pb2.V1LayerParameter.CONVOLUTION == 4
    assert caffe_pb2.LayerParameter(name="a").phase == caffe_pb2.TRAIN
    np.random.seed(0)
    model = chainer.Sequential(
        chainer.links.Convolution2D(3, 4, 3, pad=1),
        chainer.links.BatchNormalization(4),
        F.relu,
        lambda x: F.max_pooling_2d(x, 2),
        chainer.links.Linear(64, 5),
        F.softmax,
    )
    x = np.random.rand(2, 3, 8, 8).astype("f4")
    with chainer.using_config("train", False):
        caffe.export(model, [chainer.Variable(x)], str(tmp_path), export_params=True)
        expected = model(x).array
        read = CaffeFunction(str(tmp_path / "chainer_model.caffemodel"))
        (found,) = read(inputs={"data": x}, outputs=[read.layers[-1][0]])
    np.testing.assert_array_equal(found.array, expected)


def test_padding():
    examples = [np.array([[1, 2]]), np.array([[3], [4]])]
    batch = chainer.dataset.concat_examples(examples, padding=0)
    np.testing.assert_array_equal(batch, [[[1, 2], [0, 0]], [[3, 0], [4, 0]]])


def test_fix():
    y = F.fix(chainer.Variable(np.array([-1.5, 0.5, 2], np.float32)))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.array, [-1, 0, 2])


def test_maxout():
    shapes = []

    def initialize(array):
        shapes.append(array.shape)
        array[...] = np.arange(array.size).reshape(array.shape)

    link = chainer.links.Maxout(2, 3, 4, initialize, initialize)
    assert shapes == [(3, 4, 2), (3, 4)]
    np.testing.assert_array_equal(link.linear.W.array, np.arange(24).reshape(12, 2))
    np.testing.assert_array_equal(link.linear.b.array, np.arange(12))
    assert link(np.zeros((1, 2), np.float32)).array.tolist() == [[3, 7, 11]]
    # The other ways to initialize it.
    constant = chainer.initializers.Constant(2)
    for two in (2, constant, np.full((3, 4, 2), 2, np.float32)):
        link = chainer.links.Maxout(2, 3, 4, two, initial_bias=constant)
        assert (link.linear.W.array == 2).all() and (link.linear.b.array == 2).all()
    assert chainer.links.Maxout(2, 3, 4, initial_bias=None).linear.b is None


def test_multiprocess_iterator(tmp_path):
    program = script(
        tmp_path,
        """
        import multiprocessing
        import chainer

        if __name__ == "__main__":
            multiprocessing.set_start_method("spawn")
            with chainer.iterators.MultiprocessIterator(
                range(6), 2, repeat=False, shuffle=False, n_processes=1
            ) as iterator:
                print(list(iterator))
        """,
    )
    result = python("-W", "error", "-m", "chainer_vae.compat", program)
    assert (result.stdout, result.stderr) == ("[[0, 1], [2, 3], [4, 5]]\n", "")


@pytest.mark.parametrize("method", [None, "spawn"])
def test_chainer_forks_unless_the_program_chooses(tmp_path, method):
    """Also where Python's default is another (set here as in Python 3.14): its processes get what
    cannot be pickled."""
    program = script(
        tmp_path,
        """
        import multiprocessing, multiprocessing.context, sys
        import chainer
        from chainer.iterators import multiprocess_iterator
        from chainer.training.extensions import snapshot_writers
        from chainer.training.updaters import multiprocess_parallel_updater
        from chainer_vae.compat import python_patches

        default = multiprocessing.context._default_context
        default._default_context = multiprocessing.context._concrete_contexts["forkserver"]
        for module in (multiprocess_iterator, snapshot_writers, multiprocess_parallel_updater):
            python_patches._start_by_fork(module)

        class Worker(multiprocess_parallel_updater._Worker):
            def __init__(self):
                multiprocessing.Process.__init__(self)
                self.unpicklable = lambda: print("worker", flush=True)

            def run(self):
                self.unpicklable()

        if __name__ == "__main__":
            if len(sys.argv) > 1:
                multiprocessing.set_start_method(sys.argv[1])
            data = chainer.datasets.TransformDataset(range(6), lambda x: x * x)
            try:
                with chainer.iterators.MultiprocessIterator(
                    data, 2, repeat=False, shuffle=False, n_processes=1
                ) as iterator:
                    print(list(iterator), flush=True)
                worker = Worker()
                worker.start()
                worker.join()
                writer = snapshot_writers.ProcessWriter(
                    savefun=lambda path, target: open(path, "w").write(target)
                )
                process = writer.create_worker("saved", ".", "by fork")
                process.start()
                process.join()
                print(open("saved").read())
                print(multiprocess_parallel_updater.multiprocessing.get_start_method())
            except Exception as error:
                print("lambda" in str(error))
        """,
    )
    arguments = [method] if method else []
    arguments = ["-W", "ignore", "-m", "chainer_vae.compat", program, *arguments]
    result = python(*arguments, cwd=tmp_path)
    if method is None:
        expected = ["[[0, 1], [4, 9], [16, 25]]", "worker", "by fork", "fork"]
        assert result.stdout.splitlines() == expected, result.stderr
    else:
        assert result.stdout == "True\n", result.stderr


def test_a_multiprocess_iterator_that_is_left_open(tmp_path):
    """As programs had it before there was ``with`` for iterators: Python ends, without a word."""
    program = script(
        tmp_path,
        """
        import multiprocessing
        import chainer

        if __name__ == "__main__":
            multiprocessing.set_start_method("fork")
            iterator = chainer.iterators.MultiprocessIterator(range(6), 2, n_processes=1)
            print(len(iterator.next()))
        """,
    )
    # Of Python 3.12 and later: Chainer forks where it has threads.
    result = python("-W", "ignore::DeprecationWarning", "-m", "chainer_vae.compat", program)
    assert (result.stdout, result.stderr) == ("2\n", "")


def test_requirements():
    from chainer import testing

    assert not hasattr(testing.with_requires("numpy>=1.0")(lambda: 1), "__unittest_skip__")
    for requirement in ("numpy<1.0", "no-such-package"):
        skipped = testing.with_requires(requirement)(lambda: 1)
        assert skipped.__unittest_skip__, requirement


def test_get_mnist(mnist):
    train, test = chainer.datasets.get_mnist()
    np.testing.assert_allclose(train._datasets[0], mnist.train_images, rtol=2e-7)
    np.testing.assert_array_equal(train._datasets[1], mnist.train_labels)
    np.testing.assert_array_equal(test._datasets[1], mnist.test_labels)


# python -m chainer_vae.compat


def test_runs_a_script_as_python_would(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("value = 3\n")
    program = folder / "program.py"
    program.write_text(
        "import sys, chainer, beside\n"
        "print(sys.argv, __name__, __file__, sys.path[0], beside.value)\n"
        "sys.exit(7)\n"
    )
    arguments = [program, "a", "-m", "--help"]
    under_compat = python("-m", "chainer_vae.compat", *arguments)
    program.write_text(program.read_text().replace("chainer, ", ""))
    plain = python(*arguments)
    assert under_compat.stdout == plain.stdout != ""
    assert (under_compat.returncode, under_compat.stderr) == (plain.returncode, "") == (7, "")


def test_runs_a_module_as_python_would(tmp_path):
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tool.py").write_text(
        "import sys, chainer\nprint(sys.argv, __name__, __package__)\nsys.exit('a message')\n"
    )
    result = python("-m", "chainer_vae.compat", "-m", "pkg.tool", "x", "-y", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "a message\n"
    assert result.stdout == f"{[str(package / 'tool.py'), 'x', '-y']} __main__ pkg\n"


def both(tmp_path, *args, stdin=None):
    """The same arguments, to Python and to python -m chainer_vae.compat."""
    env = {**os.environ, "PYTHONPATH": ""}
    return [
        subprocess.run(
            [sys.executable, *command, *map(str, args)],
            capture_output=True, text=True, cwd=tmp_path, env=env, input=stdin,
        )
        for command in ((), ("-m", "chainer_vae.compat"))
    ]  # fmt: skip


WHO_AM_I = """
import os, sys
main = sys.modules["__main__"]
os.chdir("/")
print(sys.argv, __name__, __file__, __package__, __spec__ and __spec__.name, sys.path[0])
print(type(__loader__).__name__, vars(main) is globals(), sorted(globals())[:3])
"""


def test_one_main_as_in_python(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "program.py").write_text(WHO_AM_I)
    (folder / "__main__.py").write_text(WHO_AM_I)
    (tmp_path / "link.py").symlink_to(folder / "program.py")
    for args in (
        ("folder/program.py", "a"),
        (folder / "program.py",),
        ("link.py",),
        ("folder", "b"),
        ("-m", "folder", "c"),
        ("-m", "folder.program"),
    ):
        plain, patched = both(tmp_path, *args)
        assert plain.returncode == patched.returncode == 0, patched.stderr
        assert plain.stdout == patched.stdout


def test_errors_are_pythons(tmp_path):
    (tmp_path / "empty").mkdir()
    for args in (("nothing.py",), ("-m", "nothing"), ("-m", "empty"), ("empty",)):
        plain, patched = both(tmp_path, *args)
        assert plain.returncode == patched.returncode != 0
        assert plain.stderr == patched.stderr
        assert len(patched.stderr.splitlines()) == 1


def test_a_script_from_a_pipe(tmp_path):
    plain, patched = both(tmp_path, "/dev/stdin", stdin="print(__name__, 6 * 7)")
    assert plain.stdout == patched.stdout == "__main__ 42\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_that_a_program_starts_are_patched(tmp_path, method):
    program = script(
        tmp_path,
        """
        import atexit, multiprocessing, pickle, sys, threading
        import chainer

        class Square:
            def __call__(self, x):
                return float(chainer.functions.square(chainer.Variable(x)).array.sum())

        if __name__ == "__main__":
            import numpy
            multiprocessing.set_start_method(sys.argv[1])
            with multiprocessing.Pool(2) as pool:
                print(pool.map(Square(), [numpy.ones(n, "f") for n in (1, 2, 3)]))
            atexit.register(lambda: print(type(pickle.loads(pickle.dumps(Square()))).__name__))
        """,
    )
    result = python("-W", "ignore", "-m", "chainer_vae.compat", program, method)
    assert (result.stdout, result.stderr) == ("[1.0, 2.0, 3.0]\nSquare\n", "")


def test_code_and_standard_input(tmp_path):
    who = "import sys; print(sys.argv, __name__, '__file__' in globals(), sys.path[0])"
    for args, stdin in ((("-c", who, "a", "-c"), None), (("-", "b"), who)):
        plain, patched = both(tmp_path, *args, stdin=stdin)
        assert plain.stdout == patched.stdout != ""
    result = python("-m", "chainer_vae.compat", "-c", "import chainer; print(chainer.__version__)")
    assert (result.stdout, result.stderr) == ("7.8.1\n", "")


def test_a_zip_file(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(
        "import sys\nprint(sys.argv, __name__, __file__)\n"
    )
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    plain, patched = both(tmp_path, "app.pyz", "a")
    assert plain.stdout == patched.stdout != ""


def test_variables_that_a_program_sets_before_it_imports_chainer(tmp_path):
    program = script(
        tmp_path,
        """
        import os, sys
        assert "numpy" not in sys.modules and "chainer" not in sys.modules
        os.environ["CHAINER_DTYPE"] = "float64"
        import chainer
        print(chainer.config.dtype)
        """,
    )
    result = python("-m", "chainer_vae.compat", program)
    assert (result.stdout, result.stderr) == ("float64\n", "")


def test_what_lies_in_the_working_folder_is_not_imported(tmp_path):
    """Unless the program lies there, too, as in Python."""
    (tmp_path / "elsewhere").mkdir()
    for name in ("six", "numpy", "typing", "warnings", "multiprocessing", "chainer"):
        (tmp_path / "elsewhere" / f"{name}.py").write_text("raise SystemExit('not this one')")
    program = script(tmp_path, "import chainer\nprint(chainer.__version__)\n")
    result = python("-m", "chainer_vae.compat", program, cwd=tmp_path / "elsewhere")
    assert (result.stdout, result.stderr) == ("7.8.1\n", "")
    (tmp_path / "elsewhere" / "program.py").write_text("import six")
    for args in (("program.py",), ("-m", "program"), ("-c", "import six")):
        result = python("-m", "chainer_vae.compat", *args, cwd=tmp_path / "elsewhere")
        assert result.stderr == "not this one\n"


def test_a_program_that_uses_this_package(tmp_path):
    program = script(
        tmp_path,
        """
        import chainer
        import chainer_vae
        from chainer_vae import VAE
        print(isinstance(VAE(4, 2, 3), chainer.Chain), chainer_vae.compat.__name__)
        try:
            chainer_vae.nothing
        except AttributeError:
            print("as usual")
        """,
    )
    result = python("-m", "chainer_vae.compat", program)
    assert (result.stdout, result.stderr) == ("True chainer_vae.compat\nas usual\n", "")


FAULTY = """
def fail():
    try:
        {}["a"]
    except KeyError as error:
        raise ValueError("b") from error

try:
    fail()
except ValueError:
    1 / 0
"""


def test_tracebacks_are_the_program_s(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(FAULTY)
    (tmp_path / "faulty.py").write_text(FAULTY)
    (tmp_path / "wrong.py").write_text("def :\n")
    (tmp_path / "left.py").write_text("print('main' in globals())\n")
    for program in (("-m", "left"), ("left.py",)):
        assert both(tmp_path, *program)[1].stdout == "False\n"
    for args in (("faulty.py",), ("folder",), ("-m", "faulty"), ("-m", "folder"), ("wrong.py",)):
        plain, patched = both(tmp_path, *args)
        assert plain.stderr == patched.stderr
        assert plain.returncode == patched.returncode == 1
    result = python(
        "-m", "chainer_vae.compat", "-c", "import chainer\nchainer.links.Linear('a')(1)"
    )
    assert "chainer_vae" not in result.stderr and "runpy" not in result.stderr
    assert "in <module>" in result.stderr.splitlines()[1]


def message_of_numpy():
    """Some versions say themselves what to write."""
    try:
        np.ones(1).ptp()
    except AttributeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "program, advice",
    [
        ("print 'a'", "a program for Python 2"),
        ("import numpy; numpy.no_such_name", None),
        (
            "raise AttributeError('`np.lookfor` was removed in the NumPy 2.0 release.')",
            "NumPy has dropped",
        ),
        ("raise ModuleNotFoundError(name='chainer')", "Chainer is not installed: pip install"),
        ("raise ImportError(name='cupy')", "leave this import out"),
        (
            "import chainer; chainer.iterators.SerialIterator([1], 1).epoch = 0",
            "made this attribute read-only",
        ),
        (
            "class P:\n    a = property(lambda self: 1)\n\nP().a = 2",
            None if sys.version_info >= (3, 11) else "made this attribute read-only",
        ),
        ("import numpy as np; float(np.ones(1))", "write x.item()"),
        (
            "import numpy as np; np.ones(1).tostring()",  # before, an error by the warning
            "write a.tobytes()" if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else None,
        ),
        (
            "import numpy as np; np.ones(1).ptp()",
            "write numpy.ptp(a)" if message_of_numpy().startswith("'numpy.ndarray'") else None,
        ),
        ("raise ImportError('ONNX is not installed on your environment.')", "pip install onnx"),
        ("1 / 0", None),
    ],
)
def test_an_error_may_end_with_a_hint(program, advice, tmp_path):
    """After the traceback; NumPy has warned of float(x), here an error, since 1.25."""
    result = python("-m", "chainer_vae.compat", script(tmp_path, program))
    if result.returncode == 0:
        assert np.lib.NumpyVersion(np.__version__) < ("2.0.0" if "ptp" in program else "1.25.0")
        return
    assert result.returncode == 1
    hints = [line for line in result.stderr.splitlines() if line.startswith("chainer_vae.compat: ")]
    assert [advice in line for line in hints] == ([] if advice is None else [True])
    assert result.stderr.splitlines()[-1] == hints[-1] if advice else True


def test_wrong_calls(tmp_path):
    for args in (("-u", "program.py"), ("-m",), ("-c",), ("--fix-report=-",)):
        result = python("-m", "chainer_vae.compat", *args)
        assert result.returncode == 2 and result.stderr.startswith("usage:")
    assert python("-m", "chainer_vae.compat", "--help").stdout.startswith("usage:")


def test_as_python_itself_would():
    """What is piped in, options joined to their value, and the exit code of Ctrl-C."""
    runner = [sys.executable, "-m", "chainer_vae.compat"]
    for words, given, said in (
        ([], "print(7)", "7\n"),
        (["-cprint(7)"], "", "7\n"),
        (["-mplatform"], "", f"{platform.platform()}\n"),
    ):
        done = subprocess.run([*runner, *words], input=given, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    stop = "import atexit; atexit.register(print, 'bye'); raise KeyboardInterrupt"
    done = subprocess.run([*runner, "-c", stop], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "bye\n")
    assert done.stderr.endswith("KeyboardInterrupt\n") and "chainer_vae" not in done.stderr


def test_a_program_of_2017(tmp_path):
    program = HERE / "programs" / "trainer_of_2017.py"
    result = python("-m", "chainer_vae.compat", program, tmp_path / "result", -1)
    assert result.returncode == 13, result.stderr
    assert "validation/main/accuracy" in result.stdout
    assert result.stderr == ""
