"""Answers kept in memory, bounded by bytes: the expired go first, then those nobody asked for.

Rules of this file: sizes are estimates that err on the large side; whoever keeps an answer has
decided before that it may be kept.
"""

import heapq
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.answer import AnswerEvent
from cortexd.domain.cached_answer import CachedAnswer
from cortexd.domain.ids import WorkerName
from cortexd.policy.answer_record import coalesced, kept_bytes

ENTRY_BYTES_MAX: Final = 1024 * 1024
"""A larger answer is not kept; nor one that would fill a good part of the cache by itself."""

SHARE_MAX: Final = 16

_ENTRY_BYTES: Final = 600
_STALE_EXPIRIES_MAX: Final = 64


def cached_answer(
    events: Sequence[AnswerEvent],
    *,
    worker: WorkerName | None,
    model: str | None,
    expires_at: float,
    fingerprint: bytes,
) -> CachedAnswer:
    """The answer that these events are, ready to be kept."""
    joined = tuple(coalesced(events))
    return CachedAnswer(
        events=joined,
        worker=worker,
        model=model,
        size_bytes=_ENTRY_BYTES + sum(map(kept_bytes, joined)),
        expires_at=expires_at,
        fingerprint=fingerprint,
    )


@unique
class SecondLevel(Enum):
    """What came of a look into the cache that all nodes share; FAILED: it could not be asked."""

    HIT = "hit"
    MISS = "miss"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class AnswerCacheStatistics:
    """How the cache stands, for operators. The rest are counts since the start.

    `stale`: of the hits, those that had expired.
    `shared`: of the misses, those that found an equal request in progress and had its answer.
    `expired`: answers that became too old; `evictions`: that had to make room before they did.
    `second_level`: of the misses again, what the look for an answer of other nodes has brought.
    """

    entries: int
    size_bytes: int
    hits: int
    misses: int
    stale: int
    shared: int
    evictions: int
    expired: int
    second_level: Mapping[SecondLevel, int]


class AnswerCache:
    """The answers by key. `now` is in monotonic seconds.

    `stale_s`: for so long those that have expired are kept, as long as there is room, for times
    when an old answer is better than none.
    """

    def __init__(self, max_bytes: int, *, stale_s: float = 0.0) -> None:
        self._stale_s = stale_s
        self._set_limits(max_bytes)
        # The one that was used last stands last.
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()
        # A heap. What it says of an answer that is gone, or was replaced, is stale.
        self._expiries: list[tuple[float, bytes]] = []
        self._size_bytes = 0
        self._hits = self._misses = self._stale = self._shared = self._evictions = self._expired = 0
        self._second_level = dict.fromkeys(SecondLevel, 0)

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes, now: float, *, stale_too: bool = False) -> CachedAnswer | None:
        """The answer kept by this key, if it is still good; `stale_too`: or was not long ago."""
        answer = self._answers.get(key)
        if answer is not None and answer.expires_at <= now:
            if answer.expires_at + self._stale_s <= now:
                self._remove(key)
                self._expired += 1
                answer = None
            elif stale_too:
                self._stale += 1
            else:
                answer = None
        if answer is None:
            self._misses += 1
            return None
        self._answers.move_to_end(key)
        self._hits += 1
        return answer

    def put(self, key: bytes, answer: CachedAnswer, now: float) -> None:
        """Keep an answer instead of the one there was, unless it is too large."""
        if key in self._answers:
            self._remove(key)
        if answer.size_bytes > self._entry_bytes_max:
            return
        self._answers[key] = answer
        self._size_bytes += answer.size_bytes
        heapq.heappush(self._expiries, (answer.expires_at, key))
        self._make_room(now)
        if len(self._expiries) > 2 * len(self._answers) + _STALE_EXPIRIES_MAX:
            self._expiries = [(kept.expires_at, key) for key, kept in self._answers.items()]
            heapq.heapify(self._expiries)

    def count_shared(self) -> None:
        """Note that a miss has had the answer of an equal request in progress."""
        self._shared += 1

    def count(self, found: SecondLevel) -> None:
        """Note what came of a look for an answer of other nodes."""
        self._second_level[found] += 1

    def resize(self, max_bytes: int, now: float) -> None:
        """Take up more or less memory from now on; what is too much goes at once."""
        self._set_limits(max_bytes)
        self._make_room(now)

    def purge(self) -> int:
        """Forget all answers, and say how many there were. The counts since the start stay."""
        count = len(self._answers)
        self._answers.clear()
        self._expiries.clear()
        self._size_bytes = 0
        return count

    @property
    def max_bytes(self) -> int:
        """How much memory the answers may take, about."""
        return self._max_bytes

    def statistics(self) -> AnswerCacheStatistics:
        """How it stands. Answers that have expired and were not looked for since still count."""
        return AnswerCacheStatistics(
            entries=len(self._answers),
            size_bytes=self._size_bytes,
            hits=self._hits,
            misses=self._misses,
            stale=self._stale,
            shared=self._shared,
            evictions=self._evictions,
            expired=self._expired,
            second_level=dict(self._second_level),
        )

    def _set_limits(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entry_bytes_max = min(ENTRY_BYTES_MAX, max_bytes // SHARE_MAX)

    def _make_room(self, now: float) -> None:
        if self._size_bytes > self._max_bytes:
            self._drop_expired(now)
        while self._size_bytes > self._max_bytes:
            self._remove(next(iter(self._answers)))
            self._evictions += 1

    def _drop_expired(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, key = heapq.heappop(self._expiries)
            answer = self._answers.get(key)
            if answer is not None and answer.expires_at == expires_at:
                self._remove(key)
                self._expired += 1

    def _remove(self, key: bytes) -> None:
        self._size_bytes -= self._answers.pop(key).size_bytes
