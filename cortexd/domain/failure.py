"""The kinds of upstream failure, and what each kind means for the request it happened to.

A kind is a row of consequences: who may try next, whom it counts against, and what the client is
told if nobody helps.
"""

from enum import Enum, unique

import attrs


@attrs.frozen(kw_only=True)
class Consequence:
    """What a failure of some kind leads to. `words` say what it is.

    `next_worker`: another worker may still answer. `next_key`: so may the same one, at once, if it
    has another key. `same_again`: so may the same one after a while. `blames_worker`: it counts for
    the worker's circuit breaker. `blames_key`: the key is no good, so the next one costs no
    attempt. `status` and `code`: what the client gets when nobody did.
    """

    words: str
    next_worker: bool = True
    next_key: bool = False
    same_again: bool = False
    blames_worker: bool = False
    blames_key: bool = False
    status: int
    code: str


@unique
class FailureKind(Enum):
    """What went wrong between a worker and us."""

    UNREACHABLE = Consequence(
        words="unreachable",
        same_again=True,
        blames_worker=True,
        status=502,
        code="upstream_unreachable",
    )
    # Such as a certificate that is none for this host: it gets no better by asking again.
    UNTRUSTED = Consequence(
        words="not trusted", blames_worker=True, status=502, code="upstream_untrusted"
    )
    TIMED_OUT = Consequence(
        words="timed out", blames_worker=True, status=504, code="upstream_timeout"
    )
    OVERLOADED = Consequence(
        words="overloaded",
        same_again=True,
        blames_worker=True,
        status=503,
        code="upstream_overloaded",
    )
    SERVER_ERROR = Consequence(
        words="server error",
        same_again=True,
        blames_worker=True,
        status=502,
        code="bad_upstream_response",
    )
    RATE_LIMITED = Consequence(
        words="rate limited", next_key=True, same_again=True, status=429, code="rate_limit_exceeded"
    )
    QUOTA_EXHAUSTED = Consequence(
        words="quota exhausted", next_key=True, blames_key=True, status=503, code="no_healthy_key"
    )
    # Never 401: the client's own key is fine, it is ours that the provider rejects.
    BAD_KEY = Consequence(
        words="bad key", next_key=True, blames_key=True, status=503, code="no_healthy_key"
    )
    REFUSED = Consequence(words="refused", next_worker=False, status=400, code="refused_by_worker")
    # Our own queue for it is full: the worker has seen nothing of the request.
    BUSY = Consequence(words="busy", status=503, code="worker_busy")
