"""Python: names that its standard library drops."""

import sys
import threading
from typing import Any

from chainer_vae.compat.patch import Extended, Patch


class _Thread(threading.Thread):
    def setDaemon(self, daemonic: bool) -> None:
        self.daemon = daemonic


def _provide_set_daemon(multiprocess_iterator: Any) -> None:
    multiprocess_iterator.threading = Extended(threading, Thread=_Thread)


PATCHES = (
    Patch(
        "chainer.iterators.multiprocess_iterator",
        "threading.Thread.setDaemon",
        "Python 3.10 (deprecated)",
        lambda: sys.version_info >= (3, 10),
        apply=_provide_set_daemon,
    ),
)
