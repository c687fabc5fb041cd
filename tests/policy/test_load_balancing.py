"""The pool strategies as tables."""

from collections import Counter

from cortexd.domain.ids import WorkerName
from cortexd.policy.load_balancing import Load, PoolStrategy, order


def _load(name: str, *, priority: int = 10, in_flight: int = 0, full: bool = False) -> Load:
    return Load(name=WorkerName(name), priority=priority, in_flight=in_flight, full=full)


def test_local_first_goes_by_priority_then_by_requests_in_flight() -> None:
    """The cheap local worker first; among equals the idler one."""
    loads = [
        _load("cloud", priority=100),
        _load("busy", priority=10, in_flight=3),
        _load("idle", priority=10, in_flight=1),
    ]

    assert order(PoolStrategy.LOCAL_FIRST, loads, turn=0) == ["idle", "busy", "cloud"]


def test_least_loaded_goes_by_requests_in_flight_then_by_priority() -> None:
    """Priority only breaks a tie."""
    loads = [_load("a", priority=1, in_flight=2), _load("b", priority=9), _load("c", priority=5)]

    assert order(PoolStrategy.LEAST_LOADED, loads, turn=0) == ["c", "b", "a"]


def test_round_robin_is_a_rotation_and_not_a_shuffle() -> None:
    """Each worker leads equally often, and the order behind it is kept."""
    loads = [_load("a"), _load("b"), _load("c")]

    orders = [order(PoolStrategy.ROUND_ROBIN, loads, turn=turn) for turn in range(6)]

    assert orders[:4] == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert Counter(first for first, *_ in orders) == {"a": 2, "b": 2, "c": 2}


def test_a_full_worker_comes_last_under_every_strategy() -> None:
    """Waiting in a queue is the last resort."""
    loads = [_load("full", priority=1, full=True), _load("free", priority=9, in_flight=5)]

    for strategy in PoolStrategy:
        assert order(strategy, loads, turn=0) == ["free", "full"]


def test_no_workers_make_an_empty_order() -> None:
    """Nothing in, nothing out."""
    for strategy in PoolStrategy:
        assert order(strategy, [], turn=7) == []
