"""A door to the models, but for its dialect: parse, ask the pipeline, answer."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import attrs
import trio

from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.domain.ids import Tenant
from cortexd.domain.request import ModelRequest
from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.doors.exchange_headers import exchange_headers
from cortexd.http.doors.replies import (
    BeginAnswer,
    CollectedReply,
    PipelineBug,
    Reply,
    ReplyDialect,
    StreamedReply,
)
from cortexd.http.doors.request_headers import (
    check_json,
    read_request_id,
    read_tenant,
    read_timeout_s,
    read_wishes,
)
from cortexd.http.error_responses import send_error
from cortexd.pipeline.exchange import ChatService, Exchange, Original
from cortexd.wire.strict_json import parse_object

PARSED_ON_THE_LOOP_BYTES_MAX: Final = 256 * 1024
"""Reading this much takes a few milliseconds; more would hold up every stream of the node."""

PARSERS_MAX: Final = 2


@attrs.frozen
class Asked:
    """What a client asks for, and who writes its answer. `stream`: it wants it as it comes."""

    request: ModelRequest
    begin: BeginAnswer
    stream: bool = False


class Dialect(ReplyDialect, Protocol):
    """What one endpoint of one dialect does its own way."""

    @property
    def door(self) -> str:
        """The name of the door in logs and metrics."""
        ...

    @property
    def takes_bare_curl(self) -> bool:
        """Whether its users send JSON with `curl -d` and nothing else."""
        ...

    def parse(self, document: dict[str, object]) -> Asked:
        """What the request says; may be called in a thread. Errors: `RequestRefused`."""
        ...


@attrs.define
class _Visit:
    """A request on its way through the door; `reply` is there once it has been read."""

    door: "ModelDoor"
    request: DoorRequest
    respond: Responder
    reply: Reply | None = None

    async def read(self, exchange: Exchange) -> None:
        """Settle what is asked for, and who takes the answer. Errors: `RequestRefused`."""
        headers, dialect = self.request.headers, self.door.dialect
        check_json(headers, also_from_curl=dialect.takes_bare_curl)
        # The limit counts from the start; what is no limit is refused here, where it is accounted.
        read_timeout_s(headers)
        exchange.wishes = read_wishes(headers)
        asked = await self.door.parse(self.request.body)
        kind = StreamedReply if asked.stream else CollectedReply
        self.reply = reply = kind(dialect, asked.begin, self.respond)
        # An exchange and its downstream know each other, so one of them has to be told later.
        reply.exchange = exchange
        exchange.request, exchange.downstream = asked.request, reply


@attrs.frozen
class ModelDoor:
    """Answers requests of one dialect. `new_id` makes ids for requests that bring none.

    Errors: none of a client or worker; those are answered. A bug leaves `respond` unfinished.
    Cancellation: at any point, when the client has gone; the exchange goes with it.
    """

    dialect: Dialect
    service: ChatService
    new_id: Callable[[], str]
    _parsers: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(PARSERS_MAX), init=False
    )

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Ask the pipeline; it has the request read once it has let it in."""
        visit, caller = _Visit(self, request, respond), request.caller
        exchange = Exchange(
            request_id=read_request_id(request.headers, self.new_id),
            door=self.dialect.door,
            original=Original(request.path, request.body, request.is_retry),
            read=visit.read,
            tenant=Tenant(caller.key_id) if caller.key_id else read_tenant(request.headers),
            criticality=caller.criticality,
            key_id=caller.key_id,
            allowance=caller.allowance,
            timeout_s=_timeout_s(request.headers),
            body_bytes=len(request.body),
        )
        try:
            await self.service(exchange)
        except CortexError as error:
            if visit.reply is not None:
                await visit.reply.fail(error)
            else:
                await send_error(
                    respond,
                    error,
                    render=self.dialect.encode_error,
                    headers=exchange_headers(exchange, self.dialect.request_id_headers),
                )
        else:
            if visit.reply is None:
                raise PipelineBug
            await visit.reply.complete()

    async def parse(self, body: bytes) -> Asked:
        """What a body asks for. Errors: `RequestRefused`."""
        if len(body) <= PARSED_ON_THE_LOOP_BYTES_MAX:
            return self.dialect.parse(parse_object(body))
        return await trio.to_thread.run_sync(
            lambda: self.dialect.parse(parse_object(body)),
            # What a client has sent and left behind is not worth waiting for.
            abandon_on_cancel=True,
            limiter=self._parsers,
        )


def _timeout_s(headers: Mapping[str, str]) -> float | None:
    """The limit that the client has set; where what it says is none, reading will refuse it."""
    try:
        return read_timeout_s(headers)
    except RequestRefused:
        return None
