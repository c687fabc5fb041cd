"""What clients may still spend, for all nodes together: buckets in Redis, by the clock of Redis.

A client's buckets stand in one hash that is gone once they are all full. They work as those of
`policy/rate_limit.py` do.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from cortexd.cluster.keys import key as name_of
from cortexd.cluster.lua_script import LuaScript
from cortexd.cluster.redis_link import RedisLink
from cortexd.cluster_ports import SpendingVerdict, SpendingWish
from cortexd.domain.errors import SharedStoreFailed

WINDOWS: Final = ("requests", "tokens")

DEBT_MINUTES_MAX: Final = 1440
"""No debt is carried on for longer: a number that somebody has put there locks nobody out."""

_SPEND: Final = LuaScript("""
local HAIR = 1e-6
local function finite(text, otherwise)
    local number = tonumber(text)
    if not number or number ~= number or math.abs(number) == math.huge then
        return otherwise
    end
    return number
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local kept = redis.call('HMGET', KEYS[1], 'at', 'requests', 'tokens')
local at = math.min(now, finite(kept[1], now))
local debt = tonumber(ARGV[1])
local said, refused, full_in_s = {}, false, 0
for i, name in ipairs({'requests', 'tokens'}) do
    local limit = tonumber(ARGV[3 * i - 1])
    local taken, owed = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
    local level, wait = 0, 0
    if limit > 0 then
        level = finite(kept[i + 1], limit)
        level = math.min(limit, level + (now - at) * limit / 60)
        level = math.max(-debt * limit, math.min(limit, level - owed))
        local missing = math.min(taken, limit) - level
        if refused then
            wait = 0
        elseif missing > HAIR then
            wait, refused = missing * 60 / limit, true
        else
            level = level - taken
        end
        full_in_s = math.max(full_in_s, (limit - level) * 60 / limit)
        redis.call('HSET', KEYS[1], name, string.format('%.6f', level))
    end
    said[2 * i - 1], said[2 * i] = string.format('%.6f', level), string.format('%.6f', wait)
end
redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(full_in_s * 1000) + 1)
return said
""")
"""Arguments: the longest debt in minutes; of both limits how much a minute (0: no limit), how much
is taken if there is enough, how much in any case. Says of both the level, and how long to wait."""


class RedisLimits:
    """The port `SharedLimits`."""

    def __init__(self, link: RedisLink, cluster: str) -> None:
        self._link = link
        self._cluster = cluster

    @property
    def is_up(self) -> bool:
        """Whether it is asked at all."""
        return self._link.is_up

    async def spend(
        self, client: str, wishes: Sequence[SpendingWish | None]
    ) -> Sequence[SpendingVerdict | None]:
        """Spend of both limits, requests first. Errors: `SharedStoreFailed`."""
        arguments: list[float] = [DEBT_MINUTES_MAX]
        for wish in wishes:
            arguments += (0, 0, 0) if wish is None else (wish.per_minute, wish.taken, wish.owed)
        said = await self._link.run_script(
            _SPEND, [name_of(self._cluster, "limit", client)], arguments
        )
        numbers = _numbers(said)
        pairs = zip(wishes, numbers[::2], numbers[1::2], strict=True)
        return [
            None if wish is None else SpendingVerdict(level, wait_s)
            for wish, level, wait_s in pairs
        ]


def _numbers(said: Any) -> list[float]:
    try:
        numbers = [float(text) for text in said]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 2 * len(WINDOWS) or not all(map(math.isfinite, numbers)):
        raise SharedStoreFailed("what is kept there is no limit")
    return numbers
