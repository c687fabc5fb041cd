"""What the load test makes of its plan, of what k6 says, and of what it has tried."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gateway.process import NotRunning
from bench.load.cpu import CORES, MACHINE, CpuClocks, cores_used
from bench.load.k6 import Figures, read_figures
from bench.load.limit import TRIALS_MAX, USERS_MAX, highest_held, next_users
from bench.load.plan import Plan
from bench.load.report import in_a_line, render
from bench.load.run import LoadTest

PLAN = Plan(users=100, ramp_s=20.0, hold_s=60.0)


def test_users_come_stay_and_leave() -> None:
    """As k6 is told; they leave faster than they come."""
    assert PLAN.total_s == 85.0
    times = (0.0, 10.0, 20.0, 50.0, 80.0, 82.5, 85.0, 99.0)
    assert [PLAN.users_at(at) for at in times] == [0, 50, 100, 100, 100, 50, 0, 0]
    assert [PLAN.is_full(at) for at in (19.0, 20.0, 80.0, 81.0)] == [False, True, True, False]
    assert json.loads(PLAN.stages) == [
        {"duration": "20000ms", "target": 100},
        {"duration": "60000ms", "target": 100},
        {"duration": "5000ms", "target": 0},
    ]


def _summary(*, p95_ms: float = 900.0, errors: float = 0.01, is_kept: bool = True) -> bytes:
    chats: dict[str, Any] = {
        "values": {"med": 800.0, "p(95)": p95_ms, "p(99)": 950.0, "max": 990.0, "count": 90},
        "thresholds": {"p(95)<2000": {"ok": is_kept}},
    }
    metrics = {
        "http_reqs": {"type": "counter", "values": {"count": 100, "rate": 12.5}},
        "http_req_duration{kind:chat}": chats,
        "errors": {"values": {"rate": errors}, "thresholds": {"rate<0.05": {"ok": True}}},
        "refused": {"values": {"count": 1, "rate": 0.1}},
    }
    return json.dumps({"metrics": metrics, "state": {}}).encode()


def _test(figures: Figures, cores: dict[str, float] | None = None) -> LoadTest:
    summary = {
        "requests": 50,
        "error_rate": 0.0,
        "turned_away_rate": 0.125,
        "latency_ms": {"p50": 800.0, "p95": 900.0, "p99": None},
        "memory_mib_per_minute": None,
        "series": {"memory_mib": {"max": 80.0}},
    }
    return LoadTest(plan=PLAN, figures=figures, cores=cores or {}, monitors={"node-1": summary})


def test_what_k6_says() -> None:
    """Its thresholds are in its script alone; what did not happen is missing in its summary."""
    figures = read_figures(_summary())
    assert (figures.requests, figures.chats, figures.requests_per_second) == (100, 90, 12.5)
    assert (figures.unanswered, figures.refused, figures.not_whole) == (0, 1, 0)
    assert (figures.p50_ms, figures.p95_ms, figures.max_ms) == (800.0, 900.0, 990.0)
    assert [(each.promise, each.value, each.is_kept) for each in figures.thresholds] == [
        ("p(95)<2000", 900.0, True),
        ("rate<0.05", 0.01, True),
    ]
    assert figures.is_good


def test_a_promise_that_is_not_kept_fails_the_test() -> None:
    """And the last line says so."""
    figures = read_figures(_summary(p95_ms=2400.0, is_kept=False))
    assert not figures.is_good
    lines = render(_test(figures)).splitlines()
    assert lines[-1] == "FAILED: it does not bear 100 users"
    assert any("CROSSED" in line and "2400" in line for line in lines)
    assert "too many" in in_a_line(_test(figures))


def test_a_test_without_chats_shows_nothing() -> None:
    """Thresholds are kept by who does nothing."""
    kept = {"values": {}, "thresholds": {"p(95)<2000": {"ok": True}}}
    figures = read_figures(json.dumps({"metrics": {"http_req_duration{kind:chat}": kept}}).encode())
    assert not figures.is_good
    assert render(_test(figures)).endswith("FAILED: there was not a single chat")


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"metrics": {"errors": 1}}'])
def test_a_summary_that_is_none(document: bytes) -> None:
    """Such as that of another version of k6."""
    with pytest.raises(NotRunning, match="no summary"):
        read_figures(document)


def test_it_shows_when_the_machine_is_the_limit() -> None:
    """Then the figures say nothing about the nodes."""
    figures = read_figures(_summary())
    busy = render(_test(figures, {MACHINE: CORES - 0.05, "k6": 0.6, "node-1": 0.7}))
    idle = render(_test(figures, {MACHINE: CORES / 2, "k6": 0.1, "node-1": 0.2}))
    assert "the machine itself is the limit" in busy
    assert "0.60 of them" in busy
    assert "the machine itself" not in idle
    assert idle.splitlines()[-1] == "PASSED: it bears 100 users"


def test_cores_used() -> None:
    """By those that are there at both ends."""
    begin = CpuClocks(10.0, {MACHINE: 100.0, "k6": 5.0})
    end = CpuClocks(14.0, {MACHINE: 106.0, "k6": 7.0, "node-1": 1.0})
    assert cores_used(begin, end) == {MACHINE: 1.5, "k6": 0.5}
    assert cores_used(end, end) == {}


def _search(holds: Callable[[int], bool], first: int) -> dict[int, bool]:
    tried: dict[int, bool] = {}
    while (users := next_users(tried, first)) is not None:
        assert users not in tried
        tried[users] = holds(users)
    return tried


@given(st.integers(1, 20_000), st.integers(1, 2_000))
def test_the_search_ends_and_comes_close(limit: int, first: int) -> None:
    """Whatever the limit is and wherever it begins, unless it has run out of trials."""
    tried = _search(lambda users: users <= limit, first)
    held = highest_held(tried)
    assert len(tried) <= TRIALS_MAX
    assert held is None or held <= limit
    if held is not None and len(tried) < TRIALS_MAX and held < USERS_MAX:
        assert limit <= 1.1 * held + 1


def test_a_search() -> None:
    """Doubled until one fails, then the middle."""
    tried = _search(lambda users: users <= 700, 200)
    assert list(tried) == [200, 400, 800, 600, 700, 750]
    assert highest_held(tried) == 700


def test_nothing_is_held() -> None:
    """Halved down to a single user; then there is no answer."""
    tried = _search(lambda _: False, 20)
    assert list(tried) == [20, 10, 5, 2, 1]
    assert highest_held(tried) is None


def test_a_number_above_one_that_failed_is_not_held() -> None:
    """A machine may have a bad minute; what is told must be safe."""
    assert highest_held({100: True, 200: False, 400: True}) == 100
