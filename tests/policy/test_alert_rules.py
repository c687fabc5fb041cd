"""The rules of the alerts: readings in, conditions out."""

from typing import Any

import attrs
import pytest

from cortexd.domain.alert import Condition, Rule, Severity
from cortexd.domain.ids import KeyIndex
from cortexd.policy.alert_rules import (
    NodeReadings,
    TrafficReading,
    WorkerReading,
    conditions,
)
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.breaker_states import BreakerState
from cortexd.policy.degradation import DegradationLevel
from cortexd.policy.health import WorkerState
from cortexd.policy.key_health import KeyState

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
OUT = WorkerState.UNAVAILABLE
WELL = (WorkerReading(name="a"), WorkerReading(name="b"))


def _found(**readings: Any) -> list[tuple[Rule, str, Severity]]:
    readings = {"workers": WELL, **readings}
    found = conditions(NodeReadings(**readings), AlertSettings())
    return [(each.rule, each.target, each.severity) for each in found]


def _workers(*states: WorkerState) -> tuple[WorkerReading, ...]:
    return tuple(
        WorkerReading(name=name, state=state) for name, state in zip("abcde", states, strict=False)
    )


def test_nothing_is_wrong_with_a_node_that_is_well_nor_with_what_is_not_known() -> None:
    """Readings that nobody has are no readings of nothing."""
    assert _found() == []


@pytest.mark.parametrize(
    ("states", "rule", "severity"),
    [
        ([], Rule.NO_AVAILABLE_WORKERS, CRITICAL),
        ([OUT], Rule.NO_AVAILABLE_WORKERS, CRITICAL),
        ([OUT, OUT], Rule.NO_AVAILABLE_WORKERS, CRITICAL),
        ([WorkerState.AVAILABLE, OUT, OUT], Rule.FEW_AVAILABLE_WORKERS, WARNING),
        ([WorkerState.BUSY, OUT, OUT], Rule.FEW_AVAILABLE_WORKERS, WARNING),
    ],
)
def test_too_few_workers(states: list[WorkerState], rule: Rule, severity: Severity) -> None:
    """None is critical; fewer than half of them a warning."""
    assert _found(workers=_workers(*states)) == [(rule, "", severity)]


@pytest.mark.parametrize(
    "states",
    [
        [WorkerState.AVAILABLE],
        [WorkerState.BUSY],
        [WorkerState.UNKNOWN],
        [WorkerState.AVAILABLE, OUT],
        [WorkerState.UNKNOWN, OUT],
    ],
)
def test_enough_workers(states: list[WorkerState]) -> None:
    """Half will do; one that was never checked has the benefit of the doubt, as at the start."""
    assert _found(workers=_workers(*states)) == []


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN])
def test_an_open_breaker_is_a_warning_and_all_of_them_are_critical(state: BreakerState) -> None:
    """A half-open one has not shown yet that it will close."""
    one = attrs.evolve(WELL[0], breaker=state)
    both = tuple(attrs.evolve(worker, breaker=state) for worker in WELL)
    assert _found(workers=(one, WELL[1])) == [(Rule.BREAKER_OPEN, "a", WARNING)]
    assert _found(workers=both) == [
        (Rule.BREAKER_OPEN, "a", CRITICAL),
        (Rule.BREAKER_OPEN, "b", CRITICAL),
    ]


def test_a_worker_that_tls_finds_fault_with() -> None:
    """U19: it gets nothing, and somebody has to renew its certificate."""
    workers = (attrs.evolve(WELL[0], is_untrusted=True), WELL[1])
    assert _found(workers=workers) == [(Rule.UNTRUSTED_WORKER, "a", WARNING)]


def test_keys_that_are_off_are_told_by_their_places() -> None:
    """Rejected and out of quota; a rate limit passes by itself."""
    keys = {
        KeyIndex(0): KeyState.GOOD,
        KeyIndex(1): KeyState.REJECTED,
        KeyIndex(2): KeyState.LIMITED,
        KeyIndex(3): KeyState.EXHAUSTED,
    }
    assert _found(workers=(attrs.evolve(WELL[0], keys=keys), WELL[1])) == [
        (Rule.KEY_OFF, "a/1", WARNING),
        (Rule.KEY_OFF, "a/3", WARNING),
    ]


