"""How much a client may ask for in a minute: requests, and tokens.

A bucket holds what may be spent at once, which is the limit of a minute, and fills again at the
limit's pace. Tokens are reserved by an estimate and settled when it is known what was spent, so a
bucket may be in debt for a while.
"""

from typing import Final

import attrs
from attrs import validators

from cortexd.domain.client_key import ClientKey
from cortexd.domain.criticality import Criticality

MINUTE_S: Final = 60.0


def _limit() -> int | None:
    limit: int | None = attrs.field(default=None, validator=validators.optional(validators.ge(1)))
    return limit


@attrs.frozen(kw_only=True)
class LimitSettings:
    """[limits] in cortexd.toml: for keys that set no limits, by class, and for clients without key.

    All of the latter together are one client. `None`: no limit.
    """

    premium_requests_per_minute: int | None = _limit()
    premium_tokens_per_minute: int | None = _limit()
    normal_requests_per_minute: int | None = _limit()
    normal_tokens_per_minute: int | None = _limit()
    anonymous_requests_per_minute: int | None = _limit()
    anonymous_tokens_per_minute: int | None = _limit()


class Bucket:
    """What may still be spent. `now` is on the monotonic clock."""

    __slots__ = ("_at", "_level", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = 0.0

    def level(self, now: float) -> float:
        """How much is in it; below zero, there is a debt."""
        if now > self._at:
            gained = (now - self._at) * self.per_minute / MINUTE_S
            self._level = min(float(self.per_minute), self._level + gained)
            self._at = now
        return self._level

    def take(self, amount: float, now: float) -> float:
        """Spend `amount`; returns 0, or for how many seconds there is not enough to spend it.

        More than ever fits is taken out of a full bucket: it has to wait, but not for ever.
        """
        needed = min(amount, float(self.per_minute))
        missing = needed - self.level(now)
        # What fills drop by drop may stay a hair below the number that it stands for.
        if missing > _HAIR:
            return missing * MINUTE_S / self.per_minute
        self._level -= amount
        return 0.0

    def settle(self, amount: float, now: float) -> None:
        """Spend `amount` more than was taken, whatever is there; below zero, give it back."""
        self._level = min(float(self.per_minute), self.level(now) - amount)

    def full_in_s(self, now: float) -> float:
        """In how many seconds it is as full as it can be."""
        return (self.per_minute - self.level(now)) * MINUTE_S / self.per_minute


_HAIR: Final = 1e-6


@attrs.frozen(eq=False)
class Allowance:
    """What one client may spend; `None` where nothing limits it."""

    requests: Bucket | None = None
    tokens: Bucket | None = None

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """Requests and tokens a minute."""
        return _per_minute(self.requests), _per_minute(self.tokens)


def allowance_of(key: ClientKey, limits: LimitSettings) -> Allowance:
    """A fresh allowance for a key: its own limits, or those of its class."""
    by_class = (
        (limits.premium_requests_per_minute, limits.premium_tokens_per_minute)
        if key.criticality is Criticality.PREMIUM
        else (limits.normal_requests_per_minute, limits.normal_tokens_per_minute)
    )
    own = (key.requests_per_minute, key.tokens_per_minute)
    requests, tokens = (
        usual if one is None else one for one, usual in zip(own, by_class, strict=True)
    )
    return allowance(requests, tokens)


def allowance(requests_per_minute: int | None, tokens_per_minute: int | None) -> Allowance:
    """A fresh allowance."""
    return Allowance(_bucket(requests_per_minute), _bucket(tokens_per_minute))


def _bucket(per_minute: int | None) -> Bucket | None:
    return None if per_minute is None else Bucket(per_minute)


def _per_minute(bucket: Bucket | None) -> int | None:
    return None if bucket is None else bucket.per_minute
