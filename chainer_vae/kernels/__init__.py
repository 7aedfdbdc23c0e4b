"""Functions of a training step on the CPU that are compiled from C, kernels.c, for float32.

The wheels for the usual systems have them, and so has an installation from source where there is a
C compiler.  Elsewhere, :mod:`~chainer_vae.engine.cpu_kernels` computes everything by NumPy.
"""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any, Optional

import numpy as np

LIBRARY = Path(__file__).with_name("_kernels.dll" if os.name == "nt" else "_kernels.shared")
# The instruction sets that kernels.c is compiled for, the best first.
LEVELS = {"avx512": "AVX-512", "avx2": "AVX2", "baseline": "baseline"}


class CompiledKernels:
    """The functions of kernels.c for one instruction set.

    They take contiguous arrays of float32, and do not hold the interpreter's lock while they
    compute.

    Args:
        library: The shared library.
        level: One of :data:`LEVELS`.
    """

    def __init__(self, library: ctypes.CDLL, level: str) -> None:
        self.level = level
        array = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
        number, size = ctypes.c_float, ctypes.c_ssize_t

        def function(name: str, *argtypes: Any) -> Any:
            found = getattr(library, f"{name}_{level}")
            found.argtypes, found.restype = argtypes, None
            return found

        self.softplus = function("softplus", array, array, size, size)
        self.softplus_chain = function("softplus_chain", array, array, size)
        self.bernoulli = function("bernoulli", array, array, array, size, size, size, number)
        self.bernoulli.restype = ctypes.c_double
        self.adam = function("adam", *[array] * 4, size, *[number] * 6)


@cache
def load(level: Optional[str] = None) -> Optional[CompiledKernels]:
    """The compiled kernels for an instruction set, by default the best that this machine has.

    Returns:
        None if they are not installed, or the machine does not have these instructions.
    """
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError:  # it is not there, or compiled for another system, which shares this folder
        return None
    for name in LEVELS if level is None else [level]:
        if library.supports(name.encode()):
            return CompiledKernels(library, name)
    return None


def describe() -> str:
    """What computes the kernels here, in words."""
    kernels = load()
    return "NumPy" if kernels is None else f"compiled, {LEVELS[kernels.level]}"
