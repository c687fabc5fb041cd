"""Which of a worker's API keys can be used, and which one is next.

Rules of this file: a key's health is its own and says nothing of the worker's; keys are known by
their position alone. All times are on the clock of `now`, in seconds.
"""

from collections.abc import Collection, Iterator
from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.ids import KeyIndex

GATE_S_MAX: Final = 60.0
"""No rate limit holds a key back for longer, whatever the upstream says."""

QUOTA_REST_S: Final = 3600.0
"""For a key out of quota whose upstream does not say until when."""

QUOTA_REST_S_MAX: Final = 31 * 86400.0
"""No quota is for longer than a month; a date behind that is a mistake."""

REJECTED_REST_S: Final = 600.0
REJECTED_REST_S_MAX: Final = 86400.0
"""A key that is rejected again and again rests twice as long each time, from the first of these
to the second."""

_NEVER: Final = float("-inf")


@unique
class KeyState(Enum):
    """How a key is doing. A limited one is good, but must wait; the last two are off."""

    GOOD = "good"
    LIMITED = "limited"
    EXHAUSTED = "exhausted"
    REJECTED = "rejected"


@attrs.frozen(kw_only=True)
class KeyChange:
    """A key was switched off, for `rest_s` seconds, or works again."""

    key: KeyIndex
    state: KeyState
    rest_s: float | None


@attrs.frozen(kw_only=True)
class KeyRecord:
    """A key as operators see it. `until`: when a state that ends by itself does.

    The counts are of all that happened since the start: how often it was picked, hit a rate limit,
    ran out of quota and was rejected.
    """

    key: KeyIndex
    state: KeyState
    until: float | None
    picks: int
    limits: int
    exhaustions: int
    rejections: int


@attrs.define(eq=False)
class _Key:
    """`verdict`: GOOD, or why it was switched off last, until `off_until`."""

    index: KeyIndex
    verdict: KeyState = KeyState.GOOD
    off_until: float = _NEVER
    gated_until: float = _NEVER
    next_rejected_rest_s: float = REJECTED_REST_S
    limited_at: float = _NEVER
    picked_in_turn: int = 0
    picks: int = 0
    limits: int = 0
    exhaustions: int = 0
    rejections: int = 0

    def is_off(self, now: float) -> bool:
        return self.off_until > now

    def is_gated(self, now: float) -> bool:
        return self.gated_until > now

    def switch_off(self, why: KeyState, now: float, rest_s: float) -> KeyChange:
        self.verdict = why
        self.off_until = now + rest_s
        return KeyChange(key=self.index, state=why, rest_s=rest_s)

    def record(self, now: float) -> KeyRecord:
        state, until = KeyState.GOOD, None
        if self.is_off(now):
            state, until = self.verdict, self.off_until
        elif self.is_gated(now):
            state, until = KeyState.LIMITED, self.gated_until
        return KeyRecord(
            key=self.index,
            state=state,
            until=until,
            picks=self.picks,
            limits=self.limits,
            exhaustions=self.exhaustions,
            rejections=self.rejections,
        )


class KeyRing:
    """The keys of one worker. A worker without keys has one all the same: no key, index 0.

    `count` is 1 or more. A rest that is over does not make a key good, but it may be tried again;
    only `accepted` forgets what has been.
    """

    def __init__(self, count: int) -> None:
        self._keys = tuple(_Key(KeyIndex(index)) for index in range(count))
        self._turn = 0

    def pick(self, now: float, *, without: Collection[KeyIndex] = ()) -> KeyIndex | None:
        """The key to use now, `None` if there is none that is neither off nor gated nor excluded.

        The least recently limited goes first, and of those alike the least recently picked.
        """
        ready = [key for key in self._usable(now, without) if not key.is_gated(now)]
        if not ready:
            return None
        picked = min(ready, key=lambda key: (key.limited_at, key.picked_in_turn))
        self._turn += 1
        picked.picked_in_turn = self._turn
        picked.picks += 1
        return picked.index

    def ready_at(self, now: float, *, without: Collection[KeyIndex] = ()) -> float | None:
        """When a key can be picked, at the earliest; `None` if all are off or excluded."""
        opens_at = min((key.gated_until for key in self._usable(now, without)), default=None)
        return None if opens_at is None else max(now, opens_at)

    def is_ready(self, now: float, *, without: Collection[KeyIndex] = ()) -> bool:
        """Whether a key can be picked now."""
        return any(not key.is_gated(now) for key in self._usable(now, without))

    def is_dead(self, now: float) -> bool:
        """Whether every key is rejected or out of quota. To be limited is not to be dead."""
        return all(key.is_off(now) for key in self._keys)

    def limited(self, key: KeyIndex, now: float, wait_s: float) -> None:
        """It hit a rate limit: nobody uses it for `wait_s`. Of two gates the later one wins."""
        limited = self._keys[key]
        limited.limits += 1
        limited.limited_at = now
        limited.gated_until = max(limited.gated_until, now + min(wait_s, GATE_S_MAX))

    def exhausted(self, key: KeyIndex, now: float, wait_s: float | None) -> KeyChange | None:
        """It is out of quota: off for `wait_s`, or for an hour. Of two dates the later one wins.

        Calls that were in flight when it was switched off say so again: that is no change.
        """
        exhausted = self._keys[key]
        exhausted.exhaustions += 1
        rest_s = QUOTA_REST_S if wait_s is None else min(max(0.0, wait_s), QUOTA_REST_S_MAX)
        if not exhausted.is_off(now):
            return exhausted.switch_off(KeyState.EXHAUSTED, now, rest_s)
        if exhausted.verdict is KeyState.EXHAUSTED and wait_s is not None:
            exhausted.off_until = max(exhausted.off_until, now + rest_s)
        return None

    def rejected(self, key: KeyIndex, now: float) -> KeyChange | None:
        """It is a bad key: off, twice as long each time. No change if it was off already."""
        rejected = self._keys[key]
        rejected.rejections += 1
        if rejected.is_off(now):
            return None
        rest_s = rejected.next_rejected_rest_s
        rejected.next_rejected_rest_s = min(rest_s * 2.0, REJECTED_REST_S_MAX)
        return rejected.switch_off(KeyState.REJECTED, now, rest_s)

    def accepted(self, key: KeyIndex, now: float) -> KeyChange | None:
        """It works, so no rejection counts any more; a change if it had been switched off.

        Two things stay: a gate, since whoever is let in may still have to wait for the next time,
        and the rest of a key that is out of quota, since what began before it ran out ends well.
        """
        accepted = self._keys[key]
        accepted.next_rejected_rest_s = REJECTED_REST_S
        if accepted.verdict is KeyState.GOOD:
            return None
        if accepted.verdict is KeyState.EXHAUSTED and accepted.is_off(now):
            return None
        accepted.verdict = KeyState.GOOD
        accepted.off_until = _NEVER
        return KeyChange(key=key, state=KeyState.GOOD, rest_s=None)

    def records(self, now: float) -> tuple[KeyRecord, ...]:
        """How the keys stand, in their order."""
        return tuple(key.record(now) for key in self._keys)

    def _usable(self, now: float, without: Collection[KeyIndex]) -> Iterator[_Key]:
        return (key for key in self._keys if not key.is_off(now) and key.index not in without)
