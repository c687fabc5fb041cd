"""Any history of conditions and acknowledgements, held against the rules of telling people."""

from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity
from cortexd.domain.alert_book import Alert, AlertBook
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import (
    TRANSITIONS,
    IllegalAlertTransition,
    Signal,
    acknowledge,
    advance,
    cooldown_s,
)

SETTINGS = AlertSettings(
    pending_seconds=3, resolve_seconds=7, cooldown_seconds=60, breaker_cooldown_seconds=20
)
PLACES = [(Rule.BREAKER_OPEN, "a"), (Rule.BREAKER_OPEN, "b"), (Rule.HIGH_MEMORY, "")]
STEPS = {(before, after) for (before, _), after in TRANSITIONS.items()}
REACHABLE = (
    STEPS
    | {(state, state) for state in AlertState}
    # Two rows within one look, where one look is long after the other.
    | {(AlertState.RESOLVED, AlertState.FIRING)}
)
ALARMS = {Occasion.FIRED, Occasion.ESCALATED, Occasion.REPEATED}

wrongs = st.dictionaries(st.sampled_from(PLACES), st.sampled_from(Severity))


class _Story(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.book: AlertBook = {}
        self.present: Mapping[tuple[Rule, str], Severity] = {}
        self.told: dict[str, list[Notice]] = {}

    def _look(self) -> None:
        conditions = [
            Condition(rule=rule, target=target, severity=severity, message="m: do")
            for (rule, target), severity in self.present.items()
        ]
        before = self.book
        after = advance(before, conditions, now=self.now, settings=SETTINGS)
        for alert_id, alert in after.book.items():
            if alert_id in before:
                assert (before[alert_id].state, alert.state) in REACHABLE
            else:
                assert alert.state is AlertState.PENDING
        for notice in after.notices:
            self._take(notice, before.get(notice.alert_id), after.book[notice.alert_id])
        assert len({notice.alert_id for notice in after.notices}) == len(after.notices)
        self.book = after.book

    def _take(self, notice: Notice, before: Alert | None, after: Alert) -> None:
        history = self.told.setdefault(notice.alert_id, [])
        alarms = [each for each in history if each.occasion in ALARMS]
        if notice.occasion is Occasion.RESOLVED:
            assert history[-1].occasion in ALARMS
            assert after.state is AlertState.RESOLVED
            assert before is not None
            assert before.is_active
        else:
            assert after.state is AlertState.FIRING
            first = not history or history[-1].occasion is Occasion.RESOLVED
            assert (notice.occasion is Occasion.FIRED) <= first
            assert (notice.occasion is Occasion.REPEATED) <= (not first)
            assert notice.severity is after.condition.severity
            if alarms and notice.occasion is not Occasion.ESCALATED:
                assert notice.at - alarms[-1].at >= cooldown_s(notice.rule, SETTINGS)
            if notice.occasion is Occasion.ESCALATED:
                assert notice.severity.rank > alarms[-1].severity.rank
        history.append(notice)

    @rule(present=wrongs)
    def it_changes(self, present: Mapping[tuple[Rule, str], Severity]) -> None:
        self.present = present
        self._look()

    @rule(seconds=st.integers(1, 90))
    def it_stays(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self._look()

    @rule(seconds=st.integers(1, 90))
    def nobody_looks(self, seconds: int) -> None:
        """The manager was away."""
        self.now += seconds
        self._look()

    @rule(place=st.sampled_from(PLACES))
    def somebody_acknowledges(self, place: tuple[Rule, str]) -> None:
        alert_id = ":".join(filter(None, (place[0].value, place[1])))
        before = self.book.get(alert_id)
        try:
            self.book = acknowledge(self.book, alert_id)
        except KeyError:
            assert before is None
        except IllegalAlertTransition:
            assert before is not None
            assert (before.state, Signal.ACKNOWLEDGED) not in TRANSITIONS
        else:
            assert self.book[alert_id].state is AlertState.ACKNOWLEDGED

    @invariant()
    def what_is_wrong_for_long_fires_and_what_is_gone_for_long_does_not(self) -> None:
        for alert in self.book.values():
            place = (alert.condition.rule, alert.condition.target)
            if place in self.present and self.now - alert.since >= 3:
                assert alert.is_active
            if alert.absent_since is not None and self.now - alert.absent_since >= 7:
                assert alert.state is AlertState.RESOLVED

    @invariant()
    def what_fires_was_told_within_its_cooldown(self) -> None:
        for alert_id, alert in self.book.items():
            if alert.state is AlertState.FIRING:
                last = [n for n in self.told[alert_id] if n.occasion in ALARMS][-1]
                assert self.now - last.at < cooldown_s(alert.condition.rule, SETTINGS)
                assert alert.condition.severity.rank <= max(
                    n.severity.rank
                    for n in self.told[alert_id]
                    if n.occasion in ALARMS and self.now - n.at < 60
                )

    @invariant()
    def nobody_believes_that_it_fires_when_it_is_over(self) -> None:
        for alert_id, alert in self.book.items():
            if alert.state is AlertState.RESOLVED and alert_id in self.told:
                assert self.told[alert_id][-1].occasion is Occasion.RESOLVED


@pytest.mark.slow
def test_whatever_happens_people_are_told_by_the_rules() -> None:
    """Never too often, never of what they know, and of nothing that is over as if it were not."""
    run_state_machine_as_test(_Story, settings=settings(max_examples=150, stateful_step_count=40))
