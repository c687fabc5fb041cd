"""The ledger of the cluster's alerts in Redis: a hash, and a list of notes for the leader.

A clock that all share is that of Redis (`TIME`): what was written says how long ago that was, and
each node sets the times right for its own clock. Whoever writes shows its fencing token, and the
revision that it goes on from: a leader of yesterday writes nothing any more.
"""

from collections.abc import Iterator
from typing import Any, Final

import trio

from cortexd.cluster.keys import key
from cortexd.cluster.ledger_documents import (
    LEDGER_BYTES_MAX,
    DocumentRejected,
    read_ledger,
    read_note,
    write_ledger,
    write_note,
)
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.redis_link import RedisLink
from cortexd.cluster_ports import LedgerReading
from cortexd.domain.alert_ledger import Ledger, LedgerNote
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Emit, SharedValueRejected

NOTES_MAX: Final = 256
NOTES_READ_MAX: Final = 64
"""So many notes wait for the leader, and so many are read at once."""

CALL_S_MAX: Final = 0.4
"""Nobody waits for a call but the alert manager; so it need not be given up as soon as others."""

KEPT_S: Final = 24 * 3600
NOTES_KEPT_S: Final = 60
"""What a leader does not look at for this time is forgotten."""

_US: Final = 1_000_000
_NUMBER_MAX: Final = 2**53

_FOUND: Final = """
local function number(field)
  local found = tonumber(redis.call('HGET', KEYS[1], field)) or 0
  return found >= 0 and found <= 2 ^ 53 and found or 0
end
local function now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000000 + time[2])
end
"""

_LOOK: Final = LuaScript(
    _FOUND
    + """
local revision, notes, data = number('revision'), {}, ''
local length = redis.call('HSTRLEN', KEYS[1], 'data')
if revision ~= tonumber(ARGV[1]) and length <= tonumber(ARGV[3]) then
  data = redis.call('HGET', KEYS[1], 'data') or ''
end
if ARGV[2] ~= '0' then
  notes = redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
local function text(count)
  return string.format('%.0f', count)
end
return {text(revision), text(number('token')), now(), text(number('at')), data, notes}
"""
)

_WRITE: Final = LuaScript(
    _FOUND
    + """
if number('token') > tonumber(ARGV[1]) or number('revision') >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'revision', ARGV[2], 'at', now(), 'data', ARGV[3])
redis.call('LTRIM', KEYS[2], ARGV[4], -1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""
)

_OFFER: Final = LuaScript(
    _FOUND
    + """
if number('token') >= tonumber(ARGV[1]) or number('revision') >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'at', now(), 'data', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""
)

_HAND_IN: Final = LuaScript(
    _FOUND
    + """
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('RPUSH', KEYS[2], now() .. ' ' .. ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
)


class RedisAlertLedger:
    """See `cluster_ports.AlertLedger`."""

    def __init__(self, link: RedisLink, *, cluster: str, emit: Emit) -> None:
        self._link = link
        self._keys = [key(cluster, "alerts", part) for part in ("ledger", "notes")]
        self._emit = emit
        self._is_rejected = False

    async def look(self, known: int, *, with_notes: bool = False) -> LedgerReading:
        """See `cluster_ports.AlertLedger`."""
        notes_max = NOTES_READ_MAX if with_notes else 0
        found = await self._run(_LOOK, known, notes_max, LEDGER_BYTES_MAX, KEPT_S)
        revision, token, redis_now, at = map(int, found[:4])
        data, notes = found[4:]
        now = trio.current_time()
        ledger = None
        if revision != known and revision:
            ledger = self._read(bytes(data), revision, now - _seconds(redis_now - at))
        return LedgerReading(
            revision=revision,
            token=token,
            ledger=ledger,
            notes=tuple(self._read_notes(notes, redis_now, now)),
            notes_count=len(notes),
        )

    async def write(self, ledger: Ledger, *, token: int, notes_done: int) -> bool:
        """See `cluster_ports.AlertLedger`."""
        data = _document(ledger)
        return bool(await self._run(_WRITE, token, ledger.revision, data, notes_done, KEPT_S))

    async def offer(self, ledger: Ledger, *, leader: int) -> bool:
        """See `cluster_ports.AlertLedger`."""
        return bool(await self._run(_OFFER, leader, ledger.revision, _document(ledger), KEPT_S))

    async def hand_in(self, note: LedgerNote) -> None:
        """See `cluster_ports.AlertLedger`."""
        try:
            data = write_note(note, trio.current_time())
        except DocumentRejected as error:
            raise SharedStoreFailed(f"too much for a note: {error}") from error
        if not await self._run(_HAND_IN, data, NOTES_MAX, NOTES_KEPT_S):
            raise SharedStoreFailed(f"{NOTES_MAX} notes wait for the leader already")

    async def _run(self, script: LuaScript, *arguments: str | float | bytes) -> Any:
        return await self._link.run_script(script, self._keys, arguments, limit_s=CALL_S_MAX)

    def _read(self, data: bytes, revision: int, written_at: float) -> Ledger | None:
        """A ledger; one that is none is told once, and the next leader writes over it."""
        try:
            ledger = read_ledger(data, revision=revision, written_at=written_at)
        except DocumentRejected as error:
            if not self._is_rejected:
                self._is_rejected = True
                self._reject("the alerts of the cluster", error)
            return None
        self._is_rejected = False
        return ledger

    def _read_notes(self, notes: Any, redis_now: int, now: float) -> Iterator[LedgerNote]:
        for each in notes:
            pushed, _, data = bytes(each).partition(b" ")
            try:
                written_at = now - _seconds(redis_now - int(pushed))
                yield read_note(data, written_at=written_at)
            except ValueError as error:  # `DocumentRejected` among them
                self._reject("a note for the alerts of the cluster", error)

    def _reject(self, what: str, error: ValueError) -> None:
        self._emit(SharedValueRejected(what=what, reason=str(error)[:200]))


def _document(ledger: Ledger) -> bytes:
    try:
        return write_ledger(ledger, trio.current_time())
    except DocumentRejected as error:
        raise SharedStoreFailed(f"there are too many alerts: {error}") from error


def _seconds(microseconds: int) -> float:
    return min(max(0, microseconds), _NUMBER_MAX) / _US
