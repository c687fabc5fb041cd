"""The members of a cluster in Redis, each with a lease, a fencing token and its last report.

Redis' clock (`TIME`) is the one that counts, so the nodes' clocks may show what they like. All of
a beat is one script: whose lease has run out goes, the node stays or joins, and everybody who is
there then is in the answer. A Redis that has started anew, empty or with what it once had on disk,
is told by its `run_id`: then all join again, with tokens greater than any before. One that is full
of other things still takes beats and changes of workers, which have a bound of their own.
"""

from collections.abc import Sequence
from typing import Any, Final

from cortexd.cluster.keys import key
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.node_report import ReportRejected, read_report, write_report
from cortexd.cluster.redis_link import RedisLink
from cortexd.domain.cluster import Member, NameTaken, NodeName, NodeReport, Sighting
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import Emit, SharedValueRejected

BEAT_S_MAX: Final = 1.0
"""Nobody waits for a beat but the task that sends it."""

MEMBERS_MAX: Final = 1000
KEPT_S: Final = 7 * 24 * 3600
"""What is left behind in Redis when a whole cluster is gone goes after this time."""

_US: Final = 1_000_000

ALSO_WHEN_FULL: Final = """
-- A script that has begun to write is let finish (redis.io, "Scripting with Lua").
redis.call('HDEL', KEYS[1], '')
"""

BEAT: Final = LuaScript(
    ALSO_WHEN_FULL
    + """
local state, members, reports, workers, tables = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local node, instance, token = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if redis.call('HGET', state, 'run') ~= run then
  redis.call('DEL', members, reports, workers, tables)
  redis.call('HSET', state, 'run', run)
end
if redis.call('EXISTS', members) == 0 then
  redis.call('HSET', state, 'born', string.format('%.0f', now))
end

local mine, alive = nil, 0
local all = redis.call('HGETALL', members)
for i = 1, #all, 2 do
  local its_token, joined, expires, left, its_instance =
    string.match(all[i + 1], '^(%d+) (%d+) (%d+) %d+ ([01]) (.*)$')
  if not its_token or tonumber(expires) <= now then
    redis.call('HDEL', members, all[i])
    redis.call('HDEL', reports, all[i])
  elseif left == '0' then
    alive = alive + 1
    if all[i] == node then
      mine = {token = its_token, joined = joined, instance = its_instance}
    end
  end
end
if mine and mine.instance ~= instance then
  return {'taken'}
end

local joined = mine and mine.joined
if not mine or mine.token ~= token then
  if alive == 0 then
    redis.call('DEL', workers, tables)
    redis.call('HSET', state, 'epoch', string.format('%.0f', now))
  end
  local last = math.max(tonumber(redis.call('HGET', state, 'token')) or 0, tonumber(ARGV[4]))
  token = string.format('%.0f', last + 1)
  joined = string.format('%.0f', now)
  redis.call('HSET', state, 'token', token)
end
redis.call('HSET', members, node, token .. ' ' .. joined .. ' ' ..
  string.format('%.0f %.0f', now + tonumber(ARGV[5]), now) .. ' 0 ' .. instance)
redis.call('HSET', reports, node, ARGV[6])
for _, each in ipairs(KEYS) do
  redis.call('EXPIRE', each, ARGV[7])
end
return {'member', token, string.format('%.0f', now), redis.call('HGET', state, 'born'),
  redis.call('HGETALL', members), redis.call('HGETALL', reports)}
"""
)

LEAVE: Final = LuaScript("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and string.match(found, '^%d+ %d+ %d+ %d+ 0 (.*)$') == ARGV[2] then
  local token, joined = string.match(found, '^(%d+) (%d+) ')
  redis.call('HSET', KEYS[1], ARGV[1], token .. ' ' .. joined .. ' ' ..
    string.format('%.0f %.0f', now + tonumber(ARGV[3]), now) .. ' 1 ' .. ARGV[2])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
""")


class RedisMembership:
    """See `cluster_ports.ClusterStore`. `instance`: what tells this process from its namesakes."""

    def __init__(  # noqa: PLR0913  wired up in one place only
        self,
        link: RedisLink,
        *,
        cluster: str,
        node: NodeName,
        instance: str,
        held_s: float,
        emit: Emit,
    ) -> None:
        self._link = link
        self._node = node
        self._instance = instance
        self._held_us = round(held_s * _US)
        self._keys = [
            key(cluster, part) for part in ("state", "members", "reports", "workers", "tables")
        ]
        self._emit = emit
        self._rejected: set[str] = set()

    async def beat(self, report: NodeReport, *, token: int, known_token: int) -> Sighting:
        """See `cluster_ports.ClusterStore`."""
        found = await self._link.run_script(
            BEAT,
            self._keys,
            (
                *(self._node, self._instance, token, known_token, self._held_us),
                *(write_report(report), KEPT_S),
            ),
            limit_s=BEAT_S_MAX,
        )
        try:
            return self._sighting(found)
        except (ValueError, IndexError, TypeError) as error:
            raise SharedStoreFailed(f"its answer to a beat makes no sense: {error}") from error

    async def leave(self) -> None:
        """See `cluster_ports.ClusterStore`."""
        keys = self._keys[1:3]
        told = (self._node, self._instance, self._held_us)
        await self._link.run_script(LEAVE, keys, told, limit_s=BEAT_S_MAX)

    def _sighting(self, found: Sequence[Any]) -> Sighting:
        if found[0] == b"taken":
            raise NameTaken(f"another node is called {self._node}")
        _, token, at, born, flat, reports = found
        written = {bytes(name): bytes(data) for name, data in _pairs(reports)}
        members: list[Member] = []
        left: set[NodeName] = set()
        for name_bytes, line in list(_pairs(flat))[:MEMBERS_MAX]:
            name = NodeName(bytes(name_bytes).decode(errors="replace"))
            its_token, joined, _, reported, has_left, _ = bytes(line).split(b" ", 5)
            if has_left == b"1":
                left.add(name)
                continue
            member = Member(
                name=name,
                token=int(its_token),
                joined_at=int(joined) / _US,
                reported_at=int(reported) / _US,
                report=self._read(name, written.get(bytes(name_bytes), b"")),
            )
            members.append(member)
        return Sighting(
            token=int(token),
            at=int(at) / _US,
            born_at=int(born) / _US,
            members=tuple(sorted(members, key=lambda member: member.name)),
            left=frozenset(left),
        )

    def _read(self, name: NodeName, data: bytes) -> NodeReport:
        """A report; one that is none leaves a member of whom nothing is known, and is told once."""
        try:
            report = read_report(data)
        except ReportRejected as error:
            if name not in self._rejected:
                self._rejected.add(name)
                what = f"the report of {name}"
                self._emit(SharedValueRejected(what=what[:200], reason=str(error)[:200]))
            return NodeReport()
        self._rejected.discard(name)
        return report


def _pairs(flat: Any) -> Sequence[tuple[Any, Any]]:
    """The fields of a hash, as RESP2 and RESP3 have them."""
    if isinstance(flat, dict):
        return list(flat.items())
    return list(zip(flat[::2], flat[1::2], strict=True))
