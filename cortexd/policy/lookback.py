"""What something that only ever grows was like a while ago."""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

STEPS: Final = 12
"""So many values are kept over the window, so that its far end is off by a twelfth."""


class Lookback(Generic[T]):
    """The values of the last `window_s` seconds, told in the order of their times."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._step_s = window_s / STEPS
        self._past: deque[tuple[float, T]] = deque()

    def since(self, now: float, value: T) -> T:
        """The value of a window ago, or the first there was; `value` is the present one."""
        if not self._past or now - self._past[-1][0] >= self._step_s:
            self._past.append((now, value))
        # The one after the first must be too young before the first may go.
        while len(self._past) > 1 and now - self._past[1][0] >= self._window_s:
            self._past.popleft()
        return self._past[0][1]
