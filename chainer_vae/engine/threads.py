"""A thread pool for the tasks of a step, in which the BLAS library has one thread for each.

NumPy releases the interpreter lock while it computes with large arrays, so Python threads really
run at the same time.  They do not mix with the BLAS library's own threads, which wait for the next
product by spinning and take the processor from everybody else (measured: Adam beside them is slower
on two threads than on one).  So within :func:`thread_pool` the library is limited to one thread;
the pool has as many as the library had, which the user sets as usual (``OPENBLAS_NUM_THREADS``,
``OMP_NUM_THREADS``, or threadpoolctl).
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional, Protocol

import numpy as np
import threadpoolctl
from threadpoolctl import threadpool_info, threadpool_limits

from chainer_vae import random_numbers

Task = Callable[[], object]


class Pending(Protocol):
    """Tasks that were submitted together."""

    def wait(self) -> None:
        """Return when they are done."""


class TaskPool(Protocol):
    """What runs tasks: a :class:`ThreadPool`, or the streams of a GPU."""

    def submit(self, tasks: Sequence[Task]) -> Pending:
        """Queue tasks before all others that wait, and return at once."""

    def run(self, tasks: Sequence[Task]) -> None:
        """Run tasks, and return when all are done."""


MAX_THREADS = 4  # more find nothing to do in a step on 100 images


def default_threads() -> int:
    """How many threads to use: as many as the BLAS library has, within this process's processors
    and :data:`MAX_THREADS`."""
    blas: list[int] = [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]
    return max(1, min([*blas, processors(), MAX_THREADS]))


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # no cover: on other systems than Linux


class _OneBlasThread:
    """The BLAS library with one thread, from where the first one wants it to where the last one
    no longer does: the limit is the process's, and thread pools of several threads overlap."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._wanted = 0
        self._limit = ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            if self._wanted == 0:
                _let_this_thread_limit()
                self._limit.enter_context(threadpool_limits(1, user_api="blas"))
            self._wanted += 1

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self._wanted -= 1
            if self._wanted == 0:
                self.lift()

    def lift(self) -> None:
        """Give the library the threads again that it had."""
        _let_this_thread_limit()
        self._limit.close()
        _let_this_thread_limit()


def _let_this_thread_limit() -> None:
    """Since threadpoolctl 3.8, OpenBLAS obeys one thread at a time; any of ours may be the last."""
    controller: Any = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(controller, "clear_controlling_thread"):
        controller.clear_controlling_thread(force=True)


_one_blas_thread = _OneBlasThread()


# A process is forked while no thread changes the limit: in the new one, OpenBLAS would wait for
# that thread, which is not there, for ever.  Nor does any other thread still want the limit.
def _before_fork() -> None:
    # The other lock first: a thread that has it may want this one next, as in the test of an
    # autoencoder, and would wait for a fork that waits for it.
    random_numbers.lock.acquire()
    _one_blas_thread.lock.acquire()


def _after_fork() -> None:
    _one_blas_thread.lock.release()
    random_numbers.lock.release()


def _after_fork_in_child() -> None:
    global _one_blas_thread
    _one_blas_thread.lift()
    _one_blas_thread = _OneBlasThread()
    random_numbers.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )


@contextmanager
def thread_pool(threads: Optional[int] = None) -> Iterator["ThreadPool"]:
    """A thread pool for a while, in which every matrix product takes one thread.

    Args:
        threads: How many, the caller's own one included; by default :func:`default_threads`.
    """
    count = default_threads() if threads is None else threads
    # Before the threads start, so that they find the limit, however the library keeps it.
    with _one_blas_thread:
        pool = ThreadPool(count)
        try:
            yield pool
        finally:
            pool.shutdown()


class ThreadPool:
    """The caller's thread and ``threads - 1`` others.

    Any thread may run any task; results must not depend on which.
    """

    def __init__(self, threads: int) -> None:
        self._queue: deque[tuple[TaskGroup, Task]] = deque()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        self._threads.pop()  # the caller's
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._threads) + 1

    def submit(self, tasks: Sequence[Task]) -> "TaskGroup":
        """Queue tasks before all others that wait, and return at once."""
        group = TaskGroup(self, len(tasks))
        self._queue.extendleft([(group, task) for task in reversed(tasks)])
        for _ in range(min(len(tasks), len(self._threads))):
            self._wake.put(True)
        return group

    def run(self, tasks: Sequence[Task]) -> None:
        """Run tasks, and return when all are done.

        Raises:
            Exception: What the first of them to fail raised.
        """
        if len(tasks) == 1:
            tasks[0]()
        else:
            self.submit(tasks).wait()

    def shutdown(self) -> None:
        """Run what still waits, and end the other threads."""
        while self.run_one():
            pass
        for _ in self._threads:
            self._wake.put(False)
        for thread in self._threads:
            thread.join()

    def run_one(self) -> bool:
        """Run the first task that waits, in this thread; False if there is none."""
        try:
            group, task = self._queue.popleft()
        except IndexError:
            return False
        group.run(task)
        return True

    def _work(self) -> None:
        while self._wake.get():
            # Tasks that were queued while this thread was busy have woken it, too.
            while self.run_one():
                pass


class TaskGroup:
    """Tasks that were submitted together."""

    def __init__(self, pool: ThreadPool, size: int) -> None:
        self._pool = pool
        self._left = size
        self._done: SimpleQueue[Optional[BaseException]] = SimpleQueue()
        self._on_errors: Any = np.geterr()  # NumPy's, which each thread has of its own

    def run(self, task: Task) -> None:
        error = None
        try:
            with np.errstate(**self._on_errors):
                task()
        except BaseException as raised:  # for the thread that waits
            error = raised
        finally:
            self._done.put(error)

    def wait(self) -> None:
        """Run whatever is queued until these tasks are done.

        Raises:
            Exception: What the first of them to fail raised.
        """
        failure = None
        while self._left:
            try:
                error = self._done.get_nowait()
            except Empty:
                if self._pool.run_one():
                    continue
                error = self._done.get()
            self._left -= 1
            failure = failure or error
        if failure is not None:
            raise failure
