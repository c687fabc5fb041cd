"""How alerts come and go, and when people are told: by examples, second by second."""

from collections.abc import Iterable
from itertools import pairwise

import attrs
import pytest

from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity
from cortexd.domain.alert_book import AlertBook
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.alert_states import (
    RESOLVED_MAX,
    TRANSITIONS,
    IllegalAlertTransition,
    Signal,
    acknowledge,
    advance,
    has_warnings,
)

SETTINGS = AlertSettings(pending_seconds=2, resolve_seconds=10, cooldown_seconds=300)
NOTHING: AlertBook = {}
ID = "high_memory"


def _condition(
    severity: Severity = Severity.WARNING, rule: Rule = Rule.HIGH_MEMORY, target: str = ""
) -> Condition:
    return Condition(rule=rule, target=target, severity=severity, message="too much: do less")


WRONG = _condition()
WORSE = _condition(Severity.CRITICAL)


class Story:
    """A book over time, looked at once a second, and what people were told, with the times."""

    def __init__(self, settings: AlertSettings = SETTINGS) -> None:
        self.settings = settings
        self.book = NOTHING
        self.now = 0.0
        self.notices: list[Notice] = []

    def goes_on(self, seconds: int, *conditions: Condition) -> None:
        """Let so many seconds pass in which just this is wrong."""
        for _ in range(seconds):
            after = advance(self.book, conditions, now=self.now, settings=self.settings)
            self.book = after.book
            self.notices += after.notices
            self.now += 1.0

    @property
    def told(self) -> list[tuple[float, Occasion]]:
        """When people were told, and why."""
        return [(notice.at, notice.occasion) for notice in self.notices]

    @property
    def state(self) -> AlertState | None:
        """Of the one alert there is."""
        return self.book[ID].state if ID in self.book else None

    def is_in(self, state: AlertState) -> bool:
        """Whether the one alert is in this state."""
        return self.state is state


FIRED, ESCALATED, REPEATED, RESOLVED = Occasion


def test_an_alert_fires_once_what_is_wrong_has_lasted_and_is_over_once_it_has_gone() -> None:
    """Told once at each end, with when it began."""
    story = Story()
    story.goes_on(2, WRONG)
    assert (story.state, story.told) == (AlertState.PENDING, [])
    story.goes_on(1, WRONG)
    assert (story.state, story.told) == (AlertState.FIRING, [(2, FIRED)])
    story.goes_on(97, WRONG)
    story.goes_on(10)
    assert (story.state, story.told) == (AlertState.FIRING, [(2, FIRED)])
    story.goes_on(1)
    assert (story.state, story.told) == (AlertState.RESOLVED, [(2, FIRED), (110, RESOLVED)])
    story.goes_on(1000)
    assert len(story.notices) == 2

    assert [notice.since for notice in story.notices] == [0, 0]
    alert = story.book[ID]
    assert (alert.count, alert.last_fired, alert.resolved) == (1, 2, 110)


def test_what_does_not_last_leaves_no_trace() -> None:
    """Two seconds of it, again and again."""
    story = Story()
    for _ in range(10):
        story.goes_on(2, WRONG)
        story.goes_on(1)
    assert (story.book, story.told) == ({}, [])


def test_a_moment_without_it_does_not_resolve_an_alert() -> None:
    """Nor do many of them, one after the other: it is one alert all the time."""
    story = Story()
    for _ in range(20):
        story.goes_on(5, WRONG)
        story.goes_on(5)
    assert story.told == [(2, FIRED)]
    assert story.book[ID].count == 1


def test_an_alert_that_keeps_firing_is_told_again_after_each_cooldown() -> None:
    """Counted from when people were told last."""
    story = Story()
    story.goes_on(700, WRONG)
    assert story.told == [(2, FIRED), (302, REPEATED), (602, REPEATED)]


