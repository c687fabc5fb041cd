"""Who of a fleet is there: records, silence, commands, duplicates, the demonstration."""

from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.fleet import (
    AgentName,
    AgentReport,
    FleetWorker,
    LineStanding,
    MessageId,
    Registration,
    Verb,
    WorkerReport,
)
from cortexd.domain.worker import WorkerType
from cortexd.policy.fleet import (
    DEAD_S,
    LEFT_S,
    RESUME_S,
    AgentRecord,
    AgentState,
    Change,
    enrol,
    full_name,
    hear,
    is_gone,
    is_lost,
)
from cortexd.policy.fleet_commands import RECENT_MAX, CommandStatistics
from cortexd.policy.fleet_dedup import DedupWindow
from cortexd.policy.fleet_demonstration import switches

W: Final = FleetWorker(name="w", type=WorkerType.OLLAMA, base_url="http://gpu:11434")
PLAIN: Final = WorkerReport(name="w", active=True)


def _report(incarnation: int = 1, sequence: int = 1, **changes: Any) -> AgentReport:
    plain = {"status_seconds": 5.0, "at": 0.0, "load": 0.0, "activity": 0, "workers": (PLAIN,)}
    return AgentReport(incarnation=incarnation, sequence=sequence, **{**plain, **changes})


def _record(heard_at: float = 100.0, **changes: Any) -> AgentRecord:
    registration = Registration(agent="a", version="1", workers=(W,), report=_report(**changes))
    record = enrol(None, registration, now=heard_at, at=1000.0)
    assert record is not None
    return record


def _up(proved_at: float, *, since: float = 0.0) -> LineStanding:
    return LineStanding(is_up=True, proved_at=proved_at, steady_since=since)


@pytest.mark.parametrize("period_s", [1.0, 2.0, 5.0, 60.0])
def test_an_agent_is_lost_before_two_periods_are_over(period_s: float) -> None:
    """And not before a quarter of the second one is."""
    record = _record(heard_at=100.0, status_seconds=period_s)
    assert not is_lost(record, _up(100.0 + 1.25 * period_s))
    assert is_lost(record, _up(100.0 + 2.0 * period_s - 0.65))


def test_a_silence_counts_only_as_far_as_the_line_carries() -> None:
    """Without a sign of life of the broker, nobody can tell who is silent."""
    record = _record(heard_at=100.0)
    assert is_lost(record, _up(1000.0))
    assert not is_lost(record, _up(101.0))
    assert not is_lost(record, LineStanding(failure="down"))
    assert not is_lost(record, attrs.evolve(_up(1000.0), is_blocked=True))
    assert not is_lost(record, LineStanding(is_up=True))


def test_after_a_gap_of_the_line_agents_have_time_to_come_back() -> None:
    """Those that were heard before it; whoever was heard since has no such excuse."""
    before, since = _record(heard_at=100.0), _record(heard_at=501.0)
    assert not is_lost(before, _up(500.0 + RESUME_S, since=500.0))
    assert is_lost(before, _up(500.1 + RESUME_S, since=500.0))
    assert is_lost(since, _up(511.0, since=500.0))


@pytest.mark.parametrize("state", [AgentState.UNAVAILABLE, AgentState.LEFT])
def test_who_is_not_there_is_not_lost(state: AgentState) -> None:
    """It has been already."""
    assert not is_lost(attrs.evolve(_record(), state=state), _up(1e6))


def test_only_what_has_changed_is_a_change() -> None:
    """Activity, load and time are expected to."""
    record = _record()
    after, changes = hear(record, _report(sequence=2, load=3.0, activity=9), now=105.0, at=1005.0)
    assert changes == ()
    assert (after.heard_at, after.status_at, after.report.load) == (105.0, 1005.0, 3.0)

    worse = WorkerReport(name="w", active=False, reachable=False)
    report = _report(sequence=3, workers=(worse,), status_seconds=9.0)
    _, changes = hear(after, report, now=106.0, at=1006.0)
    assert changes == (
        Change(worker=None, field="status_seconds", before=5.0, after=9.0),
        Change(worker="w", field="active", before=True, after=False),
        Change(worker="w", field="reachable", before=True, after=False),
    )


