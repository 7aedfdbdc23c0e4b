"""Python: names that its standard library drops, and how it ends."""

import atexit
import functools
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
)
