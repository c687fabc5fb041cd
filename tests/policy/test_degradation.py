"""The levels: what they do, how the node falls, and how it climbs."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.policy.degradation import LEVELS, DegradationLevel, depth, in_order, strategies_at
from cortexd.policy.degradation_settings import (
    DegradationSettings,
    Staffing,
    level_by_pressure,
    level_by_workers,
)
from cortexd.policy.degradation_state import (
    CLIMB_S,
    HISTORY_MAX,
    DegradationState,
    assessed,
    forced_to,
)
from cortexd.policy.pressure import Pressure

SETTINGS = DegradationSettings()
CALM = Pressure()

HEALTHY, MINOR, MAJOR, CRITICAL, EMERGENCY = LEVELS


def _staff(available: int, workers: int = 10, resting: int = 0) -> Staffing:
    return Staffing(available, resting, workers)


def _after(
    *looks: tuple[float, Staffing], state: DegradationState | None = None
) -> DegradationState:
    state = state or DegradationState()
    for now, staff in looks:
        state = assessed(state, staff, CALM, SETTINGS, now=now)
    return state


def test_each_level_keeps_what_the_levels_above_it_do() -> None:
    """Cumulative, in the order of the seeds."""
    names = {
        level.value: [each.value for each in in_order(strategies_at(level))] for level in LEVELS
    }
    minor = ["reduce_timeouts", "prefer_fast_workers"]
    assert names == {
        "healthy": [],
        "minor_issues": minor,
        "major_issues": [*minor, "limit_concurrent_requests"],
        "critical": [*minor, "limit_concurrent_requests", "cache_responses"],
        "emergency": [
            *minor,
            "limit_concurrent_requests",
            "cache_responses",
            "return_cached_only",
        ],
    }


@pytest.mark.parametrize(
    ("staff", "level"),
    [
        (_staff(5, 5), HEALTHY),
        (_staff(4, 5), HEALTHY),
        (_staff(3, 5), MINOR),
        (_staff(1, 2), MINOR),
        (_staff(1, 3), MAJOR),
        (_staff(1, 5), MAJOR),
        (_staff(1, 6), CRITICAL),
        (_staff(0, 6), EMERGENCY),
        (_staff(0, 0), EMERGENCY),
        (_staff(0, 6, resting=1), CRITICAL),
        (_staff(1, 2, resting=1), MINOR),
    ],
)
def test_the_share_of_available_workers_takes_the_node_down(
    staff: Staffing, level: DegradationLevel
) -> None:
    """Below 0.8, 0.5, 0.2, and none; workers at rest are missed, but are no emergency."""
    assert level_by_workers(staff, SETTINGS) is level


@pytest.mark.parametrize(
    ("share", "level"),
    [
        (0.0, HEALTHY),
        (0.79, HEALTHY),
        (0.8, MINOR),
        (0.9, MAJOR),
        (0.95, CRITICAL),
        (7.0, CRITICAL),
    ],
)
def test_pressure_takes_the_node_down(share: float, level: DegradationLevel) -> None:
    """Never to an emergency: a node under pressure still has its workers."""
    assert level_by_pressure(share, SETTINGS) is level


@pytest.mark.parametrize(
    ("level", "available", "stays"),
    [(EMERGENCY, 1, 0), (CRITICAL, 4, 3), (MAJOR, 7, 6), (MINOR, 9, 8)],
)
def test_a_level_is_left_upwards_at_its_own_share(
    level: DegradationLevel, available: int, stays: int
) -> None:
    """Any, 0.4, 0.7 and 0.9, which is more than what took the node down."""
    down = {EMERGENCY: 0, CRITICAL: 1, MAJOR: 4, MINOR: 7}[level]
    fallen = _after((0.0, _staff(down)))
    assert fallen.level is level
    for now in range(1, 100):
        fallen = _after((float(now), _staff(stays)), state=fallen)
    assert fallen.level is level
    risen = _after((100.0, _staff(available)), (100.0 + CLIMB_S, _staff(available)), state=fallen)
    assert depth(risen.level) == depth(level) - 1


def test_it_falls_at_once_and_climbs_a_level_each_five_seconds() -> None:
    """Whatever the share has become."""
    state = _after((0.0, _staff(10)), (1.0, _staff(0)))
    assert (state.level, state.since) == (EMERGENCY, 1.0)
    levels = []
    for now in range(2, 30):
        state = _after((float(now), _staff(10)), state=state)
        levels.append(state.level)
    changes = [now + 2 for now in range(1, len(levels)) if levels[now] is not levels[now - 1]]
    assert changes == [7, 12, 17, 22]
    assert [change.after for change in state.history] == [
        EMERGENCY,
        CRITICAL,
        MAJOR,
        MINOR,
        HEALTHY,
    ]


def test_five_seconds_of_health_are_in_a_row() -> None:
    """One bad look, and they begin anew."""
    state = _after((0.0, _staff(0)), (1.0, _staff(10)), (5.0, _staff(0)), (6.0, _staff(10)))
    assert _after((10.9, _staff(10)), state=state).level is EMERGENCY
    assert _after((11.0, _staff(10)), state=state).level is CRITICAL


def test_the_worse_of_workers_and_pressure_counts() -> None:
    """And the reason says which it is."""
    full = Pressure(memory=0.96, descriptors=0.1)
    state = assessed(DegradationState(), _staff(7), full, SETTINGS, now=0.0)
    assert state.level is CRITICAL
    assert state.reason == "the node uses 96% of the memory it may have"
    state = assessed(DegradationState(), _staff(0), full, SETTINGS, now=0.0)
    assert (state.level, state.reason) == (EMERGENCY, "0 of 10 workers are available")


def test_a_forced_level_stays_whatever_happens() -> None:
    """What it would be is followed all the same, and comes into force with `auto`."""
    state = forced_to(_after((0.0, _staff(10))), CRITICAL, now=1.0)
    state = _after((2.0, _staff(10)), (3.0, _staff(4)), state=state)
    assert (state.level, state.automatic_level, state.forced) == (CRITICAL, MAJOR, True)
    assert (state.since, state.reason) == (1.0, "an operator has forced this level")
    state = forced_to(state, None, now=4.0)
    assert (state.level, state.forced, state.since) == (MAJOR, False, 4.0)
    assert [(change.after, change.forced) for change in state.history] == [
        (CRITICAL, True),
        (MAJOR, False),
    ]


def test_without_degradation_only_an_operator_changes_the_level() -> None:
    """Switched off: nothing follows by itself."""
    settings = attrs.evolve(SETTINGS, enabled=False)
    state = assessed(DegradationState(), _staff(0), Pressure(memory=1.0), settings, now=0.0)
    assert state.level is HEALTHY
    state = assessed(forced_to(state, MAJOR, now=1.0), _staff(0), CALM, settings, now=2.0)
    assert (state.level, state.automatic_level) == (MAJOR, HEALTHY)


@pytest.mark.parametrize(
    ("staff", "pressure", "forced", "sheds"),
    [
        (_staff(1), CALM, None, True),
        (_staff(0), CALM, None, True),
        (_staff(0, resting=3), CALM, None, False),
        (_staff(0, resting=3), Pressure(memory=0.99), None, True),
        (_staff(0, resting=3), CALM, CRITICAL, True),
    ],
)
def test_nobody_is_turned_away_to_spare_workers_that_are_all_at_rest(
    staff: Staffing, pressure: Pressure, forced: DegradationLevel | None, *, sheds: bool
) -> None:
    """Routing lets as few through as it takes; pressure and operators are another matter."""
    state = DegradationState()
    if forced is not None:
        state = forced_to(state, forced, now=0.0)
    assert assessed(state, staff, pressure, SETTINGS, now=1.0).sheds is sheds


def test_the_history_is_bounded() -> None:
    """The oldest changes go."""
    state = DegradationState()
    for turn in range(HISTORY_MAX + 5):
        state = forced_to(state, (MINOR, MAJOR)[turn % 2], now=float(turn))
    assert len(state.history) == HISTORY_MAX
    assert state.history[-1].at == HISTORY_MAX + 4


_looks = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),
        st.integers(0, 10),
        st.integers(0, 10),
        st.floats(0.0, 1.2),
    ),
    max_size=60,
)


@given(_looks)
def test_whatever_happens_it_climbs_no_faster_and_is_never_better_than_the_facts(
    looks: list[tuple[float, int, int, float]],
) -> None:
    """Never two levels within five seconds, and never above what the moment says."""
    state, now, climbed_at = DegradationState(), 0.0, -CLIMB_S
    for wait_s, available, resting, memory in looks:
        now += wait_s
        staff = Staffing(available, min(resting, 10 - available), 10)
        pressure = Pressure(memory=memory)
        after = assessed(state, staff, pressure, SETTINGS, now=now)
        facts = (level_by_workers(staff, SETTINGS), level_by_pressure(memory, SETTINGS))
        assert depth(after.level) >= max(map(depth, facts))
        if depth(after.level) < depth(state.level):
            assert depth(after.level) == depth(state.level) - 1
            assert now - climbed_at >= CLIMB_S
            climbed_at = now
        state = after


@given(_looks)
def test_with_all_workers_well_and_no_pressure_it_is_healthy_in_half_a_minute(
    looks: list[tuple[float, int, int, float]],
) -> None:
    """From wherever it has fallen to: nothing keeps it down for good."""
    state, now = DegradationState(), 0.0
    for wait_s, available, _, memory in looks:
        now += wait_s
        state = assessed(state, _staff(available), Pressure(memory=memory), SETTINGS, now=now)
    for _ in range(30):
        now += 1.0
        state = assessed(state, _staff(10), CALM, SETTINGS, now=now)
    assert state.level is HEALTHY
