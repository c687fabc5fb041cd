"""How many users there are when."""

import json
from typing import Final

import attrs

RAMP_DOWN_S_MAX: Final = 5.0

ENDING_S_MAX: Final = 35.0
"""How long the last answers, and the thoughts behind them, may take; see `gracefulStop` of k6."""


@attrs.frozen(kw_only=True)
class Plan:
    """So many users: they come in `ramp_s`, stay for `hold_s`, and leave more quickly."""

    users: int
    ramp_s: float
    hold_s: float

    @property
    def ramp_down_s(self) -> float:
        """In how many seconds they leave."""
        return min(self.ramp_s, RAMP_DOWN_S_MAX)

    @property
    def total_s(self) -> float:
        """How long all of it takes, but for the ends of the last answers."""
        return self.ramp_s + self.hold_s + self.ramp_down_s

    @property
    def stages(self) -> str:
        """The same for k6, as JSON."""
        steps = ((self.ramp_s, self.users), (self.hold_s, self.users), (self.ramp_down_s, 0))
        return json.dumps(
            [{"duration": f"{round(1000 * s)}ms", "target": users} for s, users in steps]
        )

    def users_at(self, elapsed_s: float) -> int:
        """How many there are, so long after the beginning."""
        if elapsed_s < self.ramp_s:
            return round(self.users * elapsed_s / self.ramp_s)
        leaving_s = elapsed_s - self.ramp_s - self.hold_s
        return round(self.users * min(1.0, max(0.0, 1.0 - leaving_s / self.ramp_down_s)))

    def is_full(self, elapsed_s: float) -> bool:
        """Whether all of them are there."""
        return self.ramp_s <= elapsed_s <= self.ramp_s + self.hold_s
