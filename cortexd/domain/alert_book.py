"""What is remembered of alerts: each from its first sign until long after it is over."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from cortexd.domain.alert import AlertState, Condition, Severity


@attrs.frozen(kw_only=True)
class Told:
    """What people were told last: when, how bad it was, and whether they know that it is over.

    `worst`: how bad it was at worst since it fired: who has heard of that is to hear of its end.
    """

    at: float
    severity: Severity
    worst: Severity
    is_over: bool = False


@attrs.frozen(kw_only=True)
class Alert:
    """A rule and a target, and all that is remembered of them.

    `since`: when the condition began. `absent_since`: when it was last seen to have gone, `None`
    while it holds. `count`: how often the alert has fired.
    """

    condition: Condition
    state: AlertState
    since: float
    absent_since: float | None = None
    last_fired: float | None = None
    resolved: float | None = None
    count: int = 0
    told: Told | None = None

    @property
    def is_active(self) -> bool:
        """Whether it fires, acknowledged or not."""
        return self.state in {AlertState.FIRING, AlertState.ACKNOWLEDGED}

    def shifted(self, by_s: float) -> "Alert":
        """The same on a clock that is ahead by this."""

        def moved(moment: float | None) -> float | None:
            return None if moment is None else moment + by_s

        told = self.told
        return attrs.evolve(
            self,
            since=self.since + by_s,
            absent_since=moved(self.absent_since),
            last_fired=moved(self.last_fired),
            resolved=moved(self.resolved),
            told=None if told is None else attrs.evolve(told, at=told.at + by_s),
        )


AlertBook: TypeAlias = Mapping[str, Alert]
"""All alerts that there is something to say of, by their ids."""
