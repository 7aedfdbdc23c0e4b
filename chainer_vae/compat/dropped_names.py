"""Names that today's Python, NumPy and others no longer have, for programs that still use them.

Chainer's own modules get what they miss by the patches; ``--lend`` gives these to a program.
"""

import builtins
import functools
import os
from collections import namedtuple
from importlib import import_module
from pkgutil import resolve_name
from typing import Any, Callable, NamedTuple

from chainer_vae.compat import scipy_images


class Dropped(NamedTuple):
    """A name that is gone.

    Attributes:
        since (str): Which version dropped it.
        mend (str): What to write in its place: a name, or words.
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
    return resolve_name(path) if "." in path else getattr(builtins, path)


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

KINDS = "buifcSUVOMm"  # of numbers and others, as NumPy ordered them


def _asfarray(a: Any, dtype: Any = float) -> Any:
    import numpy

    return numpy.asarray(a, dtype if numpy.issubdtype(dtype, numpy.inexact) else float)


def _msort(a: Any) -> Any:
    import numpy

    return numpy.sort(a, axis=0)


def _asscalar(a: Any) -> Any:
    return a.item()


def _alen(a: Any) -> int:
    try:
        return len(a)
    except TypeError:  # such as of a number
        return 1


def _issubclass(one: Any, other: Any) -> bool:
    try:
        return issubclass(one, other)
    except TypeError:
        return False


def _disp(mesg: Any, device: Any = None, linefeed: bool = True) -> None:
    print(mesg, end="\n" if linefeed else "", file=device, flush=True)


def _issubsctype(one: Any, other: Any) -> bool:
    import numpy

    return numpy.issubdtype(
        *(each.dtype if isinstance(each, numpy.ndarray) else each for each in (one, other))
    )


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    import numpy

    return numpy.isin(ar1, ar2, assume_unique, invert).ravel()


def _literal_eval(source: str) -> Any:
    import ast

    return ast.literal_eval(source)


def _copy_and_transpose(a: Any) -> Any:
    import numpy

    return numpy.asarray(a).T.copy()


def _obj2sctype(rep: Any, default: Any = None) -> Any:
    import numpy

    if isinstance(rep, type) and issubclass(rep, numpy.generic):
        return rep  # also an abstract one, such as numpy.floating
    try:
        return numpy.dtype(rep.dtype if isinstance(rep, numpy.ndarray) else rep).type
    except (TypeError, ValueError):
        return default


def _find_common_type(array_types: Any, scalar_types: Any) -> Any:
    """Scalars count where they are of a higher kind than the arrays."""
    import numpy

    def common(types: Any) -> Any:
        found = [numpy.dtype(each) for each in types]
        one_kind = len({each.kind for each in found}) == 1
        if one_kind or all(each.kind in KINDS[:5] for each in found):
            return numpy.result_type(*found)
        return numpy.dtype(object)

    arrays, scalars = (common(types) if types else None for types in (array_types, scalar_types))
    if arrays is None or scalars is None:
        return scalars if arrays is None else arrays
    if KINDS.index(scalars.kind) <= KINDS.index(arrays.kind):
        return arrays
    return common([arrays, scalars])


class _Cast(dict[Any, Callable[[Any], Any]]):
    """A dictionary of NumPy's types that finds them by what names them, too."""

    def __init__(self) -> None:
        import numpy

        types = set(numpy.sctypeDict.values())
        super().__init__((each, functools.partial(self._cast, each)) for each in types)

    @staticmethod
    def _cast(dtype: Any, x: Any) -> Any:
        import numpy

        return numpy.asarray(x).astype(dtype)

    def __getitem__(self, dtype: Any) -> Callable[[Any], Any]:
        import numpy

        return super().__getitem__(numpy.dtype(dtype).type)


def _type_dict() -> dict[Any, Any]:
    import numpy

    letters = {letter: numpy.dtype(letter).type for letter in numpy.typecodes["All"]}
    return {**letters, **numpy.sctypeDict}


