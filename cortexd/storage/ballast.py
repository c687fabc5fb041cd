"""Disk space held back for the day the disk is full.

On a full disk SQLite cannot even delete: that, too, is written to its log first. What is released
here gives it the room.
"""

import os
from pathlib import Path


class Ballast:
    """A file of `size_bytes` with nothing in it; none at all where that is 0."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def hold(self) -> None:
        """Take the space, unless it is taken. Errors: OSError when there is not as much."""
        if not self._size_bytes or self._is_held():
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Give the space back. Errors: OSError."""
        self._path.unlink(missing_ok=True)

    def _is_held(self) -> bool:
        try:
            return self._path.stat().st_size == self._size_bytes
        except FileNotFoundError:
            return False
