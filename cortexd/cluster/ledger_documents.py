"""The alerts of a cluster as they are kept in Redis: JSON, and none of it believed unchecked.

Rules of this file: everything has a bound, and what has none, or the wrong type, makes the whole
none at all. An alert of a rule that is not known here comes from a newer node and is passed over.
All times are on the clock of the node that has written them; `written_at` is what it showed then.
"""

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity, alert_id
from cortexd.domain.alert_book import Alert, Told
from cortexd.domain.alert_ledger import Acknowledged, HandedOver, Ledger, LedgerNote, Untold
from cortexd.domain.cluster import NodeName
from cortexd.policy.cluster_alerts import TEXT_CHARACTERS_MAX

LEDGER_BYTES_MAX: Final = 4 * 1024 * 1024
NOTE_BYTES_MAX: Final = 256 * 1024
ALERTS_MAX: Final = 10_000
UNTOLD_MAX: Final = 1000
NODES_MAX: Final = 10_000

_Word = Annotated[str, Meta(max_length=64)]
_Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]
_Time = Annotated[float, Meta(ge=-1e12, le=1e12)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]


class _Told(Struct):
    at: _Time
    severity: Severity
    worst: Severity
    is_over: bool


class _Alert(Struct, omit_defaults=True):
    rule: _Word
    target: _Text
    severity: Severity
    message: _Text
    state: AlertState
    since: _Time
    absent_since: _Time | None = None
    last_fired: _Time | None = None
    resolved: _Time | None = None
    count: _Count = 0
    told: _Told | None = None


class _Untold(Struct):
    rule: _Word
    target: _Text
    severity: Severity
    occasion: Occasion
    message: _Text
    since: _Time
    at: _Time
    channels: Annotated[tuple[_Text, ...], Meta(max_length=100)]


class _Ledger(Struct):
    written_at: _Time
    alerts: Annotated[tuple[_Alert, ...], Meta(max_length=ALERTS_MAX)]
    untold: Annotated[tuple[_Untold, ...], Meta(max_length=UNTOLD_MAX)]
    members: Annotated[dict[_Text, _Count], Meta(max_length=NODES_MAX)]
    lost: Annotated[dict[_Text, _Time], Meta(max_length=NODES_MAX)]


class _Acknowledged(Struct, tag="acknowledged"):
    alert_id: Annotated[str, Meta(max_length=2 * TEXT_CHARACTERS_MAX)]


class _HandedOver(Struct, tag="handed_over"):
    written_at: _Time
    node: _Text
    token: _Count
    alerts: Annotated[tuple[_Alert, ...], Meta(max_length=ALERTS_MAX)]


class DocumentRejected(ValueError):
    """What is there was not written by a node, or is more than one may write."""


_encode: Final = msgspec.json.Encoder().encode
_ledgers: Final = msgspec.json.Decoder(_Ledger)
_notes: Final = msgspec.json.Decoder(_Acknowledged | _HandedOver)
_RULES: Final = {rule.value: rule for rule in Rule}

T = TypeVar("T")


def write_ledger(ledger: Ledger, now: float) -> bytes:
    """The ledger, but for its revision. Errors: `DocumentRejected` if there is too much of it."""
    return _bounded(
        _encode(
            _Ledger(
                written_at=now,
                alerts=tuple(
                    _written_alert(each)
                    for each in ledger.book.values()
                    if len(each.condition.target) <= TEXT_CHARACTERS_MAX
                )[:ALERTS_MAX],
                untold=tuple(_written_notice(each) for each in ledger.untold[-UNTOLD_MAX:]),
                members={str(name): token for name, token in ledger.members.items()},
                lost={str(name): since for name, since in ledger.lost.items()},
            )
        ),
        LEDGER_BYTES_MAX,
    )


def read_ledger(data: bytes, *, revision: int, written_at: float) -> Ledger:
    """The ledger that was written at `written_at`, by the reader's clock, on which all is now.

    Errors: `DocumentRejected`.
    """
    found = _read(_ledgers, _bounded(data, LEDGER_BYTES_MAX))
    return Ledger(
        revision=revision,
        book={alert.condition.alert_id: alert for alert in _alerts(found.alerts)},
        untold=tuple(
            Untold(notice=_notice(each), channels=each.channels)
            for each in found.untold
            if each.rule in _RULES
        ),
        members={NodeName(name): token for name, token in found.members.items()},
        lost={NodeName(name): since for name, since in found.lost.items()},
    ).shifted(written_at - found.written_at)


def write_note(note: LedgerNote, now: float) -> bytes:
    """What a node has for the leader. Errors: `DocumentRejected` if it is too much."""
    if isinstance(note, Acknowledged):
        return _encode(_Acknowledged(note.alert_id))
    alerts = tuple(map(_written_alert, note.alerts))
    return _bounded(_encode(_HandedOver(now, note.node, note.token, alerts)), NOTE_BYTES_MAX)


def read_note(data: bytes, *, written_at: float) -> LedgerNote:
    """The note that was written at `written_at`, see `read_ledger`. Errors: as there."""
    found = _read(_notes, _bounded(data, NOTE_BYTES_MAX))
    if isinstance(found, _Acknowledged):
        return Acknowledged(alert_id=found.alert_id)
    by_s = written_at - found.written_at
    return HandedOver(
        node=NodeName(found.node),
        token=found.token,
        alerts=tuple(alert.shifted(by_s) for alert in _alerts(found.alerts)),
    )


def _bounded(data: bytes, bytes_max: int) -> bytes:
    if len(data) > bytes_max:
        raise DocumentRejected(f"{len(data)} bytes, more than {bytes_max}")
    return data


def _read(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentRejected(str(error)) from None


def _written_alert(alert: Alert) -> _Alert:
    condition, told = alert.condition, alert.told
    return _Alert(
        rule=condition.rule.value,
        target=condition.target,
        severity=condition.severity,
        message=condition.message,
        state=alert.state,
        since=alert.since,
        absent_since=alert.absent_since,
        last_fired=alert.last_fired,
        resolved=alert.resolved,
        count=alert.count,
        told=None if told is None else _Told(told.at, told.severity, told.worst, told.is_over),
    )


def _alerts(found: tuple[_Alert, ...]) -> tuple[Alert, ...]:
    return tuple(_alert(each) for each in found if each.rule in _RULES)


def _alert(found: _Alert) -> Alert:
    told = found.told
    return Alert(
        condition=Condition(
            rule=_RULES[found.rule],
            target=found.target,
            severity=found.severity,
            message=found.message,
        ),
        state=found.state,
        since=found.since,
        absent_since=found.absent_since,
        last_fired=found.last_fired,
        resolved=found.resolved,
        count=found.count,
        told=None
        if told is None
        else Told(at=told.at, severity=told.severity, worst=told.worst, is_over=told.is_over),
    )


def _written_notice(untold: Untold) -> _Untold:
    notice = untold.notice
    return _Untold(
        rule=notice.rule.value,
        target=notice.target,
        severity=notice.severity,
        occasion=notice.occasion,
        message=notice.message,
        since=notice.since,
        at=notice.at,
        channels=untold.channels,
    )


def _notice(found: _Untold) -> Notice:
    rule = _RULES[found.rule]
    return Notice(
        alert_id=alert_id(rule, found.target),
        rule=rule,
        target=found.target,
        severity=found.severity,
        occasion=found.occasion,
        message=found.message,
        since=found.since,
        at=found.at,
    )
