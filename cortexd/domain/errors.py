"""Every way an exchange can go wrong, each saying whose fault it is.

The client's: `RequestRefused`, `RateLimited`. A worker's: `WorkerFailed`. The node's:
`NoWorkerAvailable`, `RequestShed`, `NodeStopping`, `StorageFailed`, `SharedStoreFailed`. Nobody's:
`DeadlineExceeded`.
"""

from collections.abc import Collection
from typing import Final

import attrs

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.redaction import without_credentials, without_data, without_runs
from cortexd.domain.secret import Secret, without

CONTEXT_TOO_LONG: Final = "context_length_exceeded"
"""The code of a refusal, for a prompt that is longer than the model takes."""


class CortexError(Exception):
    """Root of all errors that cross a layer boundary; `message` is fit for a client's eyes."""

    message: str

    def __str__(self) -> str:
        return self.message


@attrs.frozen
class RequestRefused(CortexError):
    """The request itself is wrong; the same request will be refused again.

    `param` is the exact path of the offending field (`messages[3].role`), `status` the HTTP status.
    """

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400


@attrs.frozen
class RateLimited(CortexError):
    """The client has asked for more than it may in this time; `status` is HTTP's."""

    message: str
    retry_after_s: float
    status: int = 429
    code: str = "rate_limit_exceeded"


@attrs.frozen
class WorkerFailed(CortexError):
    """A worker gave no answer, or broke one off.

    `detail` is for the operator's log and may quote whatever the upstream sent. Where the kind is
    REFUSED, `status` is the upstream's own, `told` its sentence for the client, if it had one, and
    `code` the word for it, if there is one.
    """

    worker: WorkerName
    kind: FailureKind
    detail: str
    retry_after_s: float | None = None
    status: int | None = None
    told: str | None = None
    code: str | None = None

    def without(self, secrets: Collection[Secret]) -> "WorkerFailed":
        """The same, should the upstream have quoted one of these, or another credential."""
        told = self.told
        if told is not None:
            told = without_credentials(without(secrets, told))
        detail = without_data(without_credentials(without(secrets, self.detail)))
        return attrs.evolve(self, detail=detail, told=told)

    def without_words_of(self, client: str) -> "WorkerFailed":
        """The same, should the upstream have quoted the client; `told` is for its eyes alone."""
        return attrs.evolve(self, detail=without_runs(self.detail, client))

    @property
    def report(self) -> str:
        """One line for operators: what went wrong, in the upstream's words as well."""
        return f"worker '{self.worker}' failed: {self.kind.value.words} ({self.detail})"

    @property
    def message(self) -> str:  # type: ignore[override]  # derived here, stored in the siblings
        """One sentence for the client, free of upstream addresses."""
        if self.told is not None:
            return f"worker '{self.worker}' refuses this request: {self.told}"
        return f"worker '{self.worker}' failed: {self.kind.value.words}"


@attrs.frozen
class NoWorkerAvailable(CortexError):
    """Workers serve this model, but none of them can take the request now; `status` is HTTP's."""

    message: str
    retry_after_s: float
    status: int = 503
    code: str = "no_worker_available"


@attrs.frozen
class RequestShed(CortexError):
    """The node turns requests away, so that it can serve the others well."""

    message: str
    retry_after_s: float
    status: int = 503
    code: str = "request_shed"


@attrs.frozen
class DeadlineExceeded(CortexError):
    """The time the client allowed is over."""

    message: str


@attrs.frozen
class NodeStopping(CortexError):
    """The node is draining and its time is up."""

    message: str


@attrs.frozen
class StorageFailed(CortexError):
    """What should have been kept, or read, on disk was not; a chat never fails with it."""

    message: str


@attrs.frozen
class SharedStoreFailed(CortexError):
    """What nodes share could not be read or written in time; a chat never fails with it."""

    message: str
