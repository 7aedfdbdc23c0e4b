"""Names that today's Python, NumPy and others no longer have, for programs that still use them.

Chainer's own modules get what they miss by the patches; ``--lend`` gives these to a program.
"""

import builtins
import functools
from collections import namedtuple
from importlib import import_module
from typing import Any, Callable, NamedTuple


class Dropped(NamedTuple):
    """A name that is gone.

    Attributes:
        since (str): Which version dropped it.
        mend (str): What to write in its place.
        make (callable): Takes nothing, returns what is lent.

    Example:
        >>> from chainer_vae.compat.dropped_names import DROPPED
        >>> DROPPED["numpy"]["product"].mend
        'numpy.prod'
        >>> int(DROPPED["numpy"]["product"].make()([2, 3]))
        6
    """

    since: str
    mend: str
    make: Callable[[], Any]


def _named(path: str) -> Any:
    """What a dotted path, or the name of a builtin, names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module) if module else builtins, name)


def _renamed(since: str, module: str, names: str) -> dict[str, Dropped]:
    """Of ``old=new`` for each name, or ``name``, if that stays; the new one is of that module, or a
    builtin if it is ""."""
    result = {}
    for old, _, new in (pair.partition("=") for pair in names.split()):
        path = f"{module}.{new or old}" if module else new or old
        result[old] = Dropped(since, path, functools.partial(_named, path))
    return result


def _constant(since: str, expression: str, value: object) -> Dropped:
    return Dropped(since, expression, lambda: value)


# NumPy


def _asfarray(a: Any, dtype: Any = float) -> Any:
    import numpy

    return numpy.asarray(a, dtype if numpy.issubdtype(dtype, numpy.inexact) else float)


def _msort(a: Any) -> Any:
    import numpy

    return numpy.sort(a, axis=0)


class _Cast:
    def __getitem__(self, dtype: Any) -> Callable[[Any], Any]:
        import numpy

        return lambda x: numpy.asarray(x).astype(dtype)


_NUMPY = {
    **_renamed("NumPy 1.18", "numpy", "rank=ndim"),
    **_renamed("NumPy 1.23", "", "alen=len"),
    "asscalar": Dropped("NumPy 1.23", "a.item()", lambda: lambda a: a.item()),
    **_renamed(
        "NumPy 1.24",
        "",
        "bool int float complex object str long=int unicode=str",
    ),
    **_renamed("NumPy 2.0", "", "issubclass_=issubclass disp=print"),
    **_renamed(
        "NumPy 2.0",
        "numpy",
        "bool8=bool_ int0=intp uint0=uintp object0=object_ str0=str_ bytes0=bytes_ void0=void"
        " float_=float64 complex_=complex128 singlecomplex=complex64 cfloat=complex128"
        " longfloat=longdouble clongfloat=clongdouble longcomplex=clongdouble unicode_=str_"
        " string_=bytes_ Inf=inf Infinity=inf infty=inf PINF=inf NaN=nan product=prod"
        " cumproduct=cumprod sometrue=any alltrue=all round_=round mat=asmatrix"
        " issubsctype=issubdtype",
    ),
    "NINF": _constant("NumPy 2.0", "-float('inf')", -float("inf")),
    "PZERO": _constant("NumPy 2.0", "0.0", 0.0),
    "NZERO": _constant("NumPy 2.0", "-0.0", -0.0),
    "asfarray": Dropped("NumPy 2.0", "numpy.asarray(a, dtype=float)", lambda: _asfarray),
    "msort": Dropped("NumPy 2.0", "numpy.sort(a, axis=0)", lambda: _msort),
    "cast": Dropped("NumPy 2.0", "numpy.asarray(a).astype(dtype)", _Cast),
    **_renamed("NumPy 2.4", "numpy", "in1d=isin trapz=trapezoid"),
}


# SciPy 1.1's images, by Pillow, as there


def _bytes_of(image: Any) -> Any:
    """Numbers that are not bytes, from the least to the greatest."""
    import numpy

    array = numpy.asarray(image)
    if array.dtype == numpy.uint8:
        return array
    low, high = float(array.min()), float(array.max())
    scaled = (array - low) * (255 / ((high - low) or 1)) + 0.5
    return scaled.clip(0, 255).astype(numpy.uint8)


def _imread(name: Any, flatten: bool = False, mode: Any = None) -> Any:
    import numpy
    from PIL import Image

    with Image.open(name) as image:
        pixels = image.convert(mode) if mode else image
        return numpy.array(pixels.convert("F") if flatten else pixels)


def _imsave(name: Any, arr: Any, format: Any = None) -> None:
    from PIL import Image

    Image.fromarray(_bytes_of(arr)).save(name, format)


def _imresize(arr: Any, size: Any, interp: str = "bilinear") -> Any:
    import numpy
    from PIL import Image

    image = Image.fromarray(_bytes_of(arr))
    if isinstance(size, tuple):
        height, width = size
    else:  # percent, or a fraction
        scale = size / 100 if isinstance(size, int) else size
        height, width = int(image.height * scale), int(image.width * scale)
    resampling = Image.Resampling["BICUBIC" if interp == "cubic" else interp.upper()]
    return numpy.array(image.resize((width, height), resampling))


# The standard library

_ArgSpec = namedtuple("_ArgSpec", "args varargs keywords defaults")


def _getargspec(function: Any) -> Any:
    import inspect

    return _ArgSpec(*inspect.getfullargspec(function)[:4])


def _load_source(name: str, path: Any) -> Any:
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _of_pkg_resources(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from chainer_vae.compat.setuptools_patches import pkg_resources

        return getattr(pkg_resources(), name)

    return make


#: What is gone, by module; some of these are gone themselves.
DROPPED: dict[str, dict[str, Dropped]] = {
    "numpy": _NUMPY,
    "scipy.misc": {
        "imread": Dropped("SciPy 1.2", "PIL.Image.open", lambda: _imread),
        "imsave": Dropped("SciPy 1.2", "PIL.Image.fromarray(a).save", lambda: _imsave),
        "imresize": Dropped("SciPy 1.3", "PIL.Image.fromarray(a).resize", lambda: _imresize),
        **_renamed(
            "SciPy 1.3",
            "scipy.special",
            "logsumexp comb factorial factorial2",
        ),
    },
    "collections": _renamed(
        "Python 3.10",
        "collections.abc",
        "Callable Collection Container Generator Hashable ItemsView Iterable Iterator"
        " KeysView Mapping MappingView MutableMapping MutableSequence MutableSet Reversible"
        " Sequence Set Sized ValuesView",
    ),
    "fractions": _renamed("Python 3.9", "math", "gcd"),
    "time": _renamed("Python 3.8", "time", "clock=perf_counter"),
    "cgi": _renamed("Python 3.8", "html", "escape"),
    "inspect": {
        "getargspec": Dropped("Python 3.11", "inspect.getfullargspec", lambda: _getargspec)
    },
    "imp": {
        **_renamed("Python 3.12", "importlib", "reload"),
        **_renamed("Python 3.12", "types", "new_module=ModuleType"),
        "load_source": Dropped(
            "Python 3.12", "importlib.util.spec_from_file_location", lambda: _load_source
        ),
    },
    "PIL.Image": _renamed(
        "Pillow 10", "PIL.Image", "ANTIALIAS=LANCZOS LINEAR=BILINEAR CUBIC=BICUBIC"
    ),
    "matplotlib.cm": _renamed("Matplotlib 3.9", "matplotlib.pyplot", "get_cmap"),
    "pkg_resources": {
        name: Dropped("setuptools 82", "importlib.metadata", _of_pkg_resources(name))
        for name in ("get_distribution", "require", "DistributionNotFound", "VersionConflict")
    },
}
#: Modules that are now another's, with all that is in them: since when, and where.
MOVED = {"distutils": ("Python 3.12", "setuptools._distutils")}