def _sctypes() -> dict[str, list[Any]]:
    import numpy

    kinds = {"int": "bhlq", "uint": "BHLQ", "float": "efdg", "complex": "FDG"}
    found = {
        kind: list(dict.fromkeys(numpy.dtype(letter).type for letter in letters))
        for kind, letters in kinds.items()
    }
    return {**found, "others": [bool, object, bytes, str, numpy.void]}


_NUMPY = {
    **_renamed("NumPy 1.18", "numpy", "rank=ndim"),
    **_renamed("NumPy 2.5", "numpy", "row_stack=vstack"),
    "typeDict": Dropped("NumPy 1.24", "numpy.dtype(name).type", _type_dict),
    **_renamed("NumPy 1.22", "pickle", "loads"),
    "alen": Dropped("NumPy 1.23", "len(a)", lambda: _alen),
    "asscalar": Dropped("NumPy 1.23", "a.item()", lambda: _asscalar),
    **_renamed(
        "NumPy 1.24",
        "",
        "bool int float complex object str long=int unicode=str",
    ),
    "issubclass_": Dropped("NumPy 2.0", "issubclass(a, b)", lambda: _issubclass),
    "disp": Dropped("NumPy 2.0", "print(mesg)", lambda: _disp),
    **_renamed(
        "NumPy 2.0",
        "numpy",
        "bool8=bool_ int0=intp uint0=uintp object0=object_ str0=str_ bytes0=bytes_ void0=void"
        " float_=float64 complex_=complex128 singlecomplex=complex64 cfloat=complex128"
        " longfloat=longdouble clongfloat=clongdouble longcomplex=clongdouble unicode_=str_"
        " string_=bytes_ Inf=inf Infinity=inf infty=inf PINF=inf NaN=nan NAN=nan product=prod"
        " cumproduct=cumprod sometrue=any alltrue=all round_=round mat=asmatrix",
    ),
    "issubsctype": Dropped("NumPy 2.0", "numpy.issubdtype(a, b)", lambda: _issubsctype),
    "math": Dropped("NumPy 2.0", "import math", lambda: import_module("math")),
    "safe_eval": Dropped("NumPy 2.0", "ast.literal_eval(source)", lambda: _literal_eval),
    "fastCopyAndTranspose": Dropped("NumPy 2.0", "a.T.copy()", lambda: _copy_and_transpose),
    "obj2sctype": Dropped("NumPy 2.0", "numpy.dtype(obj).type", lambda: _obj2sctype),
    "find_common_type": Dropped(
        "NumPy 2.0", "numpy.result_type(*types)", lambda: _find_common_type
    ),
    "sctypes": Dropped("NumPy 2.0", "the types that you mean", _sctypes),
    **_renamed(
        "NumPy 2.0",
        "numpy.exceptions",
        "VisibleDeprecationWarning ComplexWarning RankWarning ModuleDeprecationWarning"
        " TooHardError AxisError",
    ),
    "NINF": _constant("NumPy 2.0", "-numpy.inf", -float("inf")),
    "PZERO": _constant("NumPy 2.0", "0.0", 0.0),
    "NZERO": _constant("NumPy 2.0", "-0.0", -0.0),
    "asfarray": Dropped("NumPy 2.0", "numpy.asarray(a, dtype=float)", lambda: _asfarray),
    "msort": Dropped("NumPy 2.0", "numpy.sort(a, axis=0)", lambda: _msort),
    "cast": Dropped("NumPy 2.0", "numpy.asarray(a).astype(dtype)", _Cast),
    **_renamed("NumPy 2.4", "numpy", "trapz=trapezoid"),
    "in1d": Dropped("NumPy 2.4", "numpy.isin(a, b).ravel()", lambda: _in1d),
}


# SciPy


def _comb(N: Any, k: Any, exact: bool = False, repetition: bool = False) -> Any:
    return _named("scipy.special.comb")(N, k, exact=exact, repetition=repetition)


def _factorial(n: Any, exact: bool = False) -> Any:
    whole = int(n) if exact and isinstance(n, float) and n.is_integer() else n
    return _named("scipy.special.factorial")(whole, exact=exact)


def _cumtrapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, initial: Any = None) -> Any:
    import numpy

    found = _named("scipy.integrate.cumulative_trapezoid")(y, x, dx, axis)
    if initial is None:
        return found
    shape = list(found.shape)
    shape[axis] = 1
    return numpy.concatenate([numpy.full(shape, initial, found.dtype), found], axis)


