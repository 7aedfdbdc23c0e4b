"""One program at a time in a run's folder."""

import os
import platform
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Optional

import filelock

from chainer_vae.errors import InputError
from chainer_vae.runs.files import make_folder

LOCK, OWNER = ".lock", ".lock.owner"


class FolderLock:
    """A lock that the system takes back when its process ends, however it ends.

    Entering makes the folder where there is none.  It may be entered again while it is held.

    Raises:
        InputError: Another run, of this process or another, has it; or it cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A generator that has the lock may be resumed by another thread.
        self._lock = filelock.FileLock(str(folder / LOCK), timeout=0, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object has it."""
        return self._lock.is_locked

    def __enter__(self) -> "FolderLock":
        first = not self.held
        try:
            make_folder(self.folder)
        except OSError as error:
            raise InputError(f"cannot write {self.folder}: {error.strerror or error}") from None
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"{self.folder} is in use by {self._owner()}; wait until it ends, or stop it"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot lock {self.folder}: {reason}") from None
        if first:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            owner = self.folder / OWNER
            with suppress(OSError):  # only another program's message needs it
                owner.unlink(missing_ok=True)  # also a link, which is not followed
                with open(owner, "x", encoding="utf-8") as file:
                    file.write(f"process {os.getpid()} on {platform.node()}, since {now}")
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._lock.lock_counter == 1:
            with suppress(OSError):
                os.unlink(self.folder / OWNER)
        self._lock.release()

    def remove(self) -> None:
        """Remove its file, while it is held: after that, somebody else may hold it."""
        with suppress(OSError):  # Windows cannot
            os.unlink(self.folder / LOCK)

    def _owner(self) -> str:
        owner, text = self.folder / OWNER, ""
        with suppress(OSError, ValueError):
            if owner.is_file():  # a pipe would be waited for
                with open(owner, encoding="utf-8") as file:
                    text = file.read(200)
        if text.startswith(f"process {os.getpid()} on {platform.node()},"):
            return "another Run of this program"
        return text or "another program"
