"""A chat door but for its dialect: parse, ask the pipeline, answer.

Rules of this file: an answer that is not whole never gets its terminator; the status is settled by
the first batch, so an error before it has a status of its own and an error after it goes in-band.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import attrs

from cortexd.domain.chat import Batch, Finished, TextDelta
from cortexd.domain.errors import CortexError, RequestRefused, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.doors.request_headers import check_json, read_request_id, read_timeout_s
from cortexd.http.error_responses import send_error
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.ports import Downstream
from cortexd.wire.parsed_chat import ParsedChat
from cortexd.wire.strict_json import parse_object

ANSWER_CHARACTERS_MAX: Final = 16 * 1024 * 1024
"""How much of an answer is kept for a client that wants all of it at once."""


class PipelineBug(RuntimeError):
    """The pipeline has returned as if all were well, but the answer is not whole."""


class Writer(Protocol):
    """Puts one answer into a dialect's words."""

    def encode_batch(self, events: Batch) -> bytes:
        """The bytes of a batch, with the terminator behind the event that ends the answer."""
        ...

    def encode_answer(self, text: str, finished: Finished) -> bytes:
        """The whole answer as one document."""
        ...


BeginAnswer: TypeAlias = Callable[[str], Writer]
"""Called when the first events come, with the name of the model that the worker answers with."""


class ChatDialect(Protocol):
    """What one dialect does its own way."""

    @property
    def door(self) -> str:
        """The name of the door in logs and metrics."""
        ...

    @property
    def stream_type(self) -> str:
        """The content type of a stream."""
        ...

    @property
    def takes_bare_curl(self) -> bool:
        """Whether its users send JSON with `curl -d` and nothing else."""
        ...

    def parse(self, document: dict[str, object]) -> ParsedChat:
        """What the request says. Errors: `RequestRefused`."""
        ...

    def receive(self, parsed: ParsedChat, /) -> BeginAnswer:
        """Called when the request has come, for a dialect that tells times."""
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

    dialect: ChatDialect
    begin: BeginAnswer
    respond: Responder
    exchange: Exchange = attrs.field(init=False)
    writer: Writer | None = None
    started: bool = False
    whole: bool = False

    async def send(self, events: Batch) -> None:
        """Write a batch; the first one starts the response."""
        if self.writer is None:
            self.writer = self.begin(_model(self.exchange))
        if not self.started:
            headers = [
                ("content-type", self.dialect.stream_type),
                ("cache-control", "no-cache"),
                *_exchange_headers(self.exchange),
            ]
            await self.respond.start(200, headers)
            # Only now: a deadline may have cut the start short, and is then answered with a status.
            self.started = True
        await self.respond.send(self.writer.encode_batch(events))
        self.whole = isinstance(events[-1], Finished)

    def start_over(self) -> bool:
        """Only while nothing has been sent: what a client has read cannot be taken back."""
        return self.writer is None

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
                headers=_exchange_headers(self.exchange),
            )
            return
        # Whatever went wrong behind a whole answer, the client has all of it.
        if not self.whole:
            await self.respond.send(self.dialect.encode_error_frame(error))
        await self.respond.finish()


@attrs.define
class CollectedReply:
    """Keeps the answer until it is whole."""

    dialect: ChatDialect
    begin: BeginAnswer
    respond: Responder
    exchange: Exchange = attrs.field(init=False)
    texts: list[str] = attrs.Factory(list)
    characters: int = 0
    writer: Writer | None = None
    finished: Finished | None = None

    async def send(self, events: Batch) -> None:
        """Keep a batch. Errors: `WorkerFailed` for an answer without end."""
        if self.writer is None:
            self.writer = self.begin(_model(self.exchange))
        for event in events:
            match event:
                case TextDelta(text):
                    self.texts.append(text)
                    self.characters += len(text)
                case Finished():
                    self.finished = event
        if self.characters > ANSWER_CHARACTERS_MAX:
            # No model means to say this much: the worker does not find an end.
            raise WorkerFailed(
                self.exchange.worker or WorkerName("unknown"),
                FailureKind.SERVER_ERROR,
                f"an answer of more than {ANSWER_CHARACTERS_MAX} characters",
            )

    def start_over(self) -> bool:
        """Always: the client has seen nothing yet."""
        self.texts.clear()
        self.characters = 0
        self.writer = None
        return True

    async def complete(self) -> None:
        """Send all of it."""
        if self.writer is None or self.finished is None:
            raise PipelineBug
        body = self.writer.encode_answer("".join(self.texts), self.finished)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            *_exchange_headers(self.exchange),
        ]
        await self.respond.start(200, headers)
        await self.respond.send(body)
        await self.respond.finish()

    async def fail(self, error: CortexError) -> None:
        """Answer with the error's status: nothing has been sent."""
        await send_error(
            self.respond,
            error,
            render=self.dialect.encode_error,
            headers=_exchange_headers(self.exchange),
        )


@attrs.frozen
class ChatDoor:
    """Answers chat requests of one dialect. `new_id` makes ids for requests that bring none.

    Errors: none of a client or worker; those are answered. A bug leaves `respond` unfinished.
    Cancellation: at any point, when the client has gone; the exchange goes with it.
    """

    dialect: ChatDialect
    service: ChatService
    new_id: Callable[[], str]

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Parse, ask the pipeline, encode."""
        request_id = read_request_id(request.headers, self.new_id)
        try:
            check_json(request.headers, also_from_curl=self.dialect.takes_bare_curl)
            timeout_s = read_timeout_s(request.headers)
            parsed = self.dialect.parse(parse_object(request.body))
        except RequestRefused as refusal:
            headers = [("x-request-id", request_id)]
            await send_error(respond, refusal, render=self.dialect.encode_error, headers=headers)
            return
        kind = StreamedReply if parsed.stream else CollectedReply
        reply: Reply = kind(self.dialect, self.dialect.receive(parsed), respond)
        # An exchange and its downstream know each other, so one of them has to be told later.
        reply.exchange = Exchange(
            request_id=request_id,
            door=self.dialect.door,
            request=parsed.request,
            downstream=reply,
            timeout_s=timeout_s,
        )
        try:
            await self.service(reply.exchange)
        except CortexError as error:
            await reply.fail(error)
        else:
            await reply.complete()


def _model(exchange: Exchange) -> str:
    """The name the worker answers with; until it is known, the one that was asked for."""
    return exchange.model or exchange.request.model or ""


def _exchange_headers(exchange: Exchange) -> list[tuple[str, str]]:
    headers = [("x-request-id", str(exchange.request_id))]
    if exchange.worker is not None:
        headers.append(("x-cortexd-worker", exchange.worker))
    headers.append(("x-cortexd-attempts", str(len(exchange.attempts))))
    return headers
