"""What operators have done, a line of JSON each, in `STATE/audit.log`.

Each line carries the hash of the line before it, so that nobody can change, take out or put in a
line without all hashes behind it being wrong; who suspects it asks `broken_line`. A line cut off by
a crash is left as it is, and the chain begins anew behind it.
"""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Final

import attrs
import structlog
import trio

from cortexd.ports import AuditEntry

FILE_NAME: Final = "audit.log"
KEEP_S_MAX: Final = 2.0
_TAIL_BYTES: Final = 64 * 1024
_START: Final = "0" * 64

log = structlog.get_logger("cortexd")


class AuditLog:
    """Appends to the file; there is none before the first entry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._limiter = trio.CapacityLimiter(1)

    async def keep(self, entry: AuditEntry) -> None:
        """Keep an entry, if the disk takes it; what it does not take is at least in the log."""
        reason = "the disk does not answer"
        deadline = trio.current_time() + KEEP_S_MAX
        with trio.CancelScope(shield=True, deadline=deadline):
            try:
                await trio.to_thread.run_sync(
                    self._append, entry, abandon_on_cancel=True, limiter=self._limiter
                )
                return
            except OSError as error:
                reason = str(error.strerror)
        log.error("audit entry not kept", reason=reason, **attrs.asdict(entry))

    def _append(self, entry: AuditEntry) -> None:
        with self._writing:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _TAIL_BYTES))
                tail = file.read()
                previous = _hash_of_last(tail)
                line = _line(attrs.asdict(entry), previous)
                separator = b"" if not tail or tail.endswith(b"\n") else b"\n"
                file.write(separator + line)
                file.flush()
                os.fsync(file.fileno())


def broken_line(path: Path) -> int | None:
    """The first line, counted from 1, that is not as it was written; `None` if all are."""
    previous = _START
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            entry = json.loads(line)
            digest, given = entry.pop("hash"), entry.pop("previous")
        except (ValueError, KeyError, AttributeError, TypeError):
            return number
        if given != previous or line != _line(entry, given):
            return number
        previous = digest
    return None


def _line(entry: dict[str, object], previous: str) -> bytes:
    chained = {**entry, "previous": previous}
    text = json.dumps(chained, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({**chained, "hash": digest}, sort_keys=True).encode() + b"\n"


def _hash_of_last(lines: bytes) -> str:
    last = lines.splitlines()[-1:] or [b"{}"]
    try:
        return str(json.loads(last[0])["hash"])
    except (ValueError, KeyError, TypeError):
        return _START
