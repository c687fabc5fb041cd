"""How much a client may ask for in a minute: requests, and tokens.

A bucket holds what may be spent at once, which is the limit of a minute, and fills again at the
limit's pace. Tokens are reserved by an estimate and settled when it is known what was spent, so a
bucket may be in debt for a while.

Where nodes share the limits of their clients, the bucket that counts is elsewhere, and a node's own
is its picture of that. While a node does not hear of it, it is *apart*: it has a part of the limit
to itself, and what it lets its clients spend out of that, it owes to the others.
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

    __slots__ = ("_at", "_capacity", "_level", "_owed", "is_apart", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.is_apart = True
        self._capacity = self._level = float(per_minute)
        self._at = self._owed = 0.0

    def level(self, now: float) -> float:
        """How much is in it; below zero, there is a debt."""
        if now > self._at:
            level = self._level + (now - self._at) * self._capacity / MINUTE_S
            if level > self._capacity:
                if self.is_apart and self._owed > 0:
                    # What was spent apart has come back by now, to the others as well.
                    self._owed = max(0.0, self._owed - (level - self._capacity))
                level = self._capacity
            self._level, self._at = level, now
        return self._level

    def wait_s(self, amount: float, now: float) -> float:
        """For how many seconds there is not enough to spend `amount`; 0 if there is.

        More than ever fits needs a full bucket: it has to wait, but not for ever.
        """
        missing = min(amount, self._capacity) - self.level(now)
        # What fills drop by drop may stay a hair below the number that it stands for.
        return missing * MINUTE_S / self._capacity if missing > _HAIR else 0.0

    def take(self, amount: float, now: float) -> float:
        """Spend `amount`, and return 0; or spend nothing, and return how long to wait for it."""
        wait_s = self.wait_s(amount, now)
        if not wait_s:
            self._level -= amount
            self._owed += amount
        return wait_s

    def settle(self, amount: float, now: float) -> None:
        """Spend `amount` more than was taken, whatever is there; below zero, give it back."""
        self._level = min(self._capacity, self.level(now) - amount)
        self._owed += amount

    def full_in_s(self, now: float) -> float:
        """In how many seconds it is as full as it can be."""
        return (self._capacity - self.level(now)) * MINUTE_S / self._capacity

    def part(self, nodes: int, now: float) -> None:
        """Have only a part of the limit from now on, one of `nodes` that there are."""
        level = self.level(now)
        self.is_apart, self._capacity = True, max(1.0, self.per_minute / nodes)
        self._level = min(self._capacity, level)

    def owed(self, now: float) -> float:
        """What has been spent that the others are to be told of now; asked for once."""
        self.level(now)
        owed, self._owed = self._owed, 0.0
        self.is_apart, self._capacity = False, float(self.per_minute)
        return owed

    def owe(self, amount: float) -> None:
        """The others could not be told of this."""
        self._owed += amount

    def picture(self, level: float, now: float) -> None:
        """Take over what all nodes together have left."""
        self._level, self._at = min(float(self.per_minute), level), now


_HAIR: Final = 1e-6


@attrs.frozen(eq=False)
class Allowance:
    """What one client may spend; `None` where nothing limits it."""

    requests: Bucket | None = None
    tokens: Bucket | None = None

    @property
    def buckets(self) -> tuple[Bucket | None, Bucket | None]:
        """That of requests, and that of tokens."""
        return self.requests, self.tokens

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
