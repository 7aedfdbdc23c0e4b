"""Python: names that its standard library drops, how it starts processes, and how it ends."""

import atexit
import functools
import multiprocessing
import sys
import threading
import weakref
from typing import Any

from chainer_vae.compat.patch import Extended, Patch, always


class _Thread(threading.Thread):
    def setDaemon(self, daemonic: bool) -> None:
        self.daemon = daemonic


def _provide_set_daemon(multiprocess_iterator: Any) -> None:
    multiprocess_iterator.threading = Extended(threading, Thread=_Thread)


def _finalize_at_exit(multiprocess_iterator: Any) -> None:
    """End the iterators' threads and processes while Python can still wait for them."""
    iterators: weakref.WeakSet[Any] = weakref.WeakSet()
    init = multiprocess_iterator.MultiprocessIterator.__init__

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        iterators.add(self)

    @atexit.register
    def finalize() -> None:
        for iterator in list(iterators):
            iterator.finalize()

    multiprocess_iterator.MultiprocessIterator.__init__ = __init__


def _context() -> Any:
    """Fork, for which Chainer and its programs were written (lambdas, local classes), unless the
    program has chosen another way to start processes."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return multiprocessing.get_context("fork" if chosen is None else chosen)


class _MultiprocessingByFork(Extended):
    """``multiprocessing`` with what belongs to that context."""

    def __getattr__(self, name: str) -> Any:
        belongs = name in ("JoinableQueue", "Pipe", "Pool", "Process", "get_start_method")
        return getattr(_context(), name) if belongs else super().__getattr__(name)


def _start_by_fork(module: Any) -> None:
    module.multiprocessing = _MultiprocessingByFork(multiprocessing)
    if hasattr(module, "_Worker"):  # a Process of the default context, since it was defined
        module._Worker._Popen = staticmethod(lambda process: _context().Process._Popen(process))


def _default_is_no_longer_fork() -> bool:
    # On macOS it has been spawn since Python 3.8, as forking is not safe there.
    methods = multiprocessing.get_all_start_methods()
    return sys.version_info >= (3, 14) and sys.platform != "darwin" and "fork" in methods


PATCHES = (
    Patch(
        "chainer.iterators.multiprocess_iterator",
        "threading.Thread.setDaemon",
        "Python 3.10 (deprecated)",
        lambda: sys.version_info >= (3, 10),
        apply=_provide_set_daemon,
    ),
    Patch(
        "chainer.iterators.multiprocess_iterator",
        "threads that can be waited for when Python has begun to end",
        "Python 3.13 (waits for ever; before, a traceback)",
        always,
        apply=_finalize_at_exit,
    ),
    *(
        Patch(
            module,
            "processes that are forked, unless the program chooses another way",
            "Python 3.14",
            _default_is_no_longer_fork,
            apply=_start_by_fork,
        )
        for module in (
            "chainer.iterators.multiprocess_iterator",
            "chainer.training.extensions.snapshot_writers",
            "chainer.training.updaters.multiprocess_parallel_updater",
        )
    ),
)
