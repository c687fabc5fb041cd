"""The rules of retry and failover: who is asked next, with which key, and after which wait."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.errors import CONTEXT_TOO_LONG, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import KeyIndex, WorkerName
from cortexd.policy.circuit_breaker import BreakerSettings
from cortexd.policy.failover import PAUSE_S_MAX, Ask, GiveUp, Itinerary, Pause, Prospect, Step
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.traffic import Traffic, new_traffic

NOW = 100.0
CHANCE = random.Random(1)  # noqa: S311  waits are no secret
AGAIN = [kind for kind in FailureKind if kind.value.same_again]


def traffic(*, keys: int = 1, floor: float = 1.0) -> Traffic:
    """The accounts of a worker of which nothing is known yet."""
    return new_traffic(
        keys=keys,
        breaker=BreakerSettings(),
        retry=RetrySettings(budget_ratio=0.0, budget_floor_per_second=floor),
        chance=CHANCE,
    )


def itinerary(*traffics: Traffic, attempts: int = 3) -> Itinerary:
    """A way through workers of which nothing special is known."""
    return way(*(Prospect(each) for each in traffics), attempts=attempts)


def way(*prospects: Prospect, attempts: int = 3) -> Itinerary:
    """A way through these."""
    return Itinerary(prospects, RetrySettings(max_attempts=attempts), chance=CHANCE)


def failure(kind: FailureKind, *, code: str | None = None) -> WorkerFailed:
    """A failure of some worker."""
    return WorkerFailed(WorkerName("w"), kind, "as told", code=code)


def asked(step: Step) -> int:
    """The place of who is to be asked."""
    assert isinstance(step, Ask), step
    return step.place


def fail(trip: Itinerary, step: Step, kind: FailureKind, now: float = NOW) -> None:
    """Let a step fail."""
    assert isinstance(step, Ask), step
    trip.failed(step, failure(kind), now)


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind.value.next_worker])
def test_the_next_worker_comes_before_any_wait(kind: FailureKind) -> None:
    """Whatever has gone wrong, somebody who can serve at once is asked at once."""
    trip = itinerary(traffic(), traffic())
    first = trip.next(NOW, deadline=math.inf)
    fail(trip, first, kind)
    assert (asked(first), asked(trip.next(NOW, deadline=math.inf))) == (0, 1)


@pytest.mark.parametrize("kind", AGAIN)
def test_the_same_worker_is_asked_again_after_a_wait(kind: FailureKind) -> None:
    """Where nobody else is left, the only one is given time."""
    trip = itinerary(traffic())
    fail(trip, trip.next(NOW, deadline=math.inf), kind)
    pause = trip.next(NOW, deadline=math.inf)
    assert isinstance(pause, Pause)
    assert NOW <= pause.until <= NOW + PAUSE_S_MAX
    assert asked(trip.next(pause.until, deadline=math.inf)) == 0


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind not in AGAIN])
def test_some_failures_are_final_for_their_worker(kind: FailureKind) -> None:
    """Who timed out, refused, or has no key left is not asked again."""
    trip = itinerary(traffic())
    fail(trip, trip.next(NOW, deadline=math.inf), kind)
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


def test_a_refusal_ends_the_way() -> None:
    """The next worker would only refuse the same request again."""
    trip = itinerary(traffic(), traffic())
    fail(trip, trip.next(NOW, deadline=math.inf), FailureKind.REFUSED)
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        ((4_000, 8_000), 1),
        ((4_000, None), 1),
        ((None, None), 1),
        ((4_000, 4_000), None),
        ((4_000, 2_000), None),
    ],
)
def test_a_prompt_too_long_for_one_goes_to_who_takes_more(
    contexts: Sequence[int | None], expected: int | None
) -> None:
    """Unless the other is known to take no more."""
    trip = way(*(Prospect(traffic(), context_tokens=tokens) for tokens in contexts))
    first = trip.next(NOW, deadline=math.inf)
    assert isinstance(first, Ask)
    trip.failed(first, failure(FailureKind.REFUSED, code=CONTEXT_TOO_LONG), NOW)
    step = trip.next(NOW, deadline=math.inf)
    assert (step.place if isinstance(step, Ask) else None) == expected


def test_attempts_are_counted_over_all_workers() -> None:
    """Three, however many workers there are."""
    trip = itinerary(*(traffic() for _ in range(9)))
    for _ in range(3):
        fail(trip, trip.next(NOW, deadline=math.inf), FailureKind.UNREACHABLE)
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


def test_a_bad_key_costs_no_attempt() -> None:
    """All keys of a worker are tried at once, one after the other, before the next worker is."""
    keys = traffic(keys=5)
    trip = itinerary(keys, traffic(), attempts=1)
    tried: list[KeyIndex] = []
    for _ in range(5):
        step = trip.next(NOW, deadline=math.inf)
        assert isinstance(step, Ask)
        assert step.place == 0
        tried.append(step.key)
        keys.keys.rejected(step.key, NOW)
        fail(trip, step, FailureKind.BAD_KEY)
    assert sorted(tried) == list(range(5))
    assert asked(trip.next(NOW, deadline=math.inf)) == 1


def test_a_key_is_not_tried_twice_though_another_request_found_it_good() -> None:
    """The number of keys bounds the number of tries."""
    keys = traffic(keys=1)
    trip = itinerary(keys)
    step = trip.next(NOW, deadline=math.inf)
    fail(trip, step, FailureKind.BAD_KEY)
    assert keys.keys.is_ready(NOW)
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


def test_a_limited_key_makes_place_for_the_next_one() -> None:
    """Nobody waits for a gate while another key is good."""
    keys = traffic(keys=2)
    trip = itinerary(keys)
    first = trip.next(NOW, deadline=math.inf)
    assert isinstance(first, Ask)
    keys.keys.limited(first.key, NOW, 30.0)
    fail(trip, first, FailureKind.RATE_LIMITED)
    second = trip.next(NOW, deadline=math.inf)
    assert isinstance(second, Ask)
    assert second.key != first.key


def test_the_last_attempt_is_left_for_another_worker() -> None:
    """However many keys of the first are limited: somebody who can serve is asked."""
    keys = traffic(keys=5)
    trip = itinerary(keys, traffic())
    places: list[int] = []
    for _ in range(3):
        step = trip.next(NOW, deadline=math.inf)
        assert isinstance(step, Ask)
        places.append(step.place)
        if step.place == 0:
            keys.keys.limited(step.key, NOW, 30.0)
        fail(trip, step, FailureKind.RATE_LIMITED)
    assert places == [0, 0, 1]


def test_nobody_is_called_before_its_gate_opens() -> None:
    """The wait is at least as long as the provider has asked for."""
    limited = traffic()
    trip = itinerary(limited)
    first = trip.next(NOW, deadline=math.inf)
    limited.keys.limited(KeyIndex(0), NOW, 15.0)
    fail(trip, first, FailureKind.RATE_LIMITED)
    pause = trip.next(NOW, deadline=math.inf)
    assert isinstance(pause, Pause)
    assert pause.until >= NOW + 15.0
    assert asked(trip.next(pause.until, deadline=math.inf)) == 0


def test_a_gate_that_opens_too_late_is_not_waited_for() -> None:
    """Neither a long one, nor one behind the deadline."""
    for wait_s, deadline in ((PAUSE_S_MAX + 1, math.inf), (15.0, NOW + 14.0)):
        limited = traffic()
        trip = itinerary(limited)
        first = trip.next(NOW, deadline=deadline)
        limited.keys.limited(KeyIndex(0), NOW, wait_s)
        fail(trip, first, FailureKind.RATE_LIMITED)
        assert trip.next(NOW, deadline=deadline) == GiveUp()


def test_without_budget_there_is_no_retry() -> None:
    """The worker gets no more of them than its requests allow."""
    trip = itinerary(traffic(floor=0.0))
    fail(trip, trip.next(NOW, deadline=math.inf), FailureKind.UNREACHABLE)
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


def test_an_open_breaker_is_passed_over() -> None:
    """Also where it has opened since the worker was chosen."""
    broken = traffic()
    for _ in range(5):
        broken.breaker.failed(broken.breaker.begin(NOW), NOW, "as told")
    assert asked(itinerary(broken, traffic()).next(NOW, deadline=math.inf)) == 1
    assert itinerary(broken).next(NOW, deadline=math.inf) == GiveUp()


def test_a_forced_worker_is_asked_once_in_spite_of_its_breaker() -> None:
    """And not again: it has had its chance."""
    broken = traffic()
    for _ in range(5):
        broken.breaker.failed(broken.breaker.begin(NOW), NOW, "as told")
    trip = way(Prospect(broken, forced=True))
    step = trip.next(NOW, deadline=math.inf)
    fail(trip, step, FailureKind.UNREACHABLE)
    assert asked(step) == 0
    assert trip.next(NOW, deadline=math.inf) == GiveUp()


def test_a_busy_worker_costs_no_attempt() -> None:
    """It has seen nothing of the request."""
    trip = itinerary(traffic(), traffic(), attempts=1)
    fail(trip, trip.next(NOW, deadline=math.inf), FailureKind.BUSY)
    assert asked(trip.next(NOW, deadline=math.inf)) == 1


def test_who_cannot_serve_any_more_is_left_out() -> None:
    """Such as those who cannot carry on what another has begun."""
    trip = itinerary(traffic(), traffic(), traffic())
    fail(trip, trip.next(NOW, deadline=math.inf), FailureKind.UNREACHABLE)
    step = trip.next(NOW, deadline=math.inf, can_serve=lambda place: place == 2)
    assert asked(step) == 2


@given(
    kinds=st.lists(st.sampled_from(FailureKind), max_size=40),
    keys=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    attempts=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_every_way_ends(
    kinds: list[FailureKind], keys: list[int], attempts: int, seed: int
) -> None:
    """Whatever fails how: attempts are bounded, so are waits, and nobody is asked too early."""
    traffics = [traffic(keys=count) for count in keys]
    trip = Itinerary(
        [Prospect(each) for each in traffics],
        RetrySettings(max_attempts=attempts),
        chance=random.Random(seed),  # noqa: S311  as above
    )
    now, counted, free, last_kind = NOW, 0, 0, iter(kinds)
    for _ in range(200):
        step = trip.next(now, deadline=NOW + 300.0)
        match step:
            case GiveUp():
                break
            case Pause(until):
                assert now <= until <= now + PAUSE_S_MAX
                now = max(until, now)
            case Ask(place, key):
                kind = next(last_kind, FailureKind.UNREACHABLE)
                keyring = traffics[place].keys
                if kind is FailureKind.BAD_KEY:
                    keyring.rejected(key, now)
                if kind is FailureKind.RATE_LIMITED:
                    keyring.limited(key, now, 1.0)
                free += kind is FailureKind.BUSY or kind.value.blames_key
                counted += not (kind is FailureKind.BUSY or kind.value.blames_key)
                trip.failed(step, failure(kind), now)
    else:
        raise AssertionError("it goes on for ever")
    assert counted <= attempts
    assert free <= sum(keys) + len(keys)
