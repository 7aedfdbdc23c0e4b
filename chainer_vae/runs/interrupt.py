"""Ctrl-C: a run ends after the current step."""

import signal
import threading
from typing import Any


class SigintFlag:
    """Notes a first SIGINT instead of raising it; the second raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.raised = False

    def __enter__(self) -> "SigintFlag":
        # Python handles signals in the main thread only; nohup and the like ignore this one; and a
        # program that embeds Python may have its own handler (None), which cannot be put back.
        in_main_thread = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT)
        self._active = in_main_thread and handler not in (signal.SIG_IGN, None)
        if self._active:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        self.raised = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *exc: object) -> None:
        if self._active:
            signal.signal(signal.SIGINT, self._previous)
