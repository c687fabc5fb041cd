"""The shared workers in Redis: for each the latest change, and the table of one that was added.

A change is one script. It is refused from a node that is no member any more (by its fencing
token), and yields to a change that was made later, even where that has got here before.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from cortexd.cluster.keys import key
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.membership import ALSO_WHEN_FULL
from cortexd.cluster.redis_link import RedisLink
from cortexd.domain.cluster import NodeName, SharedWorkerRefused
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Emit, SharedValueRejected
from cortexd.domain.ids import WorkerName
from cortexd.domain.shared_worker import Epoch, SharedStaff, SharedWorker

CALL_S_MAX: Final = 1.0
"""Nobody waits for one but the task that asks."""

WORKERS_MAX: Final = 500
LINE_BYTES_MAX: Final = 1024
TABLE_BYTES_MAX: Final = 64 * 1024
REJECTED_MAX: Final = 100
FORGOTTEN_S: Final = 3600.0
"""Removals are remembered for so long when there are too many workers to remember all."""

_US: Final = 1_000_000
_NUMBER_MAX: Final = 2**53

_FENCE: Final = (
    ALSO_WHEN_FULL
    + """
local function is_member()
  local found = redis.call('HGET', KEYS[4], ARGV[1])
  return found and string.match(found, '^(%d+) ') == ARGV[2]
end
"""
)

SHARE: Final = LuaScript(
    _FENCE
    + """
if not is_member() then return {'fenced'} end
local state, workers, tables = KEYS[1], KEYS[2], KEYS[3]
local name, at, told, table_, known = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if at == 0 or at > now then at = now end
local old = redis.call('HGET', workers, name)
if old then
  local its_at = string.match(old, '^%d+ (%d+) ')
  if its_at and tonumber(its_at) > at then return {'late'} end
elseif redis.call('HLEN', workers) >= tonumber(ARGV[8]) then
  local all = redis.call('HGETALL', workers)
  for i = 1, #all, 2 do
    local its_at = string.match(all[i + 1], '^%d+ (%d+) removed')
    if its_at and tonumber(its_at) < now - tonumber(ARGV[9]) then
      redis.call('HDEL', workers, all[i])
    end
  end
  if redis.call('HLEN', workers) >= tonumber(ARGV[8]) then return {'full'} end
end
local last = math.max(tonumber(redis.call('HGET', state, 'version')) or 0, tonumber(known))
local version = string.format('%.0f', last + 1)
redis.call('HSET', state, 'version', version)
redis.call('HSET', workers, name, version .. ' ' .. string.format('%.0f', at) .. ' ' .. told)
if string.match(told, '^removed') then
  redis.call('HDEL', tables, name)
elseif table_ ~= '' then
  redis.call('HSET', tables, name, table_)
end
return {'shared', version}
"""
)

REMIND: Final = LuaScript(
    _FENCE
    + """
if not is_member() then return {'fenced'} end
local state, workers, tables = KEYS[1], KEYS[2], KEYS[3]
local last = tonumber(redis.call('HGET', state, 'version')) or 0
for i = 3, #ARGV, 5 do
  local name, version, at, told, table_ =
    ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local old = redis.call('HGET', workers, name)
  local its_version = old and string.match(old, '^(%d+) ')
  if not its_version or tonumber(its_version) < tonumber(version) then
    redis.call('HSET', workers, name, version .. ' ' .. at .. ' ' .. told)
    if table_ ~= '' then
      redis.call('HSET', tables, name, table_)
    else
      redis.call('HDEL', tables, name)
    end
  end
  last = math.max(last, tonumber(version))
