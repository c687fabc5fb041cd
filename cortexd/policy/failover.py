"""Where an exchange goes next, and when: the rules of retry and failover.

Rules of this file: a worker that can serve at once comes before any wait; each wait is granted by
the retry budget of the worker that is waited for; nothing begins that cannot end in time.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from cortexd.domain.errors import CONTEXT_TOO_LONG, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import KeyIndex
from cortexd.policy.backoff import backoff_s
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.traffic import Traffic

PAUSE_S_MAX: Final = 20.0
"""Nobody is kept waiting longer for a worker to recover: a client's own retry does that better."""


@attrs.frozen
class Prospect:
    """A worker that may be asked.

    `forced`: in spite of its circuit breaker, once. `context_tokens`: how much it takes, if known.
    """

    traffic: Traffic
    forced: bool = False
    context_tokens: int | None = None


@attrs.frozen
class Ask:
    """Ask the prospect at this place, with this key."""

    place: int
    key: KeyIndex


@attrs.frozen
class Pause:
    """Wait until then, on the monotonic clock; then ask for the next step."""

    until: float


@attrs.frozen
class GiveUp:
    """Nobody is left to be asked."""


Step: TypeAlias = Ask | Pause | GiveUp


@attrs.define(eq=False)
class _Leg:
    """A prospect and what has come of it.

    `may_go`: it may be asked, from `not_before` on; else it needs a grant first. `is_over`: it is
    not asked again.
    """

    prospect: Prospect
    may_go: bool = True
    not_before: float = 0.0
    failures: int = 0
    pause_s: float | None = None
    bad_keys: set[KeyIndex] = attrs.Factory(set)
    is_over: bool = False

    def pick_key(self, now: float) -> KeyIndex | None:
        """The key to ask with now, `None` if it cannot be asked now."""
        traffic = self.prospect.traffic
        if not (self.prospect.forced or traffic.breaker.admits(now)):
            return None
        return traffic.keys.pick(now, without=self.bad_keys)

    def ready_at(self, now: float) -> float | None:
        """When it may be asked again, given a grant; `None` if it will not be."""
        key_at = self.prospect.traffic.keys.ready_at(now, without=self.bad_keys)
        if self.is_over or key_at is None:
            return None
        return max(self.not_before, key_at, self.prospect.traffic.breaker.retry_at(now) or now)


class Itinerary:
    """The way of one exchange through its prospects, which are in order of preference."""

    def __init__(
        self, prospects: Sequence[Prospect], settings: RetrySettings, *, chance: random.Random
    ) -> None:
        self._legs = [_Leg(prospect) for prospect in prospects]
        self._attempts_left = settings.max_attempts
        self._chance = chance

    def next(
        self, now: float, *, deadline: float, can_serve: Callable[[int], bool] | None = None
    ) -> Step:
        """The next step. `can_serve`, given a place, leaves out who is of no use any more."""
        if self._attempts_left <= 0:
            return GiveUp()
        for place, leg in enumerate(self._legs):
            if leg.is_over or not leg.may_go or now < leg.not_before:
                continue
            if can_serve is not None and not can_serve(place):
                continue
            key = leg.pick_key(now)
            if key is not None:
                return Ask(place, key)
            # What has come between since it was chosen, or since its wait was granted.
            leg.is_over = True
        return self._pause(now, deadline, can_serve)

    def failed(self, asked: Ask, failure: WorkerFailed, now: float) -> None:
        """Take note of how the step ended; the worker's own accounts have been told before."""
        leg = self._legs[asked.place]
        consequence = failure.kind.value
        leg.failures += 1
        leg.may_go = False
        if failure.kind is FailureKind.BUSY:
            # The worker has seen nothing of it.
            leg.is_over = True
            return
        if consequence.blames_key:
            leg.bad_keys.add(asked.key)
        else:
            self._attempts_left -= 1
        if not consequence.next_worker:
            self._refused(leg, failure)
        elif consequence.next_key and self._may_try_another_key(leg, asked.key, now):
            leg.may_go, leg.not_before = True, now
        elif consequence.same_again and not leg.prospect.forced:
            leg.pause_s = backoff_s(
                failure.kind, retry=leg.failures, previous_s=leg.pause_s, chance=self._chance
            )
            leg.not_before = now + leg.pause_s
        else:
            leg.is_over = True

    def _may_try_another_key(self, leg: _Leg, key: KeyIndex, now: float) -> bool:
        """Whether it has one, and that attempt is not the last one that another worker needs."""
        others = any(other.may_go and not other.is_over for other in self._legs if other is not leg)
        if others and self._attempts_left <= 1 and key not in leg.bad_keys:
            return False
        return leg.prospect.traffic.keys.is_ready(now, without={*leg.bad_keys, key})

    def _pause(
        self, now: float, deadline: float, can_serve: Callable[[int], bool] | None
    ) -> Pause | GiveUp:
        waiting = [
            (ready_at, place)
            for place, leg in enumerate(self._legs)
            if (can_serve is None or can_serve(place))
            and (ready_at := leg.ready_at(now)) is not None
            and ready_at <= now + PAUSE_S_MAX
            and ready_at < deadline
        ]
        for ready_at, place in sorted(waiting):
            leg = self._legs[place]
            if leg.may_go or leg.prospect.traffic.budget.withdraw(now):
                leg.may_go, leg.not_before = True, ready_at
                return Pause(ready_at)
            leg.is_over = True
        return GiveUp()

    def _refused(self, by: _Leg, failure: WorkerFailed) -> None:
        """Nobody else is asked, but for those who may take more than the one that found it long."""
        known = by.prospect.context_tokens
        for leg in self._legs:
            takes = leg.prospect.context_tokens
            if (
                failure.code != CONTEXT_TOO_LONG
                or leg is by
                or (known is not None and takes is not None and takes <= known)
            ):
                leg.is_over = True
