"""Every way an exchange can go wrong, each saying whose fault it is.

The client's: `RequestRefused`. A worker's: `WorkerFailed`. The node's: `NoWorkerAvailable`,
`RequestShed`, `NodeStopping`. Nobody's: `DeadlineExceeded`.
"""

from collections.abc import Collection
from typing import Final

import attrs

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
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
        """The same, should the upstream have quoted one of these."""
        if not secrets:
            return self
        told = None if self.told is None else without(secrets, self.told)
        return attrs.evolve(self, detail=without(secrets, self.detail), told=told)

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
