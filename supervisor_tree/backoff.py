"""How long to wait before a child is started again.

Rules of this file: no clock; chance comes in as `random.Random`.
"""

from __future__ import annotations

import math
import random

import attrs

from supervisor_tree.errors import InvalidSpec
from supervisor_tree.validation import is_count, is_number


@attrs.frozen(kw_only=True)
class Backoff:
    """Spread out the restarts of a child that keeps failing. Times in seconds.

    The first restart is immediate; after that `initial`·`factor`ⁿ, at most `maximum`, plus or minus
    the fraction `jitter`. A child that was up for `reset_after` is forgiven. `give_up_after`
    consecutive restarts without such a healthy period are allowed; at the next failure the
    supervisor escalates, whatever its restart intensity. None means never.

    Errors: InvalidSpec.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.2
    reset_after: float = 60.0
    give_up_after: int | None = None

    def __attrs_post_init__(self) -> None:
        checks = (
            (_is_between(self.initial, 0, math.inf, open_below=True), "initial"),
            (_is_between(self.factor, 1, math.inf), "factor"),
            (_is_between(self.maximum, 0, math.inf, open_below=True), "maximum"),
            (_is_between(self.jitter, 0, 1), "jitter"),
            (_is_between(self.reset_after, 0, math.inf), "reset_after"),
            (self.give_up_after is None or is_count(self.give_up_after), "give_up_after"),
        )
        for valid, field in checks:
            if not valid:
                raise InvalidSpec(f"back-off: {field} cannot be {getattr(self, field)!r}")

    def gives_up(self, failures: int) -> bool:
        """Whether that many failures in a row are too many."""
        return self.give_up_after is not None and failures > self.give_up_after

    def delay(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after that many failures in a row (1, 2, …)."""
        if failures <= 1:
            return 0.0
        # The exponent is bounded before it is used: 2.0**1100 is an OverflowError.
        steps = failures - 2
        if self.factor > 1 and self.initial < self.maximum:
            steps = min(steps, math.ceil(math.log(self.maximum / self.initial, self.factor)))
        delay = min(self.maximum, self.initial * self.factor**steps)
        return delay * chance.uniform(1 - self.jitter, 1 + self.jitter)


def _is_between(value: object, least: float, most: float, *, open_below: bool = False) -> bool:
    if not is_number(value) or not math.isfinite(value):
        return False
    return least <= value <= most and not (open_below and value == least)
