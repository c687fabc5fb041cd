"""An upstream's body as a stream of answers: bytes in, batches of events out.

Rules of this file: no generator, because one that is left half-read is closed at a time nobody
chooses; and no task, because the reader of the answer is the one who reads the socket.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from cortexd.domain.answer import Batch
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.wire.errors import MalformedStream, UpstreamError
from cortexd.wire.upstream_failure import refusal_code


class StreamDecoder(Protocol):
    """A dialect's reader of streamed answers."""

    @property
    def finished(self) -> bool:
        """Whether the answer is whole."""
        ...

    def feed(self, data: bytes) -> Batch | tuple[()]:
        """What these bytes bring."""
        ...

    def close(self) -> Batch | tuple[()]:
        """What the end of the body brings."""
        ...


DecoderFactory: TypeAlias = Callable[[str], StreamDecoder]
"""Takes an id that no other answer has, for what the worker leaves without one."""


class AnswerStream:
    """Iterates over the batches of one answer.

    Errors: `WorkerFailed`, also where the answer ends before it is complete.
    """

    def __init__(
        self, worker: WorkerName, pieces: AsyncIterator[bytes], decoder: StreamDecoder
    ) -> None:
        self._worker = worker
        self._pieces = pieces
        self._decoder = decoder
        self._ended = False

    def __aiter__(self) -> "AnswerStream":
        return self

    async def __anext__(self) -> Batch:
        decoder = self._decoder
        while not (self._ended or decoder.finished):
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                self._ended = True
                with wire_failures(self._worker):
                    events = decoder.close()
            else:
                # As in `wire_failures`, which costs more than the decoding of a piece.
                try:
                    events = decoder.feed(piece)
                except (MalformedStream, UpstreamError) as exc:
                    raise _named(self._worker, exc) from exc
            # A read may bring half an event, or nothing but comments.
            if events:
                return events
        raise StopAsyncIteration


@contextmanager
def wire_failures(worker: WorkerName) -> Iterator[None]:
    """Name the worker in what a codec complains about."""
    try:
        yield
    except (MalformedStream, UpstreamError) as exc:
        raise _named(worker, exc) from exc


def _named(worker: WorkerName, error: MalformedStream | UpstreamError) -> WorkerFailed:
    if isinstance(error, UpstreamError):
        return worker_failure(worker, error, retry_after_s=error.retry_after_s)
    return WorkerFailed(worker, FailureKind.SERVER_ERROR, error.detail)


def worker_failure(
    worker: WorkerName, error: UpstreamError, *, retry_after_s: float | None = None
) -> WorkerFailed:
    """The failure of `worker` that its own error stands for."""
    if error.kind is not FailureKind.REFUSED:
        # To the client, the rest would be a word about a machine it does not know.
        return WorkerFailed(worker, error.kind, error.detail, retry_after_s=retry_after_s)
    return WorkerFailed(
        worker,
        error.kind,
        error.detail,
        retry_after_s=retry_after_s,
        status=error.status,
        told=error.told,
        code=refusal_code(error.told),
    )
