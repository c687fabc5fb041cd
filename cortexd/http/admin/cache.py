"""The cache of answers, for operators: how it stands, and a way to empty it."""

from collections.abc import Callable
from typing import Any

import attrs

from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.answer_cache import AnswerCache


def cache_document(cache: AnswerCache) -> dict[str, Any]:
    """How the cache stands. `hit_rate` is `null` before anything was looked for."""
    statistics = cache.statistics()
    looked_for = statistics.hits + statistics.misses
    return {
        "entries": statistics.entries,
        "bytes": statistics.size_bytes,
        "hits": statistics.hits,
        "misses": statistics.misses,
        "shared": statistics.shared,
        "hit_rate": round(statistics.hits / looked_for, 4) if looked_for else None,
    }


@attrs.frozen(kw_only=True)
class CacheAdmin:
    """`is_enabled`: whether the configuration wants answers to be kept."""

    cache: AnswerCache
    is_enabled: Callable[[], bool]

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """The cache in more detail than the dashboard has it."""
        read_query(request)
        statistics = self.cache.statistics()
        return 200, {
            "enabled": self.is_enabled(),
            **cache_document(self.cache),
            "bytes_max": self.cache.max_bytes,
            "evictions": statistics.evictions,
            "expired": statistics.expired,
        }

    async def purge(self, request: DoorRequest) -> tuple[int, Any]:
        """Forget all answers; those that are being given now may still be kept."""
        read_query(request)
        return 200, {"purged": self.cache.purge()}
