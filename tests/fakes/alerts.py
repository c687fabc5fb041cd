"""Notices of alerts, as a node would have people told."""

from collections.abc import Sequence
from typing import Any

import attrs

from cortexd.domain.alert import AlertDigest, Notice, Occasion, Rule, Severity

NOTICE = Notice(
    alert_id="breaker_open:groq",
    rule=Rule.BREAKER_OPEN,
    target="groq",
    severity=Severity.WARNING,
    occasion=Occasion.FIRED,
    message="worker groq keeps failing: see to its server",
    since=0.0,
    at=2.0,
)


def notice(**changes: Any) -> Notice:
    """That of an open breaker, but for what is said."""
    return attrs.evolve(NOTICE, **changes)


def digest(*notices: Notice, ages_s: Sequence[float] = (), lost: int = 0) -> AlertDigest:
    """A message of these, made at once unless it is said how long ago; without any, of one."""
    told = notices or (NOTICE,)
    return AlertDigest(notices=told, ages_s=tuple(ages_s) or (0.0,) * len(told), lost=lost)
