"""Disk space held back for the day the disk is full.

On a full disk SQLite cannot even delete: that, too, is written to its log first. What is released
here gives it the room.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says when there is no room."""


class Ballast:
    """A file of `size_bytes` with nothing in it; none at all where that is 0.

    It is a precaution: where it cannot be had, though there is room, the database is well all the
    same.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def hold(self) -> None:
        """Take the space, unless it is taken. Errors: OSError when there is not as much."""
        try:
            if self._size_bytes and not self._is_held():
                self._take()
        except OSError as error:
            self.release()
            if error.errno in FULL:
                raise

    def release(self) -> None:
        """Give the space back, as far as the disk lets us."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _take(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        finally:
            os.close(descriptor)

    def _is_held(self) -> bool:
        try:
            return self._path.stat().st_size == self._size_bytes
        except FileNotFoundError:
            return False
