"""The cache of answers, for operators: how it stands, and a way to empty it."""

from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from cortexd.cluster_ports import SharedAnswers
from cortexd.domain.errors import RequestRefused, SharedStoreFailed
from cortexd.http.admin.operation import read_query
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.answer_cache import AnswerCache, SecondLevel

PURGE_S_MAX: Final = 10.0

_L2: Final = {
    SecondLevel.HIT: "hits",
    SecondLevel.MISS: "misses",
    SecondLevel.FAILED: "failed",
}


def cache_document(cache: AnswerCache) -> dict[str, Any]:
    """How the cache stands. `hit_rate` is `null` before anything was looked for.

    The three of `l2` are about the answers of other nodes, and stay 0 without a cluster.
    """
    statistics = cache.statistics()
    looked_for = statistics.hits + statistics.misses
    return {
        "entries": statistics.entries,
        "bytes": statistics.size_bytes,
        "hits": statistics.hits,
        "misses": statistics.misses,
        "shared": statistics.shared,
        **{f"l2_{_L2[found]}": count for found, count in statistics.second_level.items()},
        "hit_rate": round(statistics.hits / looked_for, 4) if looked_for else None,
    }


@attrs.frozen(kw_only=True)
class CacheAdmin:
    """`is_enabled`: whether the configuration wants answers to be kept.

    `shared`: those that all nodes keep for each other; `None` without a cluster.
    """

    cache: AnswerCache
    is_enabled: Callable[[], bool]
    shared: SharedAnswers | None = None

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
        """Forget all answers; those that are being given now may still be kept.

        Those that all nodes share go as well; `purged` counts this node's own. What other nodes
        have in their memory stays there until it expires.
        """
        read_query(request)
        purged = self.cache.purge()
        if self.shared is not None:
            try:
                with trio.fail_after(PURGE_S_MAX):
                    await self.shared.purge()
            except (SharedStoreFailed, trio.TooSlowError) as error:
                raise _half_done() from error
        return 200, {"purged": purged}


def _half_done() -> RequestRefused:
    return RequestRefused(
        "this node's answers are gone; those that nodes share cannot be reached now; try again",
        code="busy",
        status=503,
    )
