"""How alerts come and go, and when people are told.

Rules of this file: every change of state is a row of `TRANSITIONS`; all else looks at one alert at
a time. `now` is in monotonic seconds and never goes back.

    pending --lasted--> firing --acknowledged--> acknowledged
       |                   |                          |
       gone                gone                       gone
       v                   v                          v
    resolved <----------------------------------------+     resolved --began--> pending

An alert that never fired leaves no trace. When people are told:

- `fired`, `repeated`: once in a cooldown at most, as long as the alert is firing.
- `escalated`: at once, when it is worse than they were told within the cooldown.
- `resolved`: once, if what they were told last is that it fires, also if it was acknowledged.
- Nothing else of an alert that is acknowledged, until it is resolved.
"""

from collections.abc import Collection, Mapping
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity
from cortexd.domain.alert_book import Alert, AlertBook, Told
from cortexd.policy.alert_settings import AlertSettings

RESOLVED_MAX: Final = 100
"""So many alerts that are over are remembered."""


CLIMBING: Final = 3.0
"""So many times longer must the node be low before that is an alert: it climbs a level at a time,
and is all the way down for a moment when it starts before its workers do."""


@unique
class Signal(Enum):
    """What moves an alert."""

    BEGAN = "it began again"
    LASTED = "it has lasted"
    ACKNOWLEDGED = "somebody sees to it"
    GONE = "it is over"


TRANSITIONS: Final[Mapping[tuple[AlertState, Signal], AlertState]] = {
    (AlertState.RESOLVED, Signal.BEGAN): AlertState.PENDING,
    (AlertState.PENDING, Signal.LASTED): AlertState.FIRING,
    (AlertState.PENDING, Signal.GONE): AlertState.RESOLVED,
    (AlertState.FIRING, Signal.ACKNOWLEDGED): AlertState.ACKNOWLEDGED,
    (AlertState.FIRING, Signal.GONE): AlertState.RESOLVED,
    (AlertState.ACKNOWLEDGED, Signal.ACKNOWLEDGED): AlertState.ACKNOWLEDGED,
    (AlertState.ACKNOWLEDGED, Signal.GONE): AlertState.RESOLVED,
}


class IllegalAlertTransition(Exception):
    """The alert was sent where the table knows no way."""


@attrs.frozen
class Advance:
    """What a look at the conditions has brought: the new book, and what people are to be told."""

    book: AlertBook
    notices: tuple[Notice, ...]


def advance(
    book: AlertBook, conditions: Collection[Condition], *, now: float, settings: AlertSettings
) -> Advance:
    """The book after one more look at what is wrong."""
    present = {condition.alert_id: condition for condition in conditions}
    alerts: dict[str, Alert] = {}
    notices: list[Notice] = []
    for alert_id in (*book, *(new for new in present if new not in book)):
        alert = _moved(book.get(alert_id), present.get(alert_id), now, settings)
        if alert is None:
            continue
        occasion = _occasion(alert, now, settings)
        if occasion is not None:
            told = _told(alert, occasion, now)
            alert = attrs.evolve(alert, told=told)
            notices.append(_notice(alert, told, occasion, now))
        alerts[alert_id] = alert
    return Advance(_without_the_oldest(alerts), tuple(notices))


def acknowledge(book: AlertBook, alert_id: str) -> AlertBook:
    """The book after somebody has said that they see to an alert.

    Errors: `KeyError` for one that is not there; `IllegalAlertTransition` for one that does not
    fire.
    """
    return {**book, alert_id: _after(book[alert_id], Signal.ACKNOWLEDGED)}


def has_warnings(book: AlertBook) -> bool:
    """Whether something is wrong that nobody has acknowledged."""
    return any(
        alert.state is AlertState.FIRING and alert.condition.severity is not Severity.INFO
        for alert in book.values()
    )


def cooldown_s(rule: Rule, settings: AlertSettings) -> float:
    """How long people are left alone with an alert once they were told of it."""
    match rule:
        case Rule.DEAD_LETTERS:
            return settings.dead_letters_cooldown_seconds
        case Rule.BREAKER_OPEN:
            return settings.breaker_cooldown_seconds
    return settings.cooldown_seconds


