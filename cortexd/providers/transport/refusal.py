"""What an answer other than the one asked for means for the request."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import WorkerName
from cortexd.providers.answer_stream import worker_failure
from cortexd.providers.retry_after import retry_after_s, seconds_until_latest
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

ERROR_BODY_BYTES_MAX: Final = 64 * 1024
ERROR_BODY_S_MAX: Final = 2.0
"""That it failed is known; a server that is slow to say why must not hold the request up."""

ErrorDecoder: TypeAlias = Callable[[FailedAnswer], UpstreamError]


def refusal(worker: WorkerName, answer: FailedAnswer, decode_error: ErrorDecoder) -> WorkerFailed:
    """The failure of `worker` that its answer stands for, with the wait that it asks for."""
    error = decode_error(answer)
    return worker_failure(worker, error, retry_after_s=_wait_s(answer, error))


def _wait_s(answer: FailedAnswer, error: UpstreamError) -> float | None:
    """What `retry-after` says, which is meant for this very answer, or else what the codec read."""
    now = datetime.now(UTC)
    wait_s = retry_after_s(answer.headers, now=now)
    if wait_s is None:
        wait_s = error.retry_after_s
    if wait_s is None:
        wait_s = seconds_until_latest(error.retry_at, now=now)
    return wait_s
