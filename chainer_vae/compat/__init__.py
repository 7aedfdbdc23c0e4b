"""Make Chainer 7.8.1 import and run on today's Python, NumPy and CuPy.

Chainer stopped in 2022; the libraries below it went on and dropped names that it
uses.  ``activate()`` lends those names to the Chainer modules that ask for them,
and to nobody else: ``numpy``, ``cupy`` and ``sys.modules`` stay as the user has
them.  Each entry of ``MENDS`` says which module it mends, what had gone, and since
which version; one that this machine does not need is not applied.

``python -m chainer_vae.compat SCRIPT ARGS...`` runs any Chainer program this way.
"""

import builtins
import gzip
import importlib
import sys
import types
import warnings
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import numpy
from packaging.requirements import Requirement
from packaging.version import Version

MNIST_DIR = Path(__file__).parent.parent / "data"


class Mend(NamedTuple):
    """One repair: what had gone from under one module of Chainer, and what is lent instead."""

    module: str  # the module of Chainer that is mended
    gone: str  # what it uses that is no longer there
    since: str  # from which version on
    needed: Callable[[], bool]
    # Names to bind when the module says ``import NAME``; made only when it does.
    lend: Optional[dict[str, Callable[[], Any]]] = None
    # Called with the module once it has been imported.
    patch: Optional[Callable[[types.ModuleType], None]] = None


