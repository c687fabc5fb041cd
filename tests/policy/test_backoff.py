"""How long to wait before a worker is asked again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.failure import FailureKind
from cortexd.policy.backoff import backoff_s

RATE_LIMITED, SERVER_ERROR = FailureKind.RATE_LIMITED, FailureKind.SERVER_ERROR
OVERLOADED, UNREACHABLE = FailureKind.OVERLOADED, FailureKind.UNREACHABLE


class Dice(random.Random):
    """Chance that always falls to the same side: 0 is the least that can be drawn, 1 the most."""

    def __init__(self, side: float) -> None:
        super().__init__(0)
        self._side = side

    def random(self) -> float:
        return self._side


def _range(
    kind: FailureKind, retry: int, previous_s: float | None = None
) -> tuple[float, float, float]:
    """The least, the middle and the greatest wait."""
    least, middle, most = (
        backoff_s(kind, retry=retry, previous_s=previous_s, chance=Dice(side))
        for side in (0.0, 0.5, 1.0)
    )
    return least, middle, most


@pytest.mark.parametrize(
    ("kind", "retry", "waits"),
    [
        (RATE_LIMITED, 1, (0.0, 1.0, 2.0)),
        (RATE_LIMITED, 2, (0.0, 2.0, 4.0)),
        (RATE_LIMITED, 5, (0.0, 16.0, 32.0)),
        (RATE_LIMITED, 6, (0.0, 30.0, 60.0)),
        (RATE_LIMITED, 10_000, (0.0, 30.0, 60.0)),
        (SERVER_ERROR, 1, (0.5, 0.75, 1.0)),
        (SERVER_ERROR, 2, (1.0, 1.5, 2.0)),
        (SERVER_ERROR, 5, (8.0, 12.0, 16.0)),
        (SERVER_ERROR, 6, (10.0, 15.0, 20.0)),
        (SERVER_ERROR, 10_000, (10.0, 15.0, 20.0)),
        (OVERLOADED, 3, (2.0, 3.0, 4.0)),
    ],
)
def test_waits_that_grow_with_the_number_of_the_retry(
    kind: FailureKind, retry: int, waits: tuple[float, float, float]
) -> None:
    """Full jitter from nothing, equal jitter from the half, each up to its cap."""
    assert _range(kind, retry) == waits
    assert _range(kind, retry, previous_s=7.0) == waits


@pytest.mark.parametrize(
    ("previous_s", "waits"),
    [
        (None, (0.5, 1.0, 1.5)),
        (0.5, (0.5, 1.0, 1.5)),
        (1.5, (0.5, 2.5, 4.5)),
        (4.5, (0.5, 5.25, 10.0)),
        (10.0, (0.5, 5.25, 10.0)),
        # What another strategy, or an upstream, has made of it.
        (0.0, (0.5, 1.0, 1.5)),
        (1e9, (0.5, 5.25, 10.0)),
    ],
)
def test_waits_that_grow_with_the_wait_before(
    previous_s: float | None, waits: tuple[float, float, float]
) -> None:
    """Decorrelated jitter: from the base to three times the last, whatever the number."""
    assert _range(UNREACHABLE, 1, previous_s) == waits
    assert _range(UNREACHABLE, 9, previous_s) == waits


def test_a_lost_network_is_given_one_and_a_half_times_as_long_in_the_mean() -> None:
    """The growth that is asked for; the base that is left out of it makes it a little more."""
    chance = random.Random(7)  # noqa: S311  a seed, no secret
    waits = [backoff_s(UNREACHABLE, retry=2, previous_s=2.0, chance=chance) for _ in range(10_000)]
    assert sum(waits) / len(waits) == pytest.approx((0.5 + 2.0 * 3.0) / 2, rel=0.02)


def test_no_two_wait_for_the_cap_together() -> None:
    """A wait that is cut to the cap would bring all that were cut back at one moment."""
    chance = random.Random(7)  # noqa: S311  a seed, no secret
    waits = [backoff_s(UNREACHABLE, retry=9, previous_s=10.0, chance=chance) for _ in range(1000)]
    assert len(set(waits)) == len(waits)


@given(
    seed=st.integers(),
    kinds=st.lists(st.sampled_from(FailureKind), min_size=1, max_size=30),
)
def test_every_wait_is_in_bounds_and_the_seed_decides(seed: int, kinds: list[FailureKind]) -> None:
    """In any order of failures, each wait fed into the next."""
    bounds = {
        RATE_LIMITED: (0.0, 60.0),
        UNREACHABLE: (0.5, 10.0),
        FailureKind.TIMED_OUT: (0.5, 10.0),
    }
    runs: list[list[float]] = []
    for _ in range(2):
        chance = random.Random(seed)  # noqa: S311  a seed, no secret
        waits: list[float] = []
        for retry, kind in enumerate(kinds, start=1):
            previous_s = waits[-1] if waits else None
            waits.append(backoff_s(kind, retry=retry, previous_s=previous_s, chance=chance))
        runs.append(waits)
    for kind, wait_s in zip(kinds, runs[0], strict=True):
        least, most = bounds.get(kind, (0.5, 20.0))
        assert least <= wait_s <= most
    assert runs[0] == runs[1]
