"""The cache of answers, against a naive one."""

from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, TextDelta
from cortexd.domain.cached_answer import REPLAY_EVENTS_MAX, CachedAnswer
from cortexd.domain.ids import WorkerName
from cortexd.policy.answer_cache import (
    ENTRY_BYTES_MAX,
    AnswerCache,
    cached_answer,
)

MAX_BYTES = 1600
"""So that an entry may have 100 at most."""


def _answer(size_bytes: int = 100, *, expires_at: float = 100.0, text: str = "x") -> CachedAnswer:
    return CachedAnswer(
        events=(TextDelta(text), Finished(FinishReason.STOP)),
        worker=WorkerName("w"),
        model="m",
        size_bytes=size_bytes,
        expires_at=expires_at,
        fingerprint=b"f",
    )


def _full(count: int = 16, **other: Any) -> AnswerCache:
    cache = AnswerCache(MAX_BYTES)
    for number in range(count):
        cache.put(bytes([number]), _answer(**other), 0.0)
    return cache


def test_an_answer_is_there_until_it_expires() -> None:
    """At its expiry it is gone, and forgotten."""
    cache, answer = AnswerCache(MAX_BYTES), _answer(expires_at=10.0)
    cache.put(b"k", answer, 0.0)
    assert cache.get(b"k", 9.9) is answer
    assert cache.get(b"other", 9.9) is None
    assert cache.get(b"k", 10.0) is None

    told = cache.statistics()
    assert (told.hits, told.misses, told.expired, told.entries, told.size_bytes) == (1, 2, 1, 0, 0)


def test_an_expired_answer_is_there_for_times_of_need_for_a_while() -> None:
    """Only for who asks for old ones, too; and not for ever."""
    cache, answer = AnswerCache(MAX_BYTES, stale_s=5.0), _answer(expires_at=10.0)
    cache.put(b"k", answer, 0.0)
    assert cache.get(b"k", 9.9, stale_too=True) is answer
    assert cache.get(b"k", 10.0) is None
    assert cache.get(b"k", 14.9, stale_too=True) is answer
    assert (cache.statistics().hits, cache.statistics().stale) == (2, 1)
    assert cache.get(b"k", 15.0, stale_too=True) is None

    told = cache.statistics()
    assert (told.misses, told.expired, told.entries, len(cache)) == (2, 1, 0, 0)


def test_an_old_answer_makes_room_like_any_that_has_expired() -> None:
    """What is kept for times of need costs no good answer its place."""
    cache = AnswerCache(MAX_BYTES, stale_s=1000.0)
    cache.put(b"old", _answer(expires_at=5.0), 0.0)
    for number in range(16):
        cache.put(bytes([number]), _answer(), 6.0)
    assert cache.get(b"old", 6.0, stale_too=True) is None
    assert all(cache.get(bytes([number]), 6.0) is not None for number in range(16))


def test_the_one_that_was_not_used_for_longest_makes_room() -> None:
    """Being asked for counts as use."""
    cache = _full()
    assert cache.get(b"\x00", 0.0) is not None
    cache.put(b"new", _answer(), 0.0)
    assert cache.get(b"\x00", 0.0) is not None
    assert cache.get(b"\x01", 0.0) is None
    assert cache.statistics().evictions == 1


def test_the_expired_make_room_first() -> None:
    """However lately they were used."""
    cache = _full(15)
    cache.put(b"old", _answer(expires_at=5.0), 0.0)
    assert cache.get(b"old", 4.0) is not None
    cache.put(b"new", _answer(), 6.0)
    assert all(cache.get(bytes([number]), 6.0) is not None for number in range(15))
    told = cache.statistics()
    assert (told.expired, told.evictions, told.entries) == (1, 0, 16)


@pytest.mark.parametrize(
    ("max_bytes", "largest"), [(MAX_BYTES, 100), (100 * ENTRY_BYTES_MAX, ENTRY_BYTES_MAX)]
)
def test_one_answer_does_not_fill_the_cache(max_bytes: int, largest: int) -> None:
    """No more than a sixteenth, nor than a MiB; and the one it would replace is outdated."""
    cache = AnswerCache(max_bytes)
    cache.put(b"k", _answer(largest), 0.0)
    assert cache.get(b"k", 0.0) is not None
    cache.put(b"k", _answer(largest + 1), 0.0)
    assert cache.get(b"k", 0.0) is None
    assert cache.statistics().size_bytes == 0


