"""The chain of what operators have done."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import structlog.testing

from cortexd.observability.audit_log import AuditLog, broken_line
from cortexd.ports import AuditEntry

pytestmark = pytest.mark.real_time

ENTRY = AuditEntry(
    at=1.5,
    who="token",
    client="127.0.0.1",
    method="POST",
    path='/admin/keys"\n',
    status=201,
    request_id="r-1",
)


async def _write(path: Path, entries: int) -> list[bytes]:
    log = AuditLog(path)
    for number in range(entries):
        await log.keep(attrs.evolve(ENTRY, status=200 + number))
    return path.read_bytes().splitlines(keepends=True)  # noqa: ASYNC240  a few bytes


async def test_a_chain_that_nobody_has_touched_is_whole(tmp_path: Path) -> None:
    """Also across restarts."""
    path = tmp_path / "audit.log"
    await _write(path, 3)
    assert len(await _write(path, 3)) == 6
    assert broken_line(path) is None


@pytest.mark.parametrize(
    ("tamper", "broken"),
    [
        (lambda lines: [lines[0].replace(b"token", b"nobody"), *lines[1:]], 1),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], 3),
        (lambda lines: [*lines[:2], b"1\n", *lines[2:]], 3),
        (lambda lines: [*lines[:3], lines[3][:-9]], 4),
    ],
)
async def test_whatever_is_changed_shows(
    tmp_path: Path, tamper: Callable[[list[bytes]], list[bytes]], broken: int
) -> None:
    """A line that is other, missing, moved, repeated or put in."""
    path = tmp_path / "audit.log"
    lines = await _write(path, 4)
    path.write_bytes(b"".join(tamper(lines)))
    assert broken_line(path) == broken


async def test_after_a_line_that_was_cut_off_it_goes_on(tmp_path: Path) -> None:
    """A crash takes one line, and shows."""
    path = tmp_path / "audit.log"
    lines = await _write(path, 2)
    path.write_bytes(b"".join(lines)[:-9])
    assert len(await _write(path, 1)) == 3
    assert broken_line(path) == 2


async def test_a_disk_that_takes_nothing_harms_nobody(tmp_path: Path) -> None:
    """What was done is in the log instead."""
    with structlog.testing.capture_logs() as logs:
        await AuditLog(tmp_path / "missing" / "audit.log").keep(ENTRY)
    [line] = logs
    assert (line["event"], line["who"], line["status"]) == ("audit entry not kept", "token", 201)
