"""What the connections of a listener have in common: whom they serve, how patiently, how long."""

import attrs
from hypercorn.config import Config
from hypercorn.trio.worker_context import EventWrapper, WorkerContext

from cortexd.http.guard import AsgiApp


class _StopFlag(EventWrapper):
    def set_nowait(self) -> None:
        self._event.set()


class Context(WorkerContext):
    """What all connections of a listener share: whether it is stopping."""

    def __init__(self) -> None:
        super().__init__(max_requests=None)
        self._stop = _StopFlag()
        self.terminated = self._stop

    def stop(self) -> None:
        """From now on every response is the last one of its connection."""
        self._stop.set_nowait()


@attrs.frozen(kw_only=True)
class Host:
    """Whom a connection serves requests for, and how."""

    app: AsgiApp
    config: Config
    context: Context
    body_bytes_max: int


@attrs.frozen(kw_only=True)
class Patience:
    """How long a client may take, in seconds."""

    keep_alive_s: float
    header_s: float