def test_a_replaced_answer_lives_as_long_as_the_new_one() -> None:
    """The expiry of the one before does not take the new one along, and counts for nothing."""
    cache = AnswerCache(MAX_BYTES)
    cache.put(b"k", _answer(expires_at=1.0), 0.0)
    cache.put(b"k", _answer(expires_at=50.0), 0.0)
    for number in range(15):
        cache.put(bytes([number]), _answer(), 0.0)
    cache.get(b"k", 0.0)
    cache.put(b"new", _answer(), 2.0)
    assert cache.get(b"k", 2.0) is not None
    assert (cache.statistics().expired, cache.statistics().evictions) == (0, 1)


def test_what_is_known_of_expiries_is_bounded() -> None:
    """However often one and the same answer is replaced before it expires."""
    cache = AnswerCache(MAX_BYTES)
    for number in range(1000):
        cache.put(b"k", _answer(expires_at=1000.0 + number), 0.0)
    assert len(cache._expiries) < 100


def test_those_who_share_are_counted() -> None:
    """For operators."""
    cache = AnswerCache(MAX_BYTES)
    cache.count_shared()
    assert cache.statistics().shared == 1


def test_a_kept_answer_is_in_few_pieces_and_comes_in_batches() -> None:
    """Joined, measured, and the end in the last batch alone."""
    events: list[AnswerEvent] = [*(TextDelta("x") for _ in range(100)), Finished(FinishReason.STOP)]
    about: dict[str, Any] = {
        "worker": WorkerName("w"),
        "model": "m",
        "expires_at": 1.0,
        "fingerprint": b"f",
    }
    answer = cached_answer(events, **about)
    assert answer.events == (TextDelta("x" * 100), Finished(FinishReason.STOP))
    assert answer.size_bytes > 300
    assert list(answer.batches()) == [answer.events]

    many = attrs.evolve(answer, events=tuple(map(TextDelta, "abc" * REPLAY_EVENTS_MAX)))
    assert [len(batch) for batch in many.batches()] == [REPLAY_EVENTS_MAX] * 3
    assert tuple(event for batch in many.batches() for event in batch) == many.events


@attrs.define
class _Naive:
    """The same as lists: `kept` in the order of use."""

    kept: list[tuple[bytes, CachedAnswer]] = attrs.Factory(list)

    def get(self, key: bytes, now: float) -> CachedAnswer | None:
        """Look it up, and note the use."""
        found = [answer for other, answer in self.kept if other == key]
        self.drop(key)
        if not found or found[0].expires_at <= now:
            return None
        self.kept.append((key, found[0]))
        return found[0]

    def put(self, key: bytes, answer: CachedAnswer, now: float) -> None:
        """Make room and keep it."""
        self.drop(key)
        if answer.size_bytes > MAX_BYTES // 16:
            return
        self.kept.append((key, answer))
        if self.size > MAX_BYTES:
            self.kept = [(other, old) for other, old in self.kept if old.expires_at > now]
        while self.size > MAX_BYTES:
            del self.kept[0]

    def drop(self, key: bytes) -> None:
        """Forget one."""
        self.kept = [(other, answer) for other, answer in self.kept if other != key]

    @property
    def size(self) -> int:
        """All of it."""
        return sum(answer.size_bytes for _, answer in self.kept)


class AgainstNaive(RuleBasedStateMachine):
    """Both are told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.cache, self.naive, self.now = AnswerCache(MAX_BYTES), _Naive(), 0.0

    @rule(step=st.floats(0.0, 5.0))
    def wait(self, step: float) -> None:
        """Let time pass."""
        self.now += step

    @rule(key=st.integers(0, 29), size=st.integers(60, 102), ttl=st.integers(0, 20))
    def put(self, key: int, size: int, ttl: int) -> None:
        """Keep an answer."""
        answer = _answer(size, expires_at=self.now + ttl)
        self.cache.put(bytes([key]), answer, self.now)
        self.naive.put(bytes([key]), answer, self.now)

    @rule(first=st.integers(0, 29))
    def fill(self, first: int) -> None:
        """Keep many."""
        for key in range(20):
            self.put((first + key) % 30, 90, 3 + key % 7)

    @rule(key=st.integers(0, 29))
    def get(self, key: int) -> None:
        """Ask for one."""
        found = self.cache.get(bytes([key]), self.now)
        assert found is self.naive.get(bytes([key]), self.now)

    @invariant()
    def they_agree(self) -> None:
        """About what there is, and that it is not too much."""
        told = self.cache.statistics()
        assert (told.entries, told.size_bytes) == (len(self.naive.kept), self.naive.size)
        assert list(self.cache._answers.items()) == self.naive.kept
        assert told.size_bytes <= MAX_BYTES


test_it_does_as_a_naive_one = pytest.mark.slow(AgainstNaive.TestCase)
