"""The settings of a supervisor, checked when they are made.

Rules of this file: a policy is a value; the budget it makes is the only thing that changes.
"""

from __future__ import annotations

import math

import attrs

from supervisor_tree.child_spec import AutoShutdown, Strategy
from supervisor_tree.errors import InvalidSpec
from supervisor_tree.restart_intensity import RestartIntensity
from supervisor_tree.validation import is_number


@attrs.frozen(kw_only=True)
class Policy:
    """How a supervisor treats its children. Errors: InvalidSpec."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    max_restarts: int = 3
    max_seconds: float = 5.0
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    kill_grace: float = 5.0
    keeps_stopped: bool = True  # children that have ended for good stay listed

    def __attrs_post_init__(self) -> None:
        self.intensity()
        if not isinstance(self.strategy, Strategy):
            raise InvalidSpec(f"strategy must be a Strategy, not {self.strategy!r}")
        if not isinstance(self.auto_shutdown, AutoShutdown):
            raise InvalidSpec(f"auto_shutdown must be an AutoShutdown, not {self.auto_shutdown!r}")
        if not is_number(self.kill_grace) or not 0 <= self.kill_grace < math.inf:
            raise InvalidSpec(f"kill_grace must be finite, not {self.kill_grace!r}")

    def intensity(self) -> RestartIntensity:
        """Make a fresh budget of restarts."""
        return RestartIntensity(max_restarts=self.max_restarts, max_seconds=self.max_seconds)