end
redis.call('HSET', state, 'version', string.format('%.0f', last))
return {'shared'}
"""
)

READ: Final = LuaScript("""
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[1]) then return {} end
return {redis.call('HMGET', KEYS[1], 'epoch', 'version'),
  redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
""")

VERSION: Final = LuaScript("return redis.call('HMGET', KEYS[1], 'epoch', 'version')")


class _Line(Struct):
    """What is kept of a change besides its table, behind version, time and state."""

    by: Annotated[str, Meta(max_length=256)]
    is_active: bool


_read_line: Final = msgspec.json.Decoder(_Line).decode
_read_table: Final = msgspec.json.Decoder(dict[str, Any]).decode


class RedisSharedWorkers:
    """See `cluster_ports.SharedWorkerStore`."""

    def __init__(self, link: RedisLink, *, cluster: str, node: NodeName, emit: Emit) -> None:
        self._link = link
        self._node = node
        self._emit = emit
        self._keys = [key(cluster, part) for part in ("state", "workers", "tables", "members")]
        self._rejected: dict[str, bytes] = {}

    async def version(self) -> tuple[Epoch, int]:
        """See `cluster_ports.SharedWorkerStore`."""
        found = await self._link.run_script(VERSION, self._keys[:1], limit_s=CALL_S_MAX)
        return self._version(found)

    async def read(self) -> SharedStaff:
        """See `cluster_ports.SharedWorkerStore`."""
        found = await self._link.run_script(
            READ, self._keys[:3], (2 * WORKERS_MAX,), limit_s=CALL_S_MAX
        )
        if not found:
            raise SharedStoreFailed("there are more shared workers than any node has written")
        head, lines, tables = found
        epoch, version = self._version(head)
        written = _hash(tables)
        workers = {}
        for name, line in _hash(lines).items():
            worker = self._worker(name, line, written.get(name))
            if worker is not None:
                workers[worker.name] = worker
        return SharedStaff(epoch=epoch, version=version, workers=workers)

    async def share(self, change: SharedWorker, *, token: int, known_version: int) -> int | None:
        """See `cluster_ports.SharedWorkerStore`."""
        _, _, at, told, table = _written(change)
        answer = await self._link.run_script(
            SHARE,
            self._keys,
            (
                *(self._node, token, change.name, at, told, table, known_version),
                *(WORKERS_MAX, round(FORGOTTEN_S * _US)),
            ),
            limit_s=CALL_S_MAX,
        )
        match answer:
            case [b"shared", version]:
                return int(version)
            case [b"late"]:
                return None
            case [b"full"]:
                raise SharedWorkerRefused(f"there are {WORKERS_MAX} shared workers already")
        raise SharedStoreFailed("the node is no member any more")

    async def remind(self, workers: Sequence[SharedWorker], *, token: int) -> None:
        """See `cluster_ports.SharedWorkerStore`."""
        told = [part for worker in workers for part in _written(worker)]
        answer = await self._link.run_script(
            REMIND, self._keys, (self._node, token, *told), limit_s=CALL_S_MAX
        )
        if answer[0] != b"shared":
            raise SharedStoreFailed("the node is no member any more")

    def _worker(self, name: bytes, line: bytes, table: bytes | None) -> SharedWorker | None:
        """One of them, or `None` where it is none."""
        what = f"the shared worker {name.decode(errors='replace')[:64]}"
        try:
            worker = _read(WorkerName(name.decode()), line, table)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            self._reject(what, line + (table or b""), error)
            return None
        self._rejected.pop(what, None)
        return worker

    def _version(self, found: Any) -> tuple[Epoch, int]:
        epoch, version = found
        try:
            number = _number(version or b"0")
        except ValueError as error:
            # The next change makes it good again.
            self._reject("the version of the shared workers", version, error)
            number = 0
        return Epoch((epoch or b"").decode(errors="replace")[:64]), number

    def _reject(self, what: str, value: bytes, error: Exception) -> None:
        """Tell of it, once for each value."""
        digest = hashlib.blake2b(value, digest_size=8).digest()
        if self._rejected.get(what) == digest:
            return
        if len(self._rejected) < REJECTED_MAX:
            self._rejected[what] = digest
            self._emit(SharedValueRejected(what=what, reason=str(error)[:200]))


def _written(worker: SharedWorker) -> tuple[str, int, int, bytes, bytes]:
    state = b"removed " if worker.is_removed else b"present "
    told = state + msgspec.json.encode(_Line(worker.by, worker.is_active))
    table = b"" if worker.table is None else msgspec.json.encode(worker.table)
    if len(table) > TABLE_BYTES_MAX:
        raise SharedWorkerRefused(f"its table has more than {TABLE_BYTES_MAX} bytes")
    return worker.name, worker.version, round(worker.at * _US), told, table


def _read(name: WorkerName, line: bytes, table: bytes | None) -> SharedWorker:
    if len(line) > LINE_BYTES_MAX or len(table or b"") > TABLE_BYTES_MAX:
        raise ValueError("it is too long")
    version, at, state, told = line.split(b" ", 3)
    if state not in {b"removed", b"present"}:
        raise ValueError("it is neither present nor removed")
    kept = _read_line(told)
    return SharedWorker(
        name=name,
        version=_number(version),
        at=_number(at) / _US,
        by=NodeName(kept.by),
        is_removed=state == b"removed",
        is_active=kept.is_active,
        table=None if table is None else _read_table(table),
    )


def _number(text: bytes) -> int:
    number = int(text)
    if not 0 <= number < _NUMBER_MAX:
        raise ValueError("a number is out of bounds")
    return number


def _hash(flat: Any) -> dict[bytes, bytes]:
    """The fields of a hash, as RESP2 and RESP3 have them."""
    if isinstance(flat, dict):
        return flat
    return dict(zip(flat[::2], flat[1::2], strict=True))