def test_news_of_the_past_is_no_news() -> None:
    """A message that comes late, or again, changes nothing."""
    record = _record(incarnation=2, sequence=5)
    for incarnation, sequence in ((2, 5), (2, 4), (1, 99)):
        late = _report(incarnation, sequence, workers=())
        assert hear(record, late, now=999.0, at=999.0) == (record, ())
        again = Registration(agent="a", version="2", workers=(), report=late)
        assert enrol(record, again, now=999.0, at=999.0) is None


def test_who_registers_again_is_the_same_agent() -> None:
    """Known since then, with its history of commands; and there again, if it had left."""
    known = attrs.evolve(_record(), state=AgentState.LEFT, commands=CommandStatistics().after(0.5))
    registration = Registration(agent="a", version="2", workers=(), report=_report(2))
    again = enrol(known, registration, now=200.0, at=2000.0)
    assert again is not None
    assert (again.state, again.version, again.registered_at) == (AgentState.AVAILABLE, "2", 1000.0)
    assert again.commands.answered == 1


def test_one_that_left_is_heard_only_when_it_registers() -> None:
    """What was on the way when it said goodbye does not bring it back."""
    left = attrs.evolve(_record(), state=AgentState.LEFT)
    assert hear(left, _report(sequence=9), now=1.0, at=1.0) == (left, ())


def test_in_service_is_who_is_not_drained() -> None:
    """And nobody of an agent that has left."""
    assert [offer.name for offer in _record().in_service()] == ["w"]
    drained = _record(workers=(_drained(),))
    assert list(drained.in_service()) == []
    assert list(attrs.evolve(_record(), state=AgentState.LEFT).in_service()) == []


def _drained() -> WorkerReport:
    """A worker that is to leave."""
    return WorkerReport(name="w", active=False, drained=True)


def test_nobody_is_known_for_ever() -> None:
    """One that has left for an hour, one that is dead for a day; never one that is there."""
    record = _record(heard_at=0.0)
    left = attrs.evolve(record, state=AgentState.LEFT)
    dead = attrs.evolve(record, state=AgentState.UNAVAILABLE)
    assert [is_gone(left, now=LEFT_S), is_gone(left, now=LEFT_S + 1)] == [False, True]
    assert [is_gone(dead, now=DEAD_S), is_gone(dead, now=DEAD_S + 1)] == [False, True]
    assert not is_gone(record, now=1e9)


def test_a_name_on_a_node_has_both_names_in_it() -> None:
    """Neither of which has a dot."""
    assert full_name("gpu-1", "llama") == "gpu-1.llama"


def test_commands_are_counted_and_timed() -> None:
    """Percentiles are of those that were answered."""
    statistics = CommandStatistics()
    assert statistics.percentile_ms(0.5) is None
    for response_s in (0.1, None, 0.3, 0.2):
        statistics = statistics.after(response_s)
    assert (statistics.sent, statistics.answered, statistics.failed) == (4, 3, 1)
    assert statistics.percentile_ms(0.5) == pytest.approx(200.0)
    assert statistics.percentile_ms(0.95) == pytest.approx(300.0)
    for _ in range(2 * RECENT_MAX):
        statistics = statistics.after(0.1)
    assert len(statistics.recent_ms) == RECENT_MAX


@given(st.lists(st.integers(0, 20)))
def test_the_window_remembers_the_last_ones(ids: list[int]) -> None:
    """As many as it may, those last seen, each with its outcome."""
    window: DedupWindow[int] = DedupWindow(5)
    for place, number in enumerate(ids):
        window.remember(MessageId(str(number)), place)
    last = list(dict.fromkeys(reversed(ids)))[:5]
    assert len(window) == len(last)
    for number in last:
        assert MessageId(str(number)) in window
        outcome = window.outcome(MessageId(str(number)))
        assert outcome == max(place for place, each in enumerate(ids) if each == number)


def test_in_a_demonstration_every_other_agent_rests() -> None:
    """And in the next turn the others; whatever order they are named in."""
    names = [AgentName(name) for name in ("c", "a", "b")]
    assert switches(names, 0) == {"a": Verb.ACTIVATE, "b": Verb.DEACTIVATE, "c": Verb.ACTIVATE}
    assert switches(names, 1) == {"a": Verb.DEACTIVATE, "b": Verb.ACTIVATE, "c": Verb.DEACTIVATE}
    assert switches([], 0) == {}
