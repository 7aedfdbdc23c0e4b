"""Ctrl-C and the signals that ask a program to end: a run ends after the current step, saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

# SIGTERM: docker stop, Slurm, systemd. SIGHUP: the terminal is closed. SIGBREAK: those of Windows.
ENDING = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]


class StopSignals:
    """Notes a first signal instead of letting it end the program; a Ctrl-C after it raises
    KeyboardInterrupt.

    It does so while it is entered, which it may be several times; ``signal`` keeps the first.
    """

    def __init__(self) -> None:
        self.signal: Optional[int] = None

    def __enter__(self) -> "StopSignals":
        self._previous: dict[int, Any] = {}
        # Python handles signals in the main thread only; nohup and the like ignore some; and a
        # program that embeds Python may have its own handler (None), which cannot be put back.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ENDING):
                handler = signal.getsignal(number)
                if handler not in (signal.SIG_IGN, None):
                    self._previous[number] = handler
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        if self.signal is None:
            self.signal = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def pass_on(self) -> None:
        """Let a signal that asks the program to end do so, after all."""
        if self.signal is not None and self.signal in ENDING:
            signal.raise_signal(self.signal)


@contextmanager
def exit_by_signals() -> Iterator[None]:
    """A block that the signals which ask a program to end leave as ``sys.exit`` does, so that what
    it has open is closed; also as process 1 of a container, which they would not end otherwise.

    Raises:
        SystemExit: There was one; the exit code is 128 and its number.
    """
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in ENDING}
    ours = [number for number, handler in handlers.items() if handler == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)
