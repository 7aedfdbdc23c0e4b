"""What may help a program that ends with an error: a line after its traceback."""

import os
import re
import sys
import traceback
from typing import Optional

from chainer_vae.compat.dropped_names import DROPPED, GONE, MOVED
from chainer_vae.compat.importer import HOW_TO_INSTALL
from chainer_vae.compat.lending import gone

# What to write for methods of arrays that NumPy has dropped.
_METHODS = {
    "itemset": "a[index] = value",
    "newbyteorder": "a.view(a.dtype.newbyteorder(order))",
    "ptp": "numpy.ptp(a)",
    "tostring": "a.tobytes()",
}


def hint(error: BaseException) -> Optional[str]:
    """What to do about an error that today's libraries cause in programs of Chainer's time."""
    text = str(error)
    variables = [
        f"{name}={os.environ[name]!r}" for name in os.environ if name.startswith("CHAINER_")
    ]
    if variables and "chainer" not in sys.modules and _arose_in("chainer", error):
        return f"the environment has {', '.join(variables)}: Chainer may not be able to use that"
    if isinstance(error, SyntaxError) and text.startswith("Missing parentheses in call to 'print'"):
        return "this is a program for Python 2; convert it (lib2to3 of Python 3.12 or before does)"
    if isinstance(error, ModuleNotFoundError) and error.name == "chainer":
        return f"Chainer is not installed: {HOW_TO_INSTALL}"
    dropped = _gone(error)
    if dropped is not None:
        lend = f"python -m chainer_vae.compat {_lend_to(error)} PROGRAM lends it"
        older = ', and "numpy<1.24" still has it' if _in_numpy_1_23(dropped) else ""
        return f"{dropped}; {lend}{older}"
    if isinstance(error, ModuleNotFoundError) and error.name in GONE:
        lent = ", ".join(DROPPED[error.name])
        return (
            f"{error.name} is gone since {GONE[error.name]}; {_lend_to(error)} lends {lent} of it"
        )
    if isinstance(error, ImportError) and text.startswith("ONNX is not installed"):
        return "any version of ONNX will do here: pip install onnx"
    if isinstance(error, ImportError) and error.name == "cupy":
        return (
            "CuPy is not installed, and needs an NVIDIA GPU; if the program can do without one,"
            " leave this import out"
        )
    if isinstance(error, AttributeError):
        if text.startswith("`np."):  # NumPy's own words
            return (
                "NumPy has dropped this name: change the line, or install"
                ' "numpy<1.24", on Python 3.9 to 3.11'
            )
        method = re.match(r"'numpy\.ndarray' object has no attribute '(\w+)'", text)
        if method and method[1] in _METHODS:
            return f"NumPy has dropped the method {method[1]}: write {_METHODS[method[1]]}"
        if _is_of_chainer(error):
            return "a later Chainer made this attribute read-only: leave the line out"
    if re.search("Actual: float(64 != float32|32 != float64)", text):
        return (
            "since NumPy 2.0, a number of NumPy's own (np.float64) makes a float32 array float64:"
            f" write float(x) for the number from which {_last_line(error)} computes its argument"
        )
    # The second is a warning, of NumPy 1.25 to 2.3, where warnings are errors.
    if text.startswith(("only 0-dimensional arrays can be", "Conversion of an array with ndim")):
        return (
            "since NumPy 2.4, float(x) and int(x) take arrays without axes alone: write x.item()"
            ' where x has one element, or install "numpy<2.4"'
        )
    return None


def _gone(error: BaseException) -> Optional[str]:
    """What is said of a name that a library has dropped, if the error is of one."""
    if not isinstance(error, (AttributeError, ImportError)):
        return None
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        module = error.name or ""
        root = module.partition(".")[0]
        return gone(root, "") if root in MOVED else None
    found = re.match(r"module '([\w.]+)' has no attribute '(\w+)'", text)
    module, name = found.groups() if found else ("", "")
    found = re.match(r"`np\.(\w+)` was removed", text)  # NumPy's own words
    if found:
        module, name = "numpy", found[1]
    found = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", text)
    if found:
        name, module = found.groups()
    return gone(module, name) if name in DROPPED.get(module, {}) else None


def _in_numpy_1_23(dropped: str) -> bool:
    """Whether NumPy 1.23, the last with most of them, has a name, and can be installed here."""
    since = re.search(r"is gone since NumPy ([12]\.\d+)", dropped)
    return (
        since is not None
        and tuple(map(int, since[1].split("."))) >= (1, 24)
        and sys.version_info < (3, 12)
    )


def _is_of_chainer(error: AttributeError) -> bool:
    """Whether it is of setting a property of Chainer's."""
    found = re.match(r"property '(\w+)' of '(\w+)' object has no setter", str(error))
    if found is None:  # Python before 3.11 does not say whose
        return str(error).startswith("can't set attribute")
    name, owner = found.groups()
    classes = [
        getattr(module, owner, None)
        for where, module in list(sys.modules.items())
        if where.partition(".")[0] in ("chainer", "chainermn")
    ]
    return any(isinstance(getattr(each, name, None), property) for each in classes)


def _places(error: BaseException) -> list[tuple[str, int, str]]:
    """File, line and package of each call that led to it."""
    return [
        (frame.f_code.co_filename, line, str(frame.f_globals.get("__name__")).partition(".")[0])
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]


def _arose_in(package: str, error: BaseException) -> bool:
    return any(root == package for _, _, root in _places(error))


def _last_line(error: BaseException) -> str:
    """The last line before Chainer's own: where the program called it."""
    others = [place for place in _places(error) if place[2] not in ("chainer", "chainer_vae")]
    file, line, _ = others[-1]
    return f"{file}:{line}"


def _lend_to(error: BaseException) -> str:
    """The option that lends to the module that asked."""
    libraries = {module.partition(".")[0] for module in DROPPED}
    askers = [place for place in _places(error) if place[2] not in libraries]
    file, _, root = askers[-1]
    installed = {"site-packages", "dist-packages"} & set(file.split(os.sep))
    return f"--lend={root}" if installed else "--lend"


def print_hint(error: BaseException) -> None:
    """Print the hint, if there is one."""
    found = hint(error)
    if found is not None:
        print(f"chainer_vae.compat: {found}", file=sys.stderr)
