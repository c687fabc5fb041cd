"""The way of an answer from the pipeline to the client: as a stream, or whole.

Rules of this file: an answer that is not whole never gets its terminator; the status is settled by
the first batch, so an error before it has a status of its own and an error after it goes in-band.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import attrs

from cortexd.domain.answer import AnswerEvent, Batch, Finished, weight
from cortexd.domain.errors import CortexError, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.http.doors.door import Responder
from cortexd.http.doors.exchange_headers import exchange_headers
from cortexd.http.error_responses import send_error
from cortexd.pipeline.exchange import Exchange
from cortexd.ports import Downstream
from cortexd.wire.errors import MalformedStream

ANSWER_WEIGHT_MAX: Final = 8 * 1024 * 1024
"""How much of an answer is kept for a client that wants all of it at once."""


class PipelineBug(RuntimeError):
    """The pipeline has returned as if all were well, but the answer is not whole."""


class Writer(Protocol):
    """Puts one answer into a dialect's words.

    Errors: `MalformedStream` for what the worker said and the dialect has no words for.
    """

    def encode_batch(self, events: Batch) -> bytes:
        """The bytes of a batch, with the terminator behind the event that ends the answer."""
        ...

    def encode_answer(self, events: Batch) -> bytes:
        """All events of the answer as one document."""
        ...


BeginAnswer: TypeAlias = Callable[[str], Writer]
"""Called when the first events come, with the name of the model that the worker answers with."""


class ReplyDialect(Protocol):
    """What replies need to know of a dialect."""

    @property
    def stream_type(self) -> str:
        """The content type of a stream."""
        ...

    @property
    def request_id_headers(self) -> tuple[str, ...]:
        """The headers in which its clients look for the request's id."""
        ...

    def encode_error(self, error: CortexError) -> bytes:
        """The body of an error answer."""
        ...

    def encode_error_frame(self, error: CortexError) -> bytes:
        """What a broken stream ends with."""
        ...


class Reply(Downstream, Protocol):
    """The door's side of an exchange."""

    exchange: Exchange

    async def complete(self) -> None:
        """End the answer that the pipeline has brought to its end."""
        ...

    async def fail(self, error: CortexError) -> None:
        """End the answer, or what there is of it, with an error."""
        ...


@attrs.define
class StreamedReply:
    """Passes each batch on as one write."""

    dialect: ReplyDialect
    begin: BeginAnswer
    respond: Responder
    exchange: Exchange = attrs.field(init=False)
    writer: Writer | None = None
    started: bool = False
    whole: bool = False

    async def send(self, events: Batch) -> None:
        """Write a batch; the first one starts the response.

        Errors: `WorkerFailed` for events that the dialect has no words for.
        """
        writer = self.writer or self.begin(_model(self.exchange))
        try:
            encoded = writer.encode_batch(events)
        except MalformedStream as exc:
            raise _worker_failed(self.exchange, exc.detail) from exc
        # From here on the client may have seen some of it.
        self.writer = writer
        if not self.started:
            headers = [
                ("content-type", self.dialect.stream_type),
                ("cache-control", "no-cache"),
                *exchange_headers(self.exchange, self.dialect.request_id_headers),
            ]
            await self.respond.start(200, headers)
            # Only now: a deadline may have cut the start short, and is then answered with a status.
            self.started = True
        if encoded:
            await self.respond.send(encoded)
        self.whole = isinstance(events[-1], Finished)

    def start_over(self) -> bool:
        """Only while nothing has been sent: what a client has read cannot be taken back."""
        return self.writer is None

    @property
    def is_sent(self) -> bool:
        """Whether the terminator has gone out."""
        return self.whole

    async def complete(self) -> None:
        """End the body; its terminator has been sent with the last batch."""
        if not self.whole:
            raise PipelineBug
        await self.respond.finish()

    async def fail(self, error: CortexError) -> None:
        """Answer with the error's status, or break off the stream with an error frame."""
        if not self.started:
            await send_error(
                self.respond,
                error,
                render=self.dialect.encode_error,
                headers=exchange_headers(self.exchange, self.dialect.request_id_headers),
            )
            return
        # Whatever went wrong behind a whole answer, the client has all of it.
        if not self.whole:
            await self.respond.send(self.dialect.encode_error_frame(error))
        await self.respond.finish()


@attrs.define
class CollectedReply:
    """Keeps all events until the answer is whole, and sends it as one document."""

    dialect: ReplyDialect
    begin: BeginAnswer
    respond: Responder
    exchange: Exchange = attrs.field(init=False)
    events: list[AnswerEvent] = attrs.Factory(list)
    weight: int = 0
    writer: Writer | None = None
    document: bytes | None = None

    async def send(self, events: Batch) -> None:
        """Keep a batch; with the last one, write the document.

        Errors: `WorkerFailed` for an answer without end, or without words in the dialect.
        """
        if self.writer is None:
            self.writer = self.begin(_model(self.exchange))
        self.events += events
        self.weight += sum(map(weight, events))
        if self.weight > ANSWER_WEIGHT_MAX:
            # No model means to say this much: the worker does not find an end.
            raise _worker_failed(self.exchange, f"an answer of more than {ANSWER_WEIGHT_MAX} parts")
        if isinstance(events[-1], Finished):
            try:
                self.document = self.writer.encode_answer(tuple(self.events))
            except MalformedStream as exc:
                raise _worker_failed(self.exchange, exc.detail) from exc

    def start_over(self) -> bool:
        """Always: the client has seen nothing yet."""
        self.events.clear()
        self.weight = 0
        self.writer = None
        return True

    @property
    def is_sent(self) -> bool:
        """Never as long as the pipeline can ask."""
        return False

    async def complete(self) -> None:
        """Send all of it."""
        if self.document is None:
            raise PipelineBug
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(self.document))),
            *exchange_headers(self.exchange, self.dialect.request_id_headers),
        ]
        await self.respond.start(200, headers)
        await self.respond.send(self.document)
        await self.respond.finish()

    async def fail(self, error: CortexError) -> None:
        """Answer with the error's status: nothing has been sent."""
        await send_error(
            self.respond,
            error,
            render=self.dialect.encode_error,
            headers=exchange_headers(self.exchange, self.dialect.request_id_headers),
        )


def _worker_failed(exchange: Exchange, detail: str) -> WorkerFailed:
    name = exchange.worker or WorkerName("unknown")
    return WorkerFailed(name, FailureKind.SERVER_ERROR, detail)


def _model(exchange: Exchange) -> str:
    """The name the worker answers with; until it is known, the one that was asked for."""
    return exchange.model or exchange.request.model or ""
