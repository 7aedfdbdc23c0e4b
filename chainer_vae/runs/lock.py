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
ATTEMPTS = 10
PATIENCE = 0.5  # seconds: a program that is about to be refused has it for a moment


class FolderLock:
    """A lock that the system takes back when its process ends, however it ends.

    Entering makes the folder where there is none.  It may be entered again while it is held; where
    somebody has deleted the folder since, the lock is that of the folder that is there now.

    Raises:
        InputError: Another run, of this process or another, has it; or it cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / LOCK
        self._lock: Optional[filelock.BaseFileLock] = None
        self._locked: Optional[tuple[int, int]] = None  # which file
        self._depth = 0

    @property
    def held(self) -> bool:
        """Whether this object has it."""
        return self._depth > 0

    def __enter__(self) -> "FolderLock":
        if not self._is_current():
            self._release()
            self._acquire()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._release()

    def remove_folder(self) -> None:
        """Remove the folder if it holds nothing but this lock, which must be held."""
        with suppress(OSError):
            if set(os.listdir(self.folder)) <= {LOCK, OWNER}:
                (self.folder / OWNER).unlink(missing_ok=True)
                self._file.unlink(missing_ok=True)  # Windows will not; it goes when it is released
                self.folder.rmdir()

    def _acquire(self) -> None:
        """Lock the file that is in the folder, and still is when it is locked: another program may
        remove it meanwhile, with the folder."""
        for _ in range(ATTEMPTS):
            try:
                make_folder(self.folder)
            except OSError as error:
                raise InputError(f"cannot write {self.folder}: {error.strerror or error}") from None
            try:
                self._try_once()
            except FileNotFoundError:
                continue
            except filelock.Timeout:
                raise InputError(
                    f"{self.folder} is in use by {self._owner()}; wait until it ends, or stop it"
                ) from None
            except PermissionError as error:
                whose = f"its {LOCK} is another user's; delete it if nobody trains this run"
                reason = whose if self._file.exists() else error.strerror
                raise InputError(f"cannot lock {self.folder}: {reason}") from None
            except OSError as error:
                raise InputError(f"cannot lock {self.folder}: {error.strerror or error}") from None
            except NotImplementedError as error:  # filelock 3's, where flock says ENOSYS
                raise InputError(f"cannot lock {self.folder}: {error}") from None
            if self._is_current():
                self._say_whose()
                return
            self._release()
        raise InputError(f"cannot lock {self.folder}: another program removes it all the time")

    def _try_once(self) -> None:
        if self._file.is_symlink():  # filelock before 3.20.1 empties what it leads to
            raise OSError(f"its {LOCK} is a link; delete it")
        made = False
        with suppress(OSError):
            open(self._file, "xb").close()
            made = True
        self._locked = _inode(self._file)
        # A generator that has the lock may be resumed by another thread.
        self._lock = filelock.FileLock(str(self._file), timeout=PATIENCE, thread_local=False)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            self._lock = None
            raise
        except BaseException:
            self._release()
            if made:
                self._file.unlink(missing_ok=True)
            raise

    def _is_current(self) -> bool:
        return self._lock is not None and self._locked == _inode(self._file)

    def _say_whose(self) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        owner = self.folder / OWNER
        with suppress(OSError):  # only another program's message needs it
            owner.unlink(missing_ok=True)  # also a link, which is not followed
            with open(owner, "x", encoding="utf-8") as file:
                file.write(f"process {os.getpid()} on {platform.node()}, since {now}")

    def _release(self) -> None:
        if self._lock is None:
            return
        if self._is_current():
            with suppress(OSError):
                os.unlink(self.folder / OWNER)
        self._lock.release()
        self._lock = None

    def _owner(self) -> str:
        owner, text = self.folder / OWNER, ""
        with suppress(OSError, ValueError):
            if owner.is_file():  # a pipe would be waited for
                with open(owner, encoding="utf-8") as file:
                    text = file.read(200)
        if text.startswith(f"process {os.getpid()} on {platform.node()},"):
            return "another Run of this program"
        return text or "another program"


def _inode(file: Path) -> Optional[tuple[int, int]]:
    """What tells a file from another of its name; None if there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino
