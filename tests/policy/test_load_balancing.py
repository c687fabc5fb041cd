"""The pool strategies as tables, and those of chance by the shares they come to."""

import random
from collections import Counter

import attrs
import pytest

from cortexd.domain.ids import WorkerName
from cortexd.policy.load_balancing import EXPLORED_SHARE, Load, PoolStrategy, order

DRAWS = 4000
DRAWS_OFF = 0.03
"""A share seen in so many draws is off by less, but for less than one seed in a thousand."""


def _load(name: str, *, priority: int = 10, in_flight: int = 0, full: bool = False) -> Load:
    return Load(
        name=WorkerName(name),
        priority=priority,
        in_flight=in_flight,
        full=full,
        weight=1.0,
        ttft_s=1.0,
        share=1.0,
        strained=False,
    )


class _Never(random.Random):
    """A chance that nobody may take."""

    def random(self) -> float:
        raise AssertionError("this is no matter of chance")


class _Unlikely(random.Random):
    """A chance under which what is rare does not happen."""

    def random(self) -> float:
        return 0.999


def _seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  a seed, no secret


def _in_order(strategy: PoolStrategy, *loads: Load, turn: int = 0) -> str:
    chance = {PoolStrategy.LATENCY: _Unlikely(), PoolStrategy.WEIGHTED: _seeded(1)}
    return " ".join(order(strategy, loads, turn=turn, chance=chance.get(strategy, _Never())))


def _leads(strategy: PoolStrategy, *loads: Load, seed: int = 1) -> dict[str, float]:
    """How often each of them comes first."""
    chance = _seeded(seed)
    firsts = Counter(order(strategy, loads, turn=turn, chance=chance)[0] for turn in range(DRAWS))
    return {name: count / DRAWS for name, count in firsts.items()}


def test_local_first_goes_by_priority_then_by_requests_in_flight() -> None:
    """The cheap local worker first; among equals the idler one."""
    loads = [
        _load("cloud", priority=100),
        _load("busy", priority=10, in_flight=3),
        _load("idle", priority=10, in_flight=1),
    ]

    assert _in_order(PoolStrategy.LOCAL_FIRST, *loads) == "idle busy cloud"


def test_least_loaded_goes_by_requests_in_flight_then_by_priority() -> None:
    """Priority only breaks a tie."""
    loads = [_load("a", priority=1, in_flight=2), _load("b", priority=9), _load("c", priority=5)]

    assert _in_order(PoolStrategy.LEAST_LOADED, *loads) == "c b a"


@pytest.mark.parametrize(
    ("heavy", "light", "first"), [(0, 0, "heavy"), (2, 1, "heavy"), (6, 1, "light")]
)
def test_least_loaded_goes_by_requests_for_the_weight(heavy: int, light: int, first: str) -> None:
    """With thrice the weight it is given up to thrice the requests."""
    loads = [
        _load("light", in_flight=light),
        attrs.evolve(_load("heavy", in_flight=heavy), weight=3.0),
    ]

    assert _in_order(PoolStrategy.LEAST_LOADED, *loads).split()[0] == first


def test_round_robin_is_a_rotation_and_not_a_shuffle() -> None:
    """Each worker leads equally often, and the order behind it is kept."""
    loads = [_load("a"), _load("b"), _load("c")]

    orders = [_in_order(PoolStrategy.ROUND_ROBIN, *loads, turn=turn) for turn in range(6)]

    assert orders[:4] == ["a b c", "b c a", "c a b", "a b c"]
    assert Counter(names[0] for names in orders) == {"a": 2, "b": 2, "c": 2}


def test_weighted_draws_by_weight_without_replacement() -> None:
    """First places go by weight, second ones by the weights of those that are left."""
    weights = {"one": 1.0, "two": 2.0, "five": 5.0}
    loads = [attrs.evolve(_load(name), weight=weight) for name, weight in weights.items()]
    chance = _seeded(7)
    orders = [order(PoolStrategy.WEIGHTED, loads, turn=0, chance=chance) for _ in range(DRAWS)]

    firsts = Counter(names[0] for names in orders)
    behind_five = Counter(names[1] for names in orders if names[0] == "five")

    assert all(sorted(names) == ["five", "one", "two"] for names in orders)
    for name, weight in weights.items():
        assert firsts[WorkerName(name)] / DRAWS == pytest.approx(weight / 8, abs=DRAWS_OFF)
    assert behind_five[WorkerName("two")] / behind_five.total() == pytest.approx(2 / 3, abs=0.05)


def test_latency_goes_by_the_time_to_a_first_token() -> None:
    """Neither priority nor load matters where the times differ."""
    loads = [
        attrs.evolve(_load("slow", priority=1), ttft_s=2.0),
        attrs.evolve(_load("fast", priority=9, in_flight=5), ttft_s=0.2),
        attrs.evolve(_load("so-so"), ttft_s=0.9),
    ]

    assert _in_order(PoolStrategy.LATENCY, *loads) == "fast so-so slow"


def test_latency_tries_an_unknown_worker_first_with_one_request_at_a_time() -> None:
    """It may be the fastest; it may also never answer."""
    known = attrs.evolve(_load("known"), ttft_s=0.1)
    idle = attrs.evolve(_load("unknown"), ttft_s=None)
    on_trial = attrs.evolve(idle, in_flight=1)

    assert _in_order(PoolStrategy.LATENCY, known, idle) == "unknown known"
    assert _in_order(PoolStrategy.LATENCY, on_trial, known) == "known unknown"


def test_latency_sends_one_request_in_twenty_anywhere() -> None:
    """A worker that was slow once may be fast by now."""
    times = {"a": 0.1, "b": 5.0, "c": 9.0}
    loads = [attrs.evolve(_load(name), ttft_s=ttft_s) for name, ttft_s in times.items()]

    leads = _leads(PoolStrategy.LATENCY, *loads)

    # The fastest has its part of those that go anywhere.
    for name in ("b", "c"):
        assert leads[name] == pytest.approx(EXPLORED_SHARE / 3, abs=0.008)


@pytest.mark.parametrize("strategy", PoolStrategy)
def test_a_worker_that_failed_often_comes_late_and_a_full_one_last(strategy: PoolStrategy) -> None:
    """Under every strategy, and whatever else speaks for them."""
    free = attrs.evolve(_load("free", priority=9, in_flight=5), ttft_s=9.0)
    strained = attrs.evolve(_load("strained", priority=2), strained=True, weight=99.0)
    full = attrs.evolve(_load("full", priority=1, full=True), ttft_s=0.1, weight=99.0)
    both = attrs.evolve(full, name=WorkerName("both"), strained=True)

    assert _in_order(strategy, both, full, strained, free) == "free strained full both"
    assert _in_order(strategy, strained, free) == "free strained"
    assert _in_order(strategy, full, free) == "free full"


@pytest.mark.parametrize("strategy", PoolStrategy)
def test_the_traffic_of_a_worker_grows_with_its_share(strategy: PoolStrategy) -> None:
    """It leads as often as its share says, of the times it would lead anyway."""
    old, back = _load("old", priority=2), _load("back", priority=1)

    full_lead = _leads(strategy, old, back).get("back", 0.0)
    lead = _leads(strategy, old, attrs.evolve(back, share=0.3), seed=2)["back"]

    assert lead == pytest.approx(0.3 * full_lead, abs=DRAWS_OFF)


def test_a_growing_share_comes_before_a_strained_worker() -> None:
    """Sparing it is no reason to ask one that fails."""
    back = attrs.evolve(_load("back", priority=9), share=0.01)
    strained = attrs.evolve(_load("strained", priority=1), strained=True)

    names = order(PoolStrategy.LOCAL_FIRST, [strained, back], turn=0, chance=_Unlikely())

    assert names == ["back", "strained"]


@pytest.mark.parametrize("strategy", PoolStrategy)
def test_one_worker_or_none_needs_no_order(strategy: PoolStrategy) -> None:
    """What goes in comes out."""
    assert _in_order(strategy, turn=7) == ""
    assert _in_order(strategy, attrs.evolve(_load("only"), share=0.1), turn=7) == "only"


@pytest.mark.parametrize("strategy", PoolStrategy)
def test_in_bad_times_the_quickest_goes_first(strategy: PoolStrategy) -> None:
    """Whatever the strategy, without chance; one that nobody has measured is no bet."""
    loads = [
        attrs.evolve(_load("slow"), ttft_s=2.0),
        attrs.evolve(_load("unknown"), ttft_s=None),
        attrs.evolve(_load("quick", in_flight=3), ttft_s=0.5),
    ]
    for turn in range(3):
        ordered = order(strategy, loads, turn=turn, chance=_Never(), fast_first=True)
        assert ordered == ["quick", "slow", "unknown"]


def test_quickness_is_no_reason_to_leave_the_priorities() -> None:
    """Where the operator has said who is better; the other strategies do not look at it."""
    loads = [
        attrs.evolve(_load("dear", priority=50), ttft_s=0.1),
        attrs.evolve(_load("near"), ttft_s=3.0),
        attrs.evolve(_load("nearer"), ttft_s=2.0),
    ]

    def ordered(strategy: PoolStrategy) -> list[WorkerName]:
        return order(strategy, loads, turn=0, chance=_Never(), fast_first=True)

    assert ordered(PoolStrategy.LOCAL_FIRST) == ["nearer", "near", "dear"]
    assert ordered(PoolStrategy.ROUND_ROBIN) == ["dear", "nearer", "near"]


def test_a_full_worker_goes_last_however_quick() -> None:
    """A wait for a slot is certain."""
    loads = [attrs.evolve(_load("quick", full=True), ttft_s=0.1), _load("free")]
    ordered = order(PoolStrategy.LATENCY, loads, turn=0, chance=_Never(), fast_first=True)
    assert ordered == ["free", "quick"]
