"""Decisions of the pool, without a single socket."""

import random

import attrs
import pytest

from cortexd.domain.connections import ConnectionStatistics
from cortexd.providers.transport.pool import (
    IDLE_S_MAX,
    LIFETIME_S_MAX,
    Pool,
    PoolFull,
)


@attrs.define(eq=False)
class Line:
    """A connection that is nothing but its answers to the pool."""

    opened_at: float = 0.0
    ended: bool = False
    has_moved: bool = False

    def has_input(self) -> bool:
        return self.ended

    def is_current(self) -> bool:
        return not self.has_moved


def opened(pool: Pool[Line], count: int, now: float = 0.0) -> list[Line]:
    """Connections that were opened, and are in use."""
    lines = [Line(now) for _ in range(count)]
    for line in lines:
        pool.begin_connecting()
        pool.end_connecting(line)
    return lines


@pytest.fixture
def pool() -> Pool[Line]:
    """Four in use at most, three kept."""
    return Pool(in_use_max=4, idle_max=3)


def test_a_new_pool_has_nothing(pool: Pool[Line]) -> None:
    """The first request must open its connection."""
    assert pool.take(now=0.0) == (None, [])


def test_the_last_one_in_is_the_first_one_out(pool: Pool[Line]) -> None:
    """The warmest connection is used again, so that the others can grow old."""
    first, second = opened(pool, 2)
    pool.release(first, now=1.0)
    pool.release(second, now=2.0)

    assert pool.take(now=2.0) == (second, [])
    assert pool.take(now=2.0) == (first, [])
    assert pool.take(now=2.0) == (None, [])


def test_what_was_idle_for_too_long_is_closed(pool: Pool[Line]) -> None:
    """The limit counts from the last use; those that are within it stay."""
    early, late = opened(pool, 2)
    pool.release(early, now=0.0)
    pool.release(late, now=1.0)

    assert pool.take(now=IDLE_S_MAX + 0.5) == (late, [early])
    pool.release(late, now=IDLE_S_MAX + 0.5)
    assert pool.take(now=2 * IDLE_S_MAX + 0.6) == (None, [late])


def test_giving_one_back_sweeps_out_the_others(pool: Pool[Line]) -> None:
    """A pool whose connections are only given back does not keep the forgotten ones."""
    early, late = opened(pool, 2)
    pool.release(early, now=0.0)

    assert pool.release(late, now=IDLE_S_MAX + 0.1) == [early]


def test_an_old_connection_is_not_used_again(pool: Pool[Line]) -> None:
    """However busy it is, a connection ends with its lifetime: when given back, or when taken."""
    (line,) = opened(pool, 1)
    assert pool.release(line, now=LIFETIME_S_MAX + 0.1) == [line]

    (line,) = opened(pool, 1)
    assert pool.release(line, now=LIFETIME_S_MAX - 0.1) == []
    assert pool.take(now=LIFETIME_S_MAX + 0.1) == (None, [line])


def test_a_connection_with_something_to_read_is_passed_over(pool: Pool[Line]) -> None:
    """An end of input, or what nobody asked for: in both cases the next one is tried."""
    good, ended = opened(pool, 2)
    pool.release(good, now=0.0)
    pool.release(ended, now=0.0)
    ended.ended = True

    assert pool.take(now=0.0) == (good, [ended])
    assert pool.statistics().reused == 1


def test_a_connection_to_an_address_that_its_host_has_lost(pool: Pool[Line]) -> None:
    """It is closed when it is given back, or when it would be taken; the next one is tried."""
    good, idle, busy = opened(pool, 3)
    pool.release(good, now=0.0)
    pool.release(idle, now=0.0)
    idle.has_moved = busy.has_moved = True

    assert pool.release(busy, now=0.0) == [busy]
    assert pool.take(now=0.0) == (good, [idle])


def test_only_so_many_are_kept(pool: Pool[Line]) -> None:
    """The one that was idle longest makes room."""
    lines = opened(pool, 4)
    closed = [pool.release(line, now=0.0) for line in lines]

    assert closed == [[], [], [], [lines[0]]]
    assert pool.statistics().idle == 3


def test_a_pool_that_keeps_nothing() -> None:
    """With no room for idle connections, each serves one request."""
    pool: Pool[Line] = Pool(in_use_max=1, idle_max=0)
    (line,) = opened(pool, 1)

    assert pool.release(line, now=0.0) == [line]
    assert pool.take(now=0.0) == (None, [])


def test_the_bound_counts_those_in_use_and_those_being_made(pool: Pool[Line]) -> None:
    """A fifth is refused, be it new or idle, until one of the four is over."""
    lines = opened(pool, 3)
    pool.begin_connecting()

    with pytest.raises(PoolFull):
        pool.begin_connecting()
    with pytest.raises(PoolFull):
        pool.take(now=0.0)

    pool.end_connecting(None)
    pool.begin_connecting()
    pool.end_connecting(None)
    pool.drop(lines[0])
    assert len(opened(pool, 2)) == 2


def test_dropping_twice_counts_once(pool: Pool[Line]) -> None:
    """The bound cannot be undone by somebody who says twice that he is done."""
    first, *_ = opened(pool, 4)
    pool.drop(first)
    pool.drop(first)

    opened(pool, 1)
    with pytest.raises(PoolFull):
        pool.begin_connecting()


def test_closing(pool: Pool[Line]) -> None:
    """The idle ones are closed now, the busy ones when they are given back."""
    idle, busy = opened(pool, 2)
    pool.release(idle, now=0.0)

    assert pool.close() == [idle]
    assert pool.release(busy, now=0.0) == [busy]
    assert pool.take(now=0.0) == (None, [])


def test_statistics(pool: Pool[Line]) -> None:
    """Every number has its source."""
    lines = opened(pool, 2)
    pool.release(lines[0], now=0.0)
    pool.take(now=0.0)
    pool.release(lines[0], now=0.0)
    pool.count_stale_retry()
    pool.begin_connecting()

    assert pool.statistics() == ConnectionStatistics(
        open=2, idle=1, in_use=1, connecting=1, opened=2, reused=1, stale_retries=1
    )


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_books_balance(seed: int) -> None:
    """Over a random life, each connection is idle, in use, or handed out to be closed, once."""
    chance = random.Random(seed)  # noqa: S311  not a secret
    pool: Pool[Line] = Pool(in_use_max=5, idle_max=3)
    in_use: list[Line] = []
    closed: list[Line] = []
    made = 0
    now = 0.0
    for _ in range(500):
        now += chance.expovariate(1.0)
        match chance.choice(("take", "connect", "release", "drop")):
            case "take" if len(in_use) < 5:
                line, unfit = pool.take(now=now)
                closed += unfit
                in_use += [line] if line else []
            case "connect" if len(in_use) < 5:
                in_use += opened(pool, 1, now)
                made += 1
            case "release" if in_use:
                closed += pool.release(in_use.pop(chance.randrange(len(in_use))), now=now)
            case "drop" if in_use:
                closed.append(in_use.pop())
                pool.drop(closed[-1])
        statistics = pool.statistics()
        assert len(closed) == len(set(closed))
        assert statistics.in_use == len(in_use)
        assert statistics.open + len(closed) == made
        assert statistics.idle <= 3