def _simps(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, even: str = "avg") -> Any:
    """Simpson's rule; with an even number of points, of which it leaves one interval to the
    trapezoidal rule: the last ("first"), the first ("last"), or the mean of both ("avg")."""
    import numpy

    simpson, trapezoid = (_named(f"scipy.integrate.{name}") for name in ("simpson", "trapezoid"))
    if even not in ("avg", "first", "last"):
        raise ValueError("Parameter 'even' must be 'avg', 'last', or 'first'.")
    y = numpy.moveaxis(numpy.asarray(y), axis, -1)
    if x is not None:
        x = numpy.asarray(x)
        x = x if x.ndim == 1 else numpy.moveaxis(x, axis, -1)

    def of(rule: Any, points: slice) -> Any:
        return rule(y[..., points], x=None if x is None else x[..., points], dx=dx)

    n = y.shape[-1]
    if n % 2:
        return of(simpson, slice(n))
    if n == 2:
        return of(trapezoid, slice(n))
    sums = {
        "first": of(simpson, slice(n - 1)) + of(trapezoid, slice(n - 2, n)),
        "last": of(simpson, slice(1, n)) + of(trapezoid, slice(2)),
    }
    return sums[even] if even in sums else (sums["first"] + sums["last"]) / 2


# The standard library

ArgSpec = namedtuple("ArgSpec", "args varargs keywords defaults")


def _getargspec(function: Any) -> Any:
    import inspect

    return ArgSpec(*inspect.getfullargspec(function)[:4])


def _gcd(a: Any, b: Any) -> Any:
    while b:  # the sign is that of b, as it was
        a, b = b, a % b
    return a


def _escape(s: str, quote: bool = False) -> str:
    import html

    return html.escape(s, bool(quote))


def _find_module(name: str, path: Any = None) -> Any:
    from importlib.machinery import EXTENSION_SUFFIXES, PathFinder

    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.origin is None:
        raise ImportError(f"No module named {name!r}", name=name)
    if spec.submodule_search_locations is not None:
        return None, spec.submodule_search_locations[0], ("", "", 5)  # imp.PKG_DIRECTORY
    for suffix in EXTENSION_SUFFIXES:
        if spec.origin.endswith(suffix):
            return open(spec.origin, "rb"), spec.origin, (suffix, "rb", 3)  # imp.C_EXTENSION
    return open(spec.origin, encoding="utf-8"), spec.origin, (".py", "r", 1)  # imp.PY_SOURCE


def _load_module(name: str, file: Any, filename: str, details: Any) -> Any:
    import os
    from importlib.machinery import ExtensionFileLoader

    if details[2] == 3:
        return _load(name, ExtensionFileLoader(name, filename))
    return _load_source(name, os.path.join(filename, "__init__.py") if file is None else filename)


def _load_source(name: str, path: Any, file: Any = None) -> Any:
    from importlib.machinery import SourceFileLoader

    return _load(name, SourceFileLoader(name, os.fspath(path)))  # of any suffix


def _load(name: str, loader: Any) -> Any:
    """A module, in the place of what has its name already, whose other names stay."""
    import sys
    from importlib.util import module_from_spec, spec_from_loader

    spec = spec_from_loader(name, loader)
    assert spec is not None and spec.loader is not None
    module, old = module_from_spec(spec), sys.modules.get(name)
    if old is not None:
        vars(old).update(vars(module))
        module = old
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if old is None:
            del sys.modules[name]
        raise
    return module


def _resource_filename(package: str, resource: str) -> str:
    file = import_module(package).__file__
    assert file is not None
    return os.path.join(os.path.dirname(file), *resource.split("/"))


def _resource_string(package: str, resource: str) -> bytes:
    with open(_resource_filename(package, resource), "rb") as file:
        return file.read()


