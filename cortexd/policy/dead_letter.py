"""Which failed requests are kept, and what of them."""

from typing import Final

import attrs
from attrs import validators

from cortexd.domain.dead_letter import DeadLetterLimits
from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RateLimited,
    RequestRefused,
    RequestShed,
    WorkerFailed,
)
from cortexd.domain.failure import FailureKind

BODY_BYTES_MAX: Final = 1024 * 1024
"""A larger request is kept without its body."""

MESSAGE_CHARACTERS_MAX: Final = 500

_NOT_FOR_GOOD: Final = (RequestRefused, RateLimited, RequestShed, NodeStopping)
"""It would be refused again, or it is the client's part to ask again elsewhere or later."""

_SAID_FOR_A_WORKER: Final = frozenset({FailureKind.REFUSED, FailureKind.BUSY})
"""The same, said for a worker: its refusal, and the full queue in front of it."""


@attrs.frozen(kw_only=True)
class DlqSettings:
    """[dlq] in cortexd.toml: the dead letter queue."""

    enabled: bool = True
    max_entries: int = attrs.field(default=1000, validator=validators.ge(1))
    max_bytes: int = attrs.field(default=256 * 1024 * 1024, validator=validators.ge(1024 * 1024))
    max_age_seconds: float = attrs.field(default=86_400.0, validator=validators.gt(0))
    store_body: bool = True

    @property
    def limits(self) -> DeadLetterLimits:
        """How much is kept, and for how long."""
        return DeadLetterLimits(
            entries_max=self.max_entries,
            bytes_max=self.max_bytes,
            age_s_max=self.max_age_seconds,
        )


def failed_for_good(error: CortexError) -> bool:
    """Whether a request that ended like this is worth another try some time."""
    if isinstance(error, WorkerFailed):
        return error.kind not in _SAID_FOR_A_WORKER
    return not isinstance(error, _NOT_FOR_GOOD)


def kind_of(error: CortexError) -> str:
    """What sort of failure it is, in a word to count by."""
    match error:
        case WorkerFailed(kind=kind):
            return kind.name.lower()
        case NoWorkerAvailable(code=code):
            return code
        case DeadlineExceeded():
            return "deadline_exceeded"
    return "internal_error"


def message_of(error: CortexError) -> str:
    """What an operator should read about it. Workers' own words are cut short."""
    if isinstance(error, WorkerFailed):
        return shortened(error.report)
    return shortened(error.message)


def shortened(text: str) -> str:
    """The text, or its beginning."""
    if len(text) <= MESSAGE_CHARACTERS_MAX:
        return text
    return text[: MESSAGE_CHARACTERS_MAX - 1] + "…"