def test_an_alert_that_comes_back_within_its_cooldown_is_held_back() -> None:
    """And so is its end; it fires all the same for those who look."""
    story = Story()
    story.goes_on(10, WRONG)
    story.goes_on(20)
    story.goes_on(10, WRONG)
    assert story.is_in(AlertState.FIRING)
    story.goes_on(20)
    assert story.is_in(AlertState.RESOLVED)
    assert story.told == [(2, FIRED), (20, RESOLVED)]
    assert story.book[ID].count == 2


def test_what_fires_still_when_its_cooldown_ends_is_told_as_if_new() -> None:
    """Since people believe that it is over."""
    story = Story()
    story.goes_on(10, WRONG)
    story.goes_on(20)
    story.goes_on(300, WRONG)
    assert story.told == [(2, FIRED), (20, RESOLVED), (302, FIRED)]


def test_flapping_is_told_once_in_a_cooldown_at_most() -> None:
    """U31: five seconds well, five seconds not, for an hour; and slower than it resolves."""
    for up_s, down_s in ((5, 5), (30, 30), (12, 3), (100, 200)):
        story = Story()
        for _ in range(3600 // (up_s + down_s)):
            story.goes_on(down_s, WRONG)
            story.goes_on(up_s)
        alerts = [at for at, occasion in story.told if occasion is not RESOLVED]
        assert alerts
        assert all(b - a >= 300 for a, b in pairwise(alerts)), story.told
        # Each end belongs to an alert that was told.
        assert len(story.told) - len(alerts) <= len(alerts)


@pytest.mark.parametrize(
    ("rule", "cooldown_s"),
    [(Rule.DEAD_LETTERS, 600), (Rule.BREAKER_OPEN, 180), (Rule.NO_AVAILABLE_WORKERS, 300)],
)
def test_rules_have_cooldowns_of_their_own(rule: Rule, cooldown_s: int) -> None:
    """Those of the defaults."""
    story = Story(AlertSettings(pending_seconds=2))
    story.goes_on(cooldown_s + 10, _condition(rule=rule))
    assert story.told == [(2, FIRED), (2 + cooldown_s, REPEATED)]


def test_a_node_that_is_low_has_time_to_climb() -> None:
    """Or each start before the workers' would be an alert."""
    story = Story()
    story.goes_on(6, _condition(rule=Rule.DEGRADED))
    assert story.told == []
    story.goes_on(1, _condition(rule=Rule.DEGRADED))
    assert story.told == [(6, FIRED)]


def test_what_gets_worse_breaks_through_the_cooldown_once() -> None:
    """To and fro within the cooldown is no news; getting better is none, either."""
    story = Story()
    story.goes_on(10, WRONG)
    story.goes_on(10, WORSE)
    story.goes_on(10, WRONG)
    story.goes_on(10, WORSE)
    assert story.told == [(2, FIRED), (10, ESCALATED)]
    assert [notice.severity for notice in story.notices] == [Severity.WARNING, Severity.CRITICAL]


def test_what_comes_back_worse_within_its_cooldown_is_told() -> None:
    """The cooldown of a warning holds back no critical alert."""
    story = Story()
    story.goes_on(10, WRONG)
    story.goes_on(20)
    story.goes_on(10, WORSE)
    assert story.told == [(2, FIRED), (20, RESOLVED), (32, ESCALATED)]


def test_the_cooldown_begins_anew_with_an_escalation() -> None:
    """The repetition is as severe as it is by then."""
    story = Story()
    story.goes_on(100, WRONG)
    story.goes_on(100, WORSE)
    story.goes_on(300, WRONG)
    story.goes_on(5, WORSE)
    assert story.told == [(2, FIRED), (100, ESCALATED), (400, REPEATED), (500, ESCALATED)]
    assert story.notices[2].severity is Severity.WARNING


def test_who_heard_that_it_was_critical_hears_of_its_end() -> None:
    """The end is told with the worst that was told, whatever it was in the end."""
    story = Story()
    story.goes_on(10, WORSE)
    story.goes_on(400, WRONG)
    story.goes_on(20)
    assert [(notice.occasion, notice.severity) for notice in story.notices] == [
        (FIRED, Severity.CRITICAL),
        (REPEATED, Severity.WARNING),
        (RESOLVED, Severity.CRITICAL),
    ]


def test_an_acknowledged_alert_is_silent_until_it_is_over() -> None:
    """Neither time nor an escalation makes it speak; its end is told, and then all is as ever."""
    story = Story()
    story.goes_on(10, WRONG)
    story.book = acknowledge(story.book, ID)
    story.goes_on(1000, WRONG)
    story.goes_on(10, WORSE)
    assert (story.state, story.told) == (AlertState.ACKNOWLEDGED, [(2, FIRED)])
    story.goes_on(11)
    assert story.told == [(2, FIRED), (1030, RESOLVED)]
    story.goes_on(3, WRONG)
    assert (story.state, story.told[2:]) == (AlertState.FIRING, [(1033, FIRED)])


def test_acknowledging_twice_is_acknowledging() -> None:
    """Whoever comes second has the same answer."""
    story = Story()
    story.goes_on(10, WRONG)
    once = acknowledge(story.book, ID)
    assert acknowledge(once, ID) == once


def test_only_what_fires_can_be_acknowledged() -> None:
    """What is pending may still go by itself, and what is over is over."""
    story = Story()
    with pytest.raises(KeyError):
        acknowledge(story.book, ID)
    story.goes_on(1, WRONG)
    with pytest.raises(IllegalAlertTransition):
        acknowledge(story.book, ID)
    story.goes_on(10, WRONG)
    story.goes_on(20)
    with pytest.raises(IllegalAlertTransition):
        acknowledge(story.book, ID)


def test_a_warning_that_nobody_sees_to_is_one_of_the_nodes() -> None:
    """Until it is acknowledged; what is only worth knowing is none."""
    story = Story()
    story.goes_on(2, WRONG)
    assert not has_warnings(story.book)
    story.goes_on(1, WRONG)
    assert has_warnings(story.book)
    assert not has_warnings(acknowledge(story.book, ID))

    story = Story()
    story.goes_on(10, _condition(Severity.INFO))
    assert not has_warnings(story.book)


def test_without_patience_an_alert_fires_and_ends_at_once() -> None:
    """With both times at zero, one look is enough."""
    story = Story(AlertSettings(pending_seconds=0, resolve_seconds=0))
    story.goes_on(1, WRONG)
    story.goes_on(1)
    assert story.told == [(0, FIRED), (1, RESOLVED)]


def test_alerts_that_are_over_are_remembered_up_to_a_number() -> None:
    """The oldest are forgotten; one that fires never is."""
    story = Story(AlertSettings(pending_seconds=0, resolve_seconds=0))

    def wrong(numbers: Iterable[int]) -> list[Condition]:
        return [_condition(rule=Rule.RESTARTS, target=f"child-{number}") for number in numbers]

    lasting = wrong([1000])
    for number in range(RESOLVED_MAX + 20):
        story.goes_on(1, *lasting, *wrong([number]))
    story.goes_on(1, *lasting)
    targets = [alert.condition.target for alert in story.book.values()]
    assert len(targets) == RESOLVED_MAX + 1
    assert "child-1000" in targets
    assert "child-19" not in targets
    assert "child-20" in targets


def test_the_latest_message_is_the_one_that_is_shown() -> None:
    """What is wrong may change without being another alert."""
    story = Story()
    story.goes_on(5, WRONG)
    story.goes_on(5, attrs.evolve(WRONG, message="even more: do even less"))
    assert story.book[ID].condition.message == "even more: do even less"
    assert len(story.notices) == 1


def test_every_row_of_the_table_is_about_another_state_or_signal() -> None:
    """All states but the first are entered, and each signal moves something."""
    assert {state for state, _ in TRANSITIONS} == set(AlertState)
    assert {signal for _, signal in TRANSITIONS} == set(Signal)
    assert set(TRANSITIONS.values()) == set(AlertState)
