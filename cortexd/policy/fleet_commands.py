"""How an agent does as told: how many commands, and how long it takes to answer them."""

from typing import Final

import attrs

from cortexd.policy.quantiles import quantile

RECENT_MAX: Final = 100
"""Of so many answers the times are kept."""


@attrs.frozen(kw_only=True)
class CommandStatistics:
    """The commands of an agent since it is known. `recent_ms`: its last response times."""

    sent: int = 0
    answered: int = 0
    failed: int = 0
    recent_ms: tuple[float, ...] = ()

    def after(self, response_s: float | None) -> "CommandStatistics":
        """With one more command; `None`: no answer came in time."""
        if response_s is None:
            return attrs.evolve(self, sent=self.sent + 1, failed=self.failed + 1)
        recent = (*self.recent_ms, response_s * 1000.0)[-RECENT_MAX:]
        return attrs.evolve(self, sent=self.sent + 1, answered=self.answered + 1, recent_ms=recent)

    def percentile_ms(self, share: float) -> float | None:
        """The time that this share of the recent answers did not exceed; `None` without any."""
        if not self.recent_ms:
            return None
        return quantile(sorted(self.recent_ms), share)
