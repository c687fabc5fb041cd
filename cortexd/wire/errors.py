"""What goes wrong with bytes that come from a worker.

These errors know neither the worker nor the attempt; the adapter that does turns them into
`WorkerFailed`.
"""

import attrs

from cortexd.domain.failure import FailureKind


class WireError(Exception):
    """Root of the errors of this package that are a worker's fault."""

    detail: str

    def __str__(self) -> str:
        return self.detail


@attrs.frozen
class MalformedStream(WireError):
    """The worker's bytes are not what its protocol promises, or end before the answer does.

    Counts as `FailureKind.SERVER_ERROR`.
    """

    detail: str


@attrs.frozen
class UpstreamError(WireError):
    """The worker says in its own words that it failed.

    `detail` quotes it, cut to length, for the operator alone. `status` is the HTTP status it came
    with, or the one it names inside a stream. `told` is its message, where it came in a known form
    and not as a page of HTML, say. `retry_after_s`, or the latest of the times in `retry_at` (as
    RFC 3339 writes them): when to come again, where the body tells, or headers of this provider.
    """

    kind: FailureKind
    detail: str
    status: int | None = None
    told: str | None = None
    retry_after_s: float | None = None
    retry_at: tuple[str, ...] = ()
