"""Every way an exchange can go wrong, each saying whose fault it is.

The client's: `RequestRefused`. A worker's: `WorkerFailed`. The node's: `NoWorkerAvailable`,
`NodeStopping`. Nobody's: `DeadlineExceeded`.
"""

import attrs

from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName


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

    @property
    def message(self) -> str:  # type: ignore[override]  # derived here, stored in the siblings
        """One sentence for the client, free of upstream addresses."""
        if self.told is not None:
            return f"worker '{self.worker}' refuses this request: {self.told}"
        return f"worker '{self.worker}' failed: {self.kind.name.lower().replace('_', ' ')}"


@attrs.frozen
class NoWorkerAvailable(CortexError):
    """Workers serve this model, but none of them can take the request now."""

    message: str
    retry_after_s: float


@attrs.frozen
class DeadlineExceeded(CortexError):
    """The time the client allowed is over."""

    message: str


@attrs.frozen
class NodeStopping(CortexError):
    """The node is draining and its time is up."""

    message: str
