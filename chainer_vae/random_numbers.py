"""Random numbers where several threads need them.

Chainer's functions draw from ``numpy.random`` (on a GPU, ``cupy.random``), which the whole program
shares.  A training has generators of its own; they are put there for the calls of such functions,
and for nothing else.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from chainer.backends import cuda

lock = threading.RLock()  # held while another generator than the callers' is there

# A process is forked when no other thread has it: in the new one, that thread would never give it
# back, and numpy.random would stay where that thread's generator was.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
    )


@contextmanager
def numpy_random(generator: np.random.RandomState) -> Iterator[None]:
    """Let ``numpy.random`` go on where ``generator`` is, for a while, and this where that ends.

    The caller's own state returns after it.  A thread that wants this waits while another one has
    it; but one that draws from ``numpy.random`` itself would draw from ``generator`` meanwhile.
    """
    with lock:
        callers = np.random.get_state()
        np.random.set_state(generator.get_state())
        try:
            yield
        finally:
            generator.set_state(np.random.get_state())
            np.random.set_state(callers)


@contextmanager
def cupy_random(generator: Any) -> Iterator[None]:
    """Let ``cupy.random`` be ``generator``, a ``RandomState`` of CuPy's, for a while.

    That is for the current GPU.  With None, nothing changes.
    """
    if generator is None:
        yield
        return
    random = cuda.cupy.random
    with lock:
        callers = random.get_random_state()
        random.set_random_state(generator)
        try:
            yield
        finally:
            random.set_random_state(callers)


def generator_of(seed: int, number: int) -> np.random.RandomState:
    """The generator of one of many things, whatever thread draws for it, and when.

    Source: NumPy's SeedSequence, which makes independent generators of neighbouring numbers.
    """
    return np.random.RandomState(np.random.PCG64(np.random.SeedSequence((seed, number))))


class _NumpyRandom:
    """``numpy.random``, never while another thread's generator is there."""

    def standard_normal(self, size: Any = None) -> Any:
        with lock:
            return np.random.standard_normal(size)

    def get_state(self) -> Any:
        with lock:
            return np.random.get_state()

    def set_state(self, state: Any) -> None:
        with lock:
            np.random.set_state(state)


NUMPY: Any = _NumpyRandom()  # in the place of a RandomState