def test_what_is_wrong_with_a_deactivated_worker_is_known_to_who_deactivated_it() -> None:
    """It counts as one that is not there, and that is all."""
    off = WorkerReading(
        name="off",
        is_active=False,
        state=OUT,
        is_untrusted=True,
        breaker=BreakerState.OPEN,
        keys={KeyIndex(0): KeyState.REJECTED},
    )
    assert _found(workers=(WELL[0], off)) == []
    assert _found(workers=(off,)) == [(Rule.NO_AVAILABLE_WORKERS, "", CRITICAL)]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ({"dead_letters": 50}, []),
        ({"dead_letters": 51}, [(Rule.DEAD_LETTERS, "", WARNING)]),
        ({"memory_bytes": 1_000_000_000}, []),
        ({"memory_bytes": 1_000_000_001}, [(Rule.HIGH_MEMORY, "", WARNING)]),
        ({"restarts": {"root/x": 2, "root/y": 0}}, []),
        ({"restarts": {"root/x": 3, "root/y": 2}}, [(Rule.RESTARTS, "root/x", WARNING)]),
        ({"troubles": {}}, []),
        ({"cluster_trouble": "it is down"}, [(Rule.CLUSTER_LOST, "", WARNING)]),
        ({"troubles": {"keys.db": "disk full"}}, [(Rule.STORAGE, "keys.db", WARNING)]),
        ({"level": DegradationLevel.MAJOR_ISSUES}, []),
        ({"level": DegradationLevel.CRITICAL}, [(Rule.DEGRADED, "", WARNING)]),
        ({"level": DegradationLevel.EMERGENCY}, [(Rule.DEGRADED, "", WARNING)]),
        (
            {"level": DegradationLevel.HEALTHY, "level_is_forced": True},
            [(Rule.DEGRADED, "", INFO)],
        ),
        (
            {"level": DegradationLevel.EMERGENCY, "level_is_forced": True},
            [(Rule.DEGRADED, "", WARNING)],
        ),
    ],
)
def test_limits_of_the_node(
    readings: dict[str, Any], expected: list[tuple[Rule, str, Severity]]
) -> None:
    """What is at the limit is well yet, but for restarts, whose limit is told as so many."""
    assert _found(**readings) == expected


@pytest.mark.parametrize(
    ("traffic", "rules"),
    [
        (TrafficReading(exchanges=9, failed=9, ttft_s_p95=99.0), []),
        (TrafficReading(exchanges=20, failed=5, ttft_s_p95=30.0), []),
        (TrafficReading(exchanges=20, failed=6), [Rule.ERROR_RATE]),
        (TrafficReading(exchanges=10, failed=0, ttft_s_p95=30.1), [Rule.SLOW_TTFT]),
        (
            TrafficReading(exchanges=10, failed=10, ttft_s_p95=31.0),
            [Rule.ERROR_RATE, Rule.SLOW_TTFT],
        ),
    ],
)
def test_traffic(traffic: TrafficReading, rules: list[Rule]) -> None:
    """Too few requests say nothing, however badly they went."""
    assert _found(traffic=traffic) == [(rule, "", WARNING) for rule in rules]


def test_thresholds_are_those_of_the_settings() -> None:
    """Each can be moved."""
    settings = AlertSettings(
        dead_letters_max=0, memory_bytes_max=2**20, restarts_max=1, error_rate_max=0.01
    )
    readings = NodeReadings(
        workers=WELL,
        dead_letters=1,
        memory_bytes=2**20 + 1,
        restarts={"root/x": 1},
        traffic=TrafficReading(exchanges=10, failed=1),
    )
    assert {found.rule for found in conditions(readings, settings)} == {
        Rule.DEAD_LETTERS,
        Rule.HIGH_MEMORY,
        Rule.RESTARTS,
        Rule.ERROR_RATE,
    }


def _everything() -> tuple[Condition, ...]:
    worker = WorkerReading(
        name="a",
        state=OUT,
        is_untrusted=True,
        breaker=BreakerState.OPEN,
        keys={KeyIndex(0): KeyState.REJECTED, KeyIndex(1): KeyState.EXHAUSTED},
    )
    readings = NodeReadings(
        workers=(worker,),
        traffic=TrafficReading(exchanges=10, failed=10, ttft_s_p95=99.0),
        dead_letters=51,
        memory_bytes=2**40,
        restarts={"root/state/alert-manager": 3},
        troubles={"keys.db": "the disk is full"},
        level=DegradationLevel.EMERGENCY,
    )
    return conditions(readings, AlertSettings())


def test_each_message_says_what_to_do() -> None:
    """Not only what is wrong: a colon, and then something to do or to look at."""
    for found in _everything():
        assert ": " in found.message, found.message


def test_ids_are_unique_and_fit_for_the_path_of_a_url() -> None:
    """However many conditions there are; a target may have slashes in it."""
    ids = [found.alert_id for found in _everything()]
    assert len(ids) == len(set(ids)) == 12
    assert all("/" not in alert_id for alert_id in ids)
    assert "restarts:root:state:alert-manager" in ids
    assert "key_off:a:1" in ids