def _of_pkg_resources(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from chainer_vae.compat.setuptools_patches import pkg_resources

        return getattr(pkg_resources(), name)

    return make


#: What is gone, by module; those of GONE are gone themselves.
DROPPED: dict[str, dict[str, Dropped]] = {
    "numpy": _NUMPY,
    "scipy": {
        **_renamed(
            "SciPy 1.12",
            "numpy",
            "absolute add all allclose amax amin any append apply_along_axis arange arctan arctan2"
            " argmax argmin argsort argwhere around array array_equal asarray asmatrix atleast_1d"
            " atleast_2d average bincount c_ ceil clip column_stack complex128 complex64"
            " concatenate conj conjugate convolve copy corrcoef cos cosh cov cumprod cumsum deg2rad"
            " diag diff divide dot dstack e einsum empty empty_like equal exp expand_dims expm1 eye"
            " fabs finfo flipud fliplr float32 float64 floor fmod fromfile genfromtxt gradient"
            " greater histogram hsplit hstack hypot identity iinfo imag indices inf inner insert"
            " int16 int32 int64 int8 interp intersect1d isfinite isinf isnan isscalar kron less"
            " linspace load loadtxt log1p logical_and logical_not logical_or logspace matrix"
            " maximum mean median meshgrid mgrid minimum mod multiply nan nansum ndarray"
            " ndim newaxis nonzero ogrid ones ones_like outer percentile pi poly1d polyfit polyval"
            " prod ptp r_ rad2deg ravel real repeat reshape roll rot90 save savetxt"
            " searchsorted setdiff1d shape sign sin sinh size sort split square squeeze stack std"
            " subtract sum swapaxes take tan tanh tensordot tile trace transpose tri tril triu"
            " uint8 union1d unique unravel_index var vdot vectorize vsplit vstack where zeros"
            " zeros_like",
        ),
        **_renamed("SciPy 1.12", "numpy", "mat=asmatrix"),
        **_renamed("SciPy 1.9", "numpy", "random"),
        # Of negative numbers these gave complex ones, where NumPy's give NaN.
        **_renamed(
            "SciPy 1.12",
            "numpy.emath",
            "sqrt log log2 log10 logn power arccos arcsin arctanh",
        ),
        **_renamed("SciPy 1.12", "numpy.random", "rand randn"),
    },
    "numpy.lib": _renamed("NumPy 2.0", "numpy", "pad"),
    "scipy.linalg": _renamed("SciPy 1.9", "scipy.linalg", "pinv2=pinv"),
    "scipy.signal": {
        **_renamed(
            "SciPy 1.13",
            "scipy.signal.windows",
            "barthann bartlett blackman blackmanharris bohman boxcar chebwin cosine exponential"
            " flattop gaussian general_gaussian hamming hann kaiser nuttall parzen triang tukey",
        ),
        **_renamed("SciPy 1.9", "scipy.signal.windows", "hanning=hann"),
    },
    "scipy.integrate": {
        **_renamed("SciPy 1.14", "scipy.integrate", "trapz=trapezoid"),
        "cumtrapz": Dropped(
            "SciPy 1.14", "scipy.integrate.cumulative_trapezoid(y, x)", lambda: _cumtrapz
        ),
        "simps": Dropped("SciPy 1.14", "scipy.integrate.simpson(y, x=x)", lambda: _simps),
    },
    "scipy.misc": {
        **{
            name: Dropped("SciPy 1.3", mend, functools.partial(getattr, scipy_images, name))
            for name, mend in (
                ("imread", "PIL.Image.open(name)"),
                ("imsave", "PIL.Image.fromarray(a).save(name)"),
                ("imresize", "PIL.Image.fromarray(a).resize(size)"),
                ("imrotate", "PIL.Image.fromarray(a).rotate(angle)"),
                ("toimage", "PIL.Image.fromarray(a)"),
                ("fromimage", "numpy.array(image)"),
                ("bytescale", "numpy.uint8(a)"),
            )
        },
        **_renamed("SciPy 1.3", "scipy.special", "logsumexp factorial2"),
        "comb": Dropped("SciPy 1.3", "scipy.special.comb(N, k, exact=...)", lambda: _comb),
        "factorial": Dropped(
            "SciPy 1.3", "scipy.special.factorial(n, exact=...)", lambda: _factorial
        ),
    },
    "collections": _renamed(
        "Python 3.10",
        "collections.abc",
        "Callable Collection Container Generator Hashable ItemsView Iterable Iterator"
        " KeysView Mapping MappingView MutableMapping MutableSequence MutableSet Reversible"
        " Sequence Set Sized ValuesView Awaitable Coroutine AsyncIterable AsyncIterator"
        " AsyncGenerator",
    ),
    "os": {"errno": Dropped("Python 3.7", "import errno", lambda: import_module("errno"))},
    "asyncio": _renamed("Python 3.11", "types", "coroutine"),
    "fractions": {"gcd": Dropped("Python 3.9", "math.gcd(a, b)", lambda: _gcd)},
    "base64": _renamed("Python 3.9", "base64", "encodestring=encodebytes decodestring=decodebytes"),
    # Of the processor on Linux and macOS, of the clock on Windows.
    "time": _renamed(
        "Python 3.8", "time", "clock=perf_counter" if os.name == "nt" else "clock=process_time"
    ),
    "cgi": {"escape": Dropped("Python 3.8", "html.escape(s, quote=False)", lambda: _escape)},
    "inspect": {
        "ArgSpec": Dropped(
            "Python 3.11", "inspect.FullArgSpec, which has more fields", lambda: ArgSpec
        ),
        "getargspec": Dropped(
            "Python 3.11", "inspect.getfullargspec(function)[:4]", lambda: _getargspec
        ),
    },
    "imp": {
        **_renamed("Python 3.12", "importlib", "reload"),
        **_renamed("Python 3.12", "types", "new_module=ModuleType"),
        "PY_SOURCE": _constant("Python 3.12", "1", 1),
        "C_EXTENSION": _constant("Python 3.12", "3", 3),
        "PKG_DIRECTORY": _constant("Python 3.12", "5", 5),
        "acquire_lock": Dropped("Python 3.12", "nothing in its place", lambda: lambda: None),
        "release_lock": Dropped("Python 3.12", "nothing in its place", lambda: lambda: None),
        **_renamed("Python 3.12", "importlib.util", "cache_from_source source_from_cache"),
        "load_source": Dropped(
            "Python 3.12",
            "importlib.util.spec_from_file_location(name, path)",
            lambda: _load_source,
        ),
        "find_module": Dropped(
            "Python 3.12", "importlib.util.find_spec(name)", lambda: _find_module
        ),
        "load_module": Dropped(
            "Python 3.12", "importlib.import_module(name)", lambda: _load_module
        ),
    },
    "PIL.Image": _renamed(
        "Pillow 10", "PIL.Image", "ANTIALIAS=LANCZOS LINEAR=BILINEAR CUBIC=BICUBIC"
    ),
    "matplotlib.pyplot": {
        "hold": Dropped("Matplotlib 3.0", "nothing in its place", lambda: lambda b=None: None)
    },
    "matplotlib.cm": _renamed("Matplotlib 3.9", "matplotlib.pyplot", "get_cmap"),
    "pkg_resources": {
        name: Dropped("setuptools 82", "what importlib.metadata has", _of_pkg_resources(name))
        for name in ("get_distribution", "require", "DistributionNotFound", "VersionConflict")
    }
    | {
        "parse_version": Dropped(
            "setuptools 82",
            "packaging.version.parse",
            lambda: resolve_name("packaging.version.parse"),
        ),
        "resource_filename": Dropped(
            "setuptools 82", "what importlib.resources has", lambda: _resource_filename
        ),
        "resource_string": Dropped(
            "setuptools 82", "what importlib.resources has", lambda: _resource_string
        ),
        "resource_exists": Dropped(
            "setuptools 82",
            "what importlib.resources has",
            lambda: lambda package, name: os.path.exists(_resource_filename(package, name)),
        ),
    },
}
#: Modules that are gone: since when.
GONE = {
    "imp": "Python 3.12",
    "cgi": "Python 3.13",
    "pkg_resources": "setuptools 82",
    "scipy.misc": "SciPy 2.0",
}
#: Modules that are now another's, with all that is in them: since when, and where.
MOVED = {"distutils": ("Python 3.12", "setuptools._distutils")}
