"""The alerts of a cluster as bytes: whatever is there, it is a ledger or told to be none."""

from collections.abc import Callable
from typing import Final

import pytest

from cortexd.cluster.ledger_documents import (
    LEDGER_BYTES_MAX,
    NOTE_BYTES_MAX,
    DocumentRejected,
    read_ledger,
    read_note,
)

Read = Callable[[bytes], object]

_PLAIN: Final = b'{"written_at": 0, "alerts": [], "untold": [], "members": {}, "lost": {}'
_DEEP: Final = b"[" * 50_000 + b"]" * 50_000


def _ledger(data: bytes) -> object:
    return read_ledger(data, revision=2, written_at=0.0)


def _note(data: bytes) -> object:
    return read_note(data, written_at=0.0)


@pytest.mark.parametrize("read", [_ledger, _note])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"type": "acknowledged"}',
        _PLAIN + b', "lost": {"b": 1e13}}',
        _PLAIN + b', "newer": ' + _DEEP + b"}",
        b'{"type": "acknowledged", "alert_id": "a", "newer": ' + _DEEP + b"}",
    ],
    ids=["empty", "no text", "a list", "incomplete", "no time", "deep", "a deep note"],
)
def test_what_is_none_is_rejected(read: Read, data: bytes) -> None:
    """Also where it is nested more deeply than anybody would write."""
    with pytest.raises(DocumentRejected):
        read(data)


@pytest.mark.parametrize(("read", "most"), [(_ledger, LEDGER_BYTES_MAX), (_note, NOTE_BYTES_MAX)])
def test_what_is_too_long_is_not_read(read: Read, most: int) -> None:
    """Whatever it says."""
    with pytest.raises(DocumentRejected, match="more than"):
        read(b" " * (most + 1))


def test_what_a_newer_node_adds_is_passed_over() -> None:
    """A ledger is one all the same."""
    assert _ledger(_PLAIN + b', "newer": [1]}')
