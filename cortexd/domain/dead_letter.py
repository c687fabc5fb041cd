"""A request that failed for good, kept so that an operator can look at it and try it again."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.ids import DeadLetterId, RequestId, WorkerName
from cortexd.domain.outcome import Outcome

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_BITS_PER_DIGIT: Final = 5
_TIME_DIGITS: Final = 9
_CHANCE_DIGITS: Final = 5
_MS_PER_S: Final = 1000


def dead_letter_id(now_s: float, chance: int) -> DeadLetterId:
    """An id that sorts by its time, in seconds since the epoch.

    Some bits of `chance` tell apart what happens within the same millisecond. The digits are
    Crockford's, which leave out those that look like others.
    """
    time, tail = _digits(int(now_s * _MS_PER_S), _TIME_DIGITS), _digits(chance, _CHANCE_DIGITS)
    return DeadLetterId(f"dl-{time}{tail}")


def _digits(number: int, count: int) -> str:
    mask = len(_DIGITS) - 1
    return "".join(
        _DIGITS[number >> shift & mask]
        for shift in range((count - 1) * _BITS_PER_DIGIT, -1, -_BITS_PER_DIGIT)
    )


@attrs.frozen
class FailedAttempt:
    """A worker that was asked, and how it failed."""

    worker: WorkerName
    error: str


@attrs.frozen(kw_only=True)
class Retry:
    """The last time an operator had the request run again.

    `at`: when, in seconds since the epoch. `status` is HTTP's; `answer`: what the client would have
    got, or its beginning where it `is_cut`; `None` where it was not asked for.
    """

    at: float
    status: int
    answer: bytes | None = None
    is_cut: bool = False


@attrs.frozen(kw_only=True)
class DeadLetter:
    """What is kept of a request. Never a credential, never a header.

    `kept_at`: in seconds since the epoch. `error` is the kind of the failure, `message` says more.
    `body_bytes`: the size of the body, whether or not it was kept; `has_body` says if it was, and
    `body` is `None` as well where it was not asked for. `retries`: how often it was tried again,
    `retried` for the last time.
    """

    id: DeadLetterId
    kept_at: float
    request_id: RequestId
    door: str
    path: str
    model: str | None
    outcome: Outcome
    error: str
    message: str
    attempts: Sequence[FailedAttempt]
    key_id: ClientKeyId | None
    body_bytes: int
    has_body: bool
    body: bytes | None = None
    retries: int = 0
    retried: Retry | None = None


@attrs.frozen(kw_only=True)
class DeadLetterLimits:
    """How much is kept, and for how long; beyond that the oldest go first."""

    entries_max: int
    bytes_max: int
    age_s_max: float


@attrs.frozen(kw_only=True)
class DeadLetterStats:
    """What there is, and what has gone.

    `waiting`: those that have not been answered by a retry. `by_error`: how many of each kind.
    `oldest_at`: in seconds since the epoch. `dropped`: how many have gone ever, because there were
    too many or they were too old. `recent`: the latest few, newest first, without their bodies.
    `unreadable`: how many of the `total` cannot be shown or retried, as of the last minute.
    """

    total: int = 0
    waiting: int = 0
    bytes: int = 0
    by_error: Mapping[str, int] = attrs.Factory(dict)
    oldest_at: float | None = None
    dropped: int = 0
    recent: Sequence[DeadLetter] = ()
    unreadable: int = 0
