"""Exchanges and attempts that have ended, as a node tells of them."""

from typing import Any

import attrs

from cortexd.domain.cache_use import CacheUse
from cortexd.domain.events import AttemptEnded, ExchangeEnded
from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.domain.usage import Usage

_EXCHANGE = ExchangeEnded(
    request_id=RequestId("r"),
    door="openai",
    model="m",
    outcome=Outcome.SERVED,
    duration_s=1.2,
    first_token_s=0.2,
    worker=WorkerName("a"),
    candidates=(),
    attempts=1,
    failures=(),
    resumed=0,
    cache=CacheUse.MISS,
    usage=Usage(10, 21),
    usage_is_estimate=False,
    overhead_s=0.0004,
)
_ATTEMPT = AttemptEnded(
    worker=WorkerName("a"),
    failure=None,
    is_answered=True,
    queued_s=0.0,
    first_token_s=0.19,
    duration_s=1.1,
    usage=Usage(10, 21),
)


def ended(**changes: Any) -> ExchangeEnded:
    """An exchange that was served by worker `a`, but for what the test says."""
    return attrs.evolve(_EXCHANGE, **changes)


def attempted(**changes: Any) -> AttemptEnded:
    """An attempt that worker `a` has answered, but for what the test says."""
    return attrs.evolve(_ATTEMPT, **changes)