def pending_s(rule: Rule, settings: AlertSettings) -> float:
    """How long something must be wrong before it is told."""
    return settings.pending_seconds * (CLIMBING if rule is Rule.DEGRADED else 1.0)


def _moved(
    alert: Alert | None, condition: Condition | None, now: float, settings: AlertSettings
) -> Alert | None:
    """The alert as of now; `None` if there is none, or none to remember."""
    if condition is None:
        return None if alert is None else _without_condition(alert, now, settings)
    if alert is None:
        alert = Alert(condition=condition, state=AlertState.PENDING, since=now)
    elif alert.state is AlertState.RESOLVED:
        alert = attrs.evolve(_after(alert, Signal.BEGAN), since=now)
    alert = attrs.evolve(alert, condition=condition, absent_since=None)
    lasted_s = now - alert.since
    if alert.state is AlertState.PENDING and lasted_s >= pending_s(condition.rule, settings):
        alert = attrs.evolve(
            _after(alert, Signal.LASTED), last_fired=now, count=alert.count + 1, resolved=None
        )
    return alert


def _without_condition(alert: Alert, now: float, settings: AlertSettings) -> Alert | None:
    if alert.state is AlertState.RESOLVED:
        return alert
    if alert.state is AlertState.PENDING:
        return _after(alert, Signal.GONE) if alert.count else None
    since = now if alert.absent_since is None else alert.absent_since
    if now - since < settings.resolve_seconds:
        return attrs.evolve(alert, absent_since=since)
    return attrs.evolve(_after(alert, Signal.GONE), absent_since=since, resolved=now)


def _after(alert: Alert, signal: Signal) -> Alert:
    try:
        state = TRANSITIONS[alert.state, signal]
    except KeyError:
        raise IllegalAlertTransition(f"{alert.state.value}: {signal.value}") from None
    return attrs.evolve(alert, state=state)


def _occasion(alert: Alert, now: float, settings: AlertSettings) -> Occasion | None:
    """Why people are to be told of the alert now, if they are."""
    told, condition = alert.told, alert.condition
    if alert.state is AlertState.RESOLVED:
        return Occasion.RESOLVED if told is not None and not told.is_over else None
    if alert.state is not AlertState.FIRING:
        return None
    if told is None or now - told.at >= cooldown_s(condition.rule, settings):
        return Occasion.FIRED if told is None or told.is_over else Occasion.REPEATED
    return Occasion.ESCALATED if condition.severity.rank > told.severity.rank else None


def _told(alert: Alert, occasion: Occasion, now: float) -> Told:
    severity, told = alert.condition.severity, alert.told
    if told is None or occasion is Occasion.FIRED:
        return Told(at=now, severity=severity, worst=severity)
    if occasion is Occasion.RESOLVED:
        # The cooldown goes on: what comes back within it is no news.
        return attrs.evolve(told, is_over=True)
    worst = max(told.worst, severity, key=lambda each: each.rank)
    return Told(at=now, severity=severity, worst=worst)


def _notice(alert: Alert, told: Told, occasion: Occasion, now: float) -> Notice:
    condition = alert.condition
    return Notice(
        alert_id=condition.alert_id,
        rule=condition.rule,
        target=condition.target,
        severity=told.worst if told.is_over else told.severity,
        occasion=occasion,
        message=condition.message,
        since=alert.since,
        at=now,
    )


def _without_the_oldest(alerts: Mapping[str, Alert]) -> AlertBook:
    over = [alert_id for alert_id, alert in alerts.items() if alert.state is AlertState.RESOLVED]
    over.sort(key=lambda alert_id: alerts[alert_id].resolved or 0.0)
    forgotten = set(over[: max(0, len(over) - RESOLVED_MAX)])
    return {alert_id: alert for alert_id, alert in alerts.items() if alert_id not in forgotten}
