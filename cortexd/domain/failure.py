"""The kinds of upstream failure, and what each kind means for the request it happened to.

A kind is a column of consequences: who may try next and what the client is told if nobody helps.
"""

from enum import Enum, unique

import attrs


@attrs.frozen
class Consequence:
    """What a failure of some kind leads to.

    `fails_over`: another worker may still answer. `status` and `code`: what the client gets when
    no other worker did.
    """

    fails_over: bool
    status: int
    code: str


@unique
class FailureKind(Enum):
    """What went wrong between a worker and us."""

    UNREACHABLE = Consequence(fails_over=True, status=502, code="upstream_unreachable")
    TIMED_OUT = Consequence(fails_over=True, status=504, code="upstream_timeout")
    OVERLOADED = Consequence(fails_over=True, status=503, code="upstream_overloaded")
    SERVER_ERROR = Consequence(fails_over=True, status=502, code="bad_upstream_response")
    RATE_LIMITED = Consequence(fails_over=True, status=429, code="rate_limit_exceeded")
    QUOTA_EXHAUSTED = Consequence(fails_over=True, status=503, code="no_healthy_key")
    # Never 401: the client's own key is fine, it is ours that the provider rejects.
    BAD_KEY = Consequence(fails_over=True, status=503, code="rejected_upstream_key")
    REFUSED = Consequence(fails_over=False, status=400, code="refused_by_worker")
