"""What the headers of an answer tell of its exchange: who answered, from where, and how it went."""

from collections.abc import Sequence
from typing import Final

import trio

from cortexd.http.doors.rate_limit_headers import rate_limit_headers
from cortexd.pipeline.exchange import Exchange, Trail
from cortexd.policy.degradation import DegradationLevel

NOTES_MAX: Final = 8
"""How many workers a header has room for."""


def exchange_headers(
    exchange: Exchange, request_id_headers: Sequence[str]
) -> list[tuple[str, str]]:
    """What clients and operators may want to know of an answer besides the answer.

    `request_id_headers`: those in which the clients of a dialect look for the request's id.
    """
    headers = [(name, str(exchange.request_id)) for name in request_id_headers]
    if exchange.worker is not None:
        headers.append(("x-cortexd-worker", exchange.worker))
    headers.append(("x-cortexd-attempts", _attempts(exchange.trail)))
    headers.append(("x-cortexd-cache", exchange.cache.value))
    if exchange.dead_letter is not None:
        headers.append(("x-cortexd-dead-letter", exchange.dead_letter))
    if exchange.level is not DegradationLevel.HEALTHY:
        headers.append(("x-cortexd-degradation", exchange.level.value))
    if exchange.allowance is not None:
        headers += rate_limit_headers(exchange.allowance, trio.current_time())
    return headers


def _attempts(trail: Trail) -> str:
    """How many there were, and why each worker was asked or passed over: `1 (a: taken)`."""
    notes = trail.explain()
    if not notes:
        return "0"
    told = "; ".join(map(str, notes[:NOTES_MAX]))
    more = "; more" if len(notes) > NOTES_MAX else ""
    return f"{len(trail.attempts)} ({told}{more})"
