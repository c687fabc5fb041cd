"""How hard the node itself is pressed: how much of each thing it cannot have more of is used up."""

from typing import Final

import attrs

LAG_S_MAX: Final = 2.0
"""A loop that has not turned for so long does not serve anybody."""


@attrs.frozen(kw_only=True)
class Pressure:
    """Shares of what there is, from 0 up; above 1 is possible.

    `loop_lag`: how late the event loop has been lately, on the mean, of what is tolerated.
    `worst_lag_s`: how late it was at worst in the last seconds.
    """

    memory: float = 0.0
    descriptors: float = 0.0
    loop_lag: float = 0.0
    in_flight: float = 0.0
    worst_lag_s: float = 0.0

    @property
    def share(self) -> float:
        """The largest of them: what runs out first stops the node."""
        return max(self.memory, self.descriptors, self.loop_lag, self.in_flight)

    @property
    def words(self) -> str:
        """What is pressing most."""
        pressing = {
            "of the memory it may have": self.memory,
            "of the files it may open": self.descriptors,
            "of the delay that its event loop may have": self.loop_lag,
            "of the requests it may have in flight": self.in_flight,
        }
        name = max(pressing, key=pressing.__getitem__)
        return f"the node uses {pressing[name]:.0%} {name}"

    def stops_serving(self, limit: float) -> str | None:
        """Why no more requests had better come here, if so; `limit`: the share that is too much."""
        if self.worst_lag_s >= LAG_S_MAX:
            return f"the event loop was {self.worst_lag_s:.1f} s late"
        return self.words if self.share >= limit else None