def _installed(distribution: str) -> Optional[Version]:
    try:
        return Version(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return None


def _numpy_from(version: str) -> Callable[[], bool]:
    return lambda: Version(numpy.__version__) >= Version(version)


def _without_pkg_resources() -> bool:
    # setuptools 67.5 to 81 still have it, but warn when it is imported.
    setuptools = _installed("setuptools")
    return setuptools is None or setuptools >= Version("67.5")


class _Lent(types.ModuleType):
    """A module as one module of Chainer sees it: the real one and the names that it misses."""

    def __init__(self, module: types.ModuleType, **names: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(names, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)


def _numpy_with_sctypes() -> types.ModuleType:
    return _Lent(
        numpy,
        sctypes={
            "int": [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
            "float": [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
        },
    )


def _numpy_with_distutils() -> types.ModuleType:
    # Chainer asks only whether NumPy was built on macOS' Accelerate of before 2020.
    system_info = types.SimpleNamespace(get_info=lambda name: {})
    return _Lent(numpy, distutils=types.SimpleNamespace(system_info=system_info))


def _pkg_resources() -> types.ModuleType:
    """The part of pkg_resources that Chainer uses: is this requirement installed?"""

    class ResolutionError(Exception):
        pass

    class DistributionNotFound(ResolutionError):
        pass

    class VersionConflict(ResolutionError):
        pass

    class WorkingSet:
        def require(self, *requirements: str) -> None:
            for text in requirements:
                requirement = Requirement(text)
                version = _installed(requirement.name)
                if version is None:
                    raise DistributionNotFound(text)
                if not requirement.specifier.contains(version, prereleases=True):
                    raise VersionConflict(text)

    module = types.ModuleType("pkg_resources")
    module.__dict__.update(
        ResolutionError=ResolutionError,
        DistributionNotFound=DistributionNotFound,
        VersionConflict=VersionConflict,
        WorkingSet=WorkingSet,
        require=WorkingSet().require,
        get_distribution=metadata.distribution,
    )
    return module


def _cupy_from(version: str) -> Callable[[], bool]:
    def needed() -> bool:
        try:
            cupy = importlib.import_module("cupy")
            return Version(cupy.__version__) >= Version(version)
        except Exception:  # none, or one that does not import: Chainer keeps that error itself
            return False

    return needed


def _lend_float(resize_images: types.ModuleType) -> None:
    # Only this function uses numpy.float; the others compare ``xp is numpy``.
    function = resize_images.compute_indices_and_weights
    names = {**function.__globals__, "numpy": _Lent(numpy, float=float)}
    resize_images.compute_indices_and_weights = types.FunctionType(  # type: ignore[attr-defined]
        function.__code__, names, function.__name__
    )


def _hush_cudnn(cuda: types.ModuleType) -> None:
    if cuda.available and not cuda.cudnn_enabled:
        cuda.check_cuda_available._already_warned = True


def _index_by_tuple(categorical: types.ModuleType) -> None:
    def log_prob(self: Any, x: Any) -> Any:
        axes = numpy.meshgrid(*(range(n) for n in self.batch_shape), indexing="ij")
        index = (*axes, getattr(x, "array", x).astype(numpy.int32))
        return self.log_p[index]

    categorical.Categorical.log_prob = log_prob


def _sum_in_float64(reporter: types.ModuleType) -> None:
    add = reporter.Summary.add

    def add_in_float64(self: Any, value: Any, weight: Any = 1) -> None:
        if isinstance(value, (numpy.floating, numpy.ndarray)) and value.dtype.kind == "f":
            value = value.astype(numpy.float64)
        add(self, value, weight)

    reporter.Summary.add = add_in_float64


def _serve_mnist(mnist: types.ModuleType) -> None:
    def retrieve(name: str, urls: list[str]) -> dict[str, numpy.ndarray]:
        images, labels = (
            gzip.decompress((MNIST_DIR / url.rsplit("/", 1)[1]).read_bytes()) for url in urls
        )
        return {
            "x": numpy.frombuffer(images, numpy.uint8, offset=16).reshape(-1, 784),
            "y": numpy.frombuffer(labels, numpy.uint8, offset=8),
        }

    mnist._retrieve_mnist = retrieve  # type: ignore[attr-defined]


MENDS = (
    Mend(
        "chainer._environment_check",
        "numpy.distutils",
        # Before that, too: importing it would add a name to the user's numpy.
        "NumPy 1.23 (deprecated), Python 3.12 (removed)",
        lambda: True,
        lend={"numpy.distutils.system_info": _numpy_with_distutils},
    ),
    *(
        Mend(
            module,
            "pkg_resources",
            "setuptools 67.5 (deprecated), 82 (removed)",
            _without_pkg_resources,
            lend={"pkg_resources": _pkg_resources},
        )
        for module in (
            "chainer._environment_check",
            "chainer.testing.helper",
            "chainer.testing.doctest_helper",
        )
    ),
    Mend(
        "chainer.functions.array.as_strided",
        "numpy.sctypes",
        "NumPy 2.0",
        _numpy_from("2.0"),
        lend={"numpy": _numpy_with_sctypes},
    ),
    Mend(
        "chainer.functions.array.resize_images",
        "numpy.float",
        "NumPy 1.20 (deprecated), 1.24 (removed)",
        _numpy_from("1.20"),
        patch=_lend_float,
    ),
    Mend(
        "chainer.distributions.categorical",
        "numpy.meshgrid giving a list",
        "NumPy 2.0",
        _numpy_from("2.0"),
        patch=_index_by_tuple,
    ),
    Mend(
        "chainer.reporter",
        "means of float32 and float16 values (Evaluator, LogReport) summed in float64",
        "NumPy 2.0",
        _numpy_from("2.0"),
        patch=_sum_in_float64,
    ),
    Mend(
        "chainer.backends.cuda",
        "cuDNN, which a warning at every first use of a GPU asks to install",
        "CuPy 14.0 (removed; its wheels had stopped bringing it before)",
        _cupy_from("12.0"),
        patch=_hush_cudnn,
    ),
    Mend(
        "chainer.datasets.mnist",
        "the web address that get_mnist downloads from; the files in this package are read instead",
        "about 2023",
        lambda: True,
        patch=_serve_mnist,
    ),
)


def _import_with(lent: dict[str, Callable[[], Any]]) -> Callable[..., Any]:
    def __import__(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if level == 0 and name in lent:
            return lent[name]()
        return builtins.__import__(name, globals, locals, fromlist, level)

    return __import__


class _Mender(MetaPathFinder):
    """Finds the modules named in ``MENDS`` where they are, and mends them as they are imported."""

    def __init__(self, mends: tuple[Mend, ...]) -> None:
        self.modules = {mend.module for mend in mends}
        self.mends = mends
        self.applied: list[Mend] = []

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(fullname, path) if fullname in self.modules else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            mends = [mend for mend in self.mends if mend.module == fullname and mend.needed()]
            lent = {name: make for mend in mends for name, make in (mend.lend or {}).items()}
            if lent:
                module.__dict__["__builtins__"] = {
                    **vars(builtins),
                    "__import__": _import_with(lent),
                }
            execute(module)
            for mend in mends:
                if mend.patch is not None:
                    mend.patch(module)
            self.applied += mends

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def patch_loaded(self) -> None:
        for mend in self.mends:
            if mend.patch is not None and mend.module in sys.modules and mend.needed():
                mend.patch(sys.modules[mend.module])
                self.applied.append(mend)


_mender = _Mender(MENDS)


def activate() -> None:
    """Import Chainer with the mends that this machine needs, without a warning.

    Raises:
        ModuleNotFoundError: Chainer (or something that it needs) is not installed.
    """
    if _mender in sys.meta_path:
        return
    sys.meta_path.insert(0, _mender)
    if "chainer" in sys.modules:
        # The user has made it importable in another way; what it misses later is still mended.
        _mender.patch_loaded()
    else:
        # An import of Chainer that failed before this one leaves half of its modules behind.
        for name in [name for name in sys.modules if name.startswith(("chainer.", "chainerx."))]:
            del sys.modules[name]
    with warnings.catch_warnings():
        # Chainer's own: invalid escapes in its docstrings, deprecated names of NumPy.
        warnings.simplefilter("ignore")
        try:
            importlib.import_module("chainer")
        except BaseException as error:
            sys.meta_path.remove(_mender)
            if not (isinstance(error, ModuleNotFoundError) and error.name == "chainer"):
                raise
            raise ModuleNotFoundError(
                "chainer-vae needs Chainer 7.8.1; install it with:"
                ' pip install "setuptools<81" wheel'
                " && pip install --no-build-isolation chainer==7.8.1",
                name="chainer",
            ) from None


def applied() -> tuple[Mend, ...]:
    """The mends applied so far, in order; modules that Chainer loads later may add to them."""
    return tuple(_mender.applied)
