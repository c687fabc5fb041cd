"""What an answer other than the one asked for means for the request."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import WorkerName
from cortexd.providers.answer_stream import worker_failure
from cortexd.providers.retry_after import retry_after_s
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

ERROR_BODY_BYTES_MAX: Final = 64 * 1024
ERROR_BODY_S_MAX: Final = 2.0
"""That it failed is known; a server that is slow to say why must not hold the request up."""

ErrorDecoder: TypeAlias = Callable[[FailedAnswer], UpstreamError]


def refusal(worker: WorkerName, answer: FailedAnswer, decode_error: ErrorDecoder) -> WorkerFailed:
    """The failure of `worker` that its answer stands for; a wait in its body wins over headers."""
    error = decode_error(answer)
    wait_s = error.retry_after_s
    if wait_s is None:
        wait_s = retry_after_s(answer.headers, now=datetime.now(UTC))
    return worker_failure(worker, error, retry_after_s=wait_s)
