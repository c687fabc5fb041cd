"""Whose matter an alert is, and how the findings of several nodes become one."""

import pytest

from cortexd.domain.alert import AlertState, Condition, Rule, Severity
from cortexd.domain.alert_book import Alert
from cortexd.domain.cluster import NodeName
from cortexd.policy.cluster_alerts import (
    CONDITIONS_MAX,
    REACHES,
    TEXT_CHARACTERS_MAX,
    Reach,
    for_cluster,
    has_warnings_about,
    is_of,
    lost_nodes,
    own_alerts,
    own_conditions,
    united,
)

A, B, C = (NodeName(name) for name in ("a", "b", "c"))


def _condition(
    rule: Rule, target: str = "", severity: Severity = Severity.WARNING, message: str = "m: do"
) -> Condition:
    return Condition(rule=rule, target=target, severity=severity, message=message)


def test_each_rule_has_a_reach() -> None:
    """A new one must be decided on."""
    assert set(REACHES) == set(Rule)


@pytest.mark.parametrize(
    ("rule", "target", "expected"),
    [
        (Rule.BREAKER_OPEN, "groq", "breaker_open:groq"),
        (Rule.KEY_OFF, "groq/0", "key_off:groq:0"),
        (Rule.HIGH_MEMORY, "", "high_memory:a"),
        (Rule.STORAGE, "keys.db", "storage:a:keys.db"),
        (Rule.RESTARTS, "root/state", "restarts:a:root:state"),
        (Rule.CLUSTER_LOST, "", "cluster_lost:a"),
    ],
)
def test_a_nodes_own_matter_has_its_name(rule: Rule, target: str, expected: str) -> None:
    """What is shared has not."""
    (condition,) = for_cluster([_condition(rule, target)], A)
    assert condition.alert_id == expected
    assert is_of(condition, A) is (REACHES[rule] is Reach.NODE)
    assert not is_of(condition, B)


def test_a_name_that_begins_another_is_another() -> None:
    """`a` is not `ab`."""
    (condition,) = for_cluster([_condition(Rule.STORAGE, "keys.db")], NodeName("ab"))
    assert not is_of(condition, A)


def test_of_too_many_the_worst_count() -> None:
    """And none is longer than can be told."""
    many = [_condition(Rule.RESTARTS, str(n), message="m" * 1000) for n in range(CONDITIONS_MAX)]
    worst = _condition(Rule.NO_AVAILABLE_WORKERS, severity=Severity.CRITICAL)
    told = for_cluster([*many, worst], A)
    assert len(told) == CONDITIONS_MAX
    assert told[0].rule is Rule.NO_AVAILABLE_WORKERS
    assert max(len(each.message) for each in told) == TEXT_CHARACTERS_MAX


def test_what_all_see_is_one_and_as_bad_as_the_worst_of_it() -> None:
    """In the words of who finds it worst."""
    mild = _condition(Rule.BREAKER_OPEN, "x")
    bad = _condition(Rule.BREAKER_OPEN, "x", Severity.CRITICAL, "worse: do")
    assert united({A: [mild], B: [bad], C: [mild]}) == (bad,)


def test_who_sees_what_others_do_not_is_named() -> None:
    """For what is shared; a node's own matter has its name already."""
    (condition,) = united({A: [], B: [_condition(Rule.BREAKER_OPEN, "x")], C: []})
    assert condition.message == "m: do (seen only by b)"
    own = for_cluster([_condition(Rule.HIGH_MEMORY)], A)
    assert united({A: own, B: []}) == own


def test_a_node_warns_of_itself_and_of_what_is_shared() -> None:
    """What is the matter with others is theirs."""

    def book(*conditions: Condition) -> dict[str, Alert]:
        return {
            each.alert_id: Alert(condition=each, state=AlertState.FIRING, since=0.0)
            for each in conditions
        }

    (own,) = for_cluster([_condition(Rule.HIGH_MEMORY)], A)
    (lost,) = lost_nodes([C])
    assert has_warnings_about(book(own), A)
    assert has_warnings_about(book(lost), A)
    assert not has_warnings_about(book(own), B)
    assert own_conditions([own, lost], A) == (own,)
    assert list(own_alerts(book(own, lost), A)) == ["high_memory:a"]
