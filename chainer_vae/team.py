"""A few threads that share the work of a step, with one thread of the BLAS for each.

NumPy gives up the interpreter while it multiplies or maps large arrays, so Python threads really
run at the same time.  They do not mix with the BLAS library's own: those wait for the next product
by spinning, and take the processor from whoever else could use it (measured: Adam beside them is
slower on two threads than on one).  So within :func:`team` the library has one thread, and its
number of threads, which the user sets as ever (``OPENBLAS_NUM_THREADS``, ``OMP_NUM_THREADS``, or
threadpoolctl), is the number of ours.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional, Protocol

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

Task = Callable[[], object]


class Pending(Protocol):
    """Tasks that were begun."""

    def wait(self) -> None:
        """Return when they are done."""


class Crew(Protocol):
    """Who does tasks: a :class:`Team`, or the streams of a GPU."""

    def begin(self, tasks: Sequence[Task]) -> Pending:
        """Put tasks before all others that wait, and return at once."""

    def run(self, tasks: Sequence[Task]) -> None:
        """Do tasks, and return when all are done."""


MAX_THREADS = 4  # more find nothing to do in a step on 100 images


def default_threads() -> int:
    """How many threads to use: as many as the BLAS library has, within this process's processors
    and :data:`MAX_THREADS`."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(1, min([*blas, _processors(), MAX_THREADS]))


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def team(threads: Optional[int] = None) -> Iterator["Team"]:
    """A team for a while, in which every matrix product takes one thread.

    Args:
        threads: How many, the caller's own one included; by default :func:`default_threads`.
    """
    count = default_threads() if threads is None else threads
    # Before the threads are begun, so that they find the limit, however the library keeps it.
    with threadpool_limits(1, user_api="blas"):
        members = Team(count)
        try:
            yield members
        finally:
            members.dismiss()


class Team:
    """The caller's thread and ``threads - 1`` others.

    Which thread does a task is left to chance; results must not depend on it.
    """

    def __init__(self, threads: int) -> None:
        self._todo: deque[tuple[Group, Task]] = deque()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(threads)]
        self._threads.pop()  # the caller's
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._threads) + 1

    def begin(self, tasks: Sequence[Task]) -> "Group":
        """Put tasks before all others that wait, and return at once."""
        group = Group(self, len(tasks))
        self._todo.extendleft([(group, task) for task in reversed(tasks)])
        for _ in range(min(len(tasks), len(self._threads))):
            self._wake.put(True)
        return group

    def run(self, tasks: Sequence[Task]) -> None:
        """Do tasks, and return when all are done.

        Raises:
            Exception: What the first of them to fail raised.
        """
        if len(tasks) == 1:
            tasks[0]()
        else:
            self.begin(tasks).wait()

    def dismiss(self) -> None:
        """Do what still waits, and end the other threads."""
        while self.do_one():
            pass
        for _ in self._threads:
            self._wake.put(False)
        for thread in self._threads:
            thread.join()

    def do_one(self) -> bool:
        """Do the first task that waits, in this thread; False if there is none."""
        try:
            group, task = self._todo.popleft()
        except IndexError:
            return False
        group.do(task)
        return True

    def _serve(self) -> None:
        while self._wake.get():
            # The tasks that arrived while this thread was busy left their calls, too.
            while self.do_one():
                pass


class Group:
    """Tasks that were begun together."""

    def __init__(self, team: Team, size: int) -> None:
        self._team = team
        self._left = size
        self._done: SimpleQueue[Optional[BaseException]] = SimpleQueue()
        self._on_errors: Any = np.geterr()  # NumPy's, which each thread has of its own

    def do(self, task: Task) -> None:
        error = None
        try:
            with np.errstate(**self._on_errors):
                task()
        except BaseException as raised:  # for the thread that waits
            error = raised
        finally:
            self._done.put(error)

    def wait(self) -> None:
        """Help with whatever there is to do until these tasks are done.

        Raises:
            Exception: What the first of them to fail raised.
        """
        failure = None
        while self._left:
            try:
                error = self._done.get_nowait()
            except Empty:
                if self._team.do_one():
                    continue
                error = self._done.get()
            self._left -= 1
            failure = failure or error
        if failure is not None:
            raise failure
