"""A door to the models, but for its dialect: parse, ask the pipeline, answer."""

from collections.abc import Callable
from typing import Final, Protocol

import attrs
import trio

from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.domain.request import ModelRequest
from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.doors.replies import (
    BeginAnswer,
    CollectedReply,
    Reply,
    ReplyDialect,
    StreamedReply,
)
from cortexd.http.doors.request_headers import check_json, read_request_id, read_timeout_s
from cortexd.http.error_responses import send_error
from cortexd.pipeline.exchange import ChatService, Exchange
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
        """Parse, ask the pipeline, encode."""
        request_id = read_request_id(request.headers, self.new_id)
        try:
            check_json(request.headers, also_from_curl=self.dialect.takes_bare_curl)
            timeout_s = read_timeout_s(request.headers)
            asked = await self._parse(request.body)
        except RequestRefused as refusal:
            headers = [(name, request_id) for name in self.dialect.request_id_headers]
            await send_error(respond, refusal, render=self.dialect.encode_error, headers=headers)
            return
        kind = StreamedReply if asked.stream else CollectedReply
        reply: Reply = kind(self.dialect, asked.begin, respond)
        # An exchange and its downstream know each other, so one of them has to be told later.
        reply.exchange = Exchange(
            request_id=request_id,
            door=self.dialect.door,
            request=asked.request,
            downstream=reply,
            timeout_s=timeout_s,
        )
        try:
            await self.service(reply.exchange)
        except CortexError as error:
            await reply.fail(error)
        else:
            await reply.complete()

    async def _parse(self, body: bytes) -> Asked:
        if len(body) <= PARSED_ON_THE_LOOP_BYTES_MAX:
            return self.dialect.parse(parse_object(body))
        return await trio.to_thread.run_sync(
            lambda: self.dialect.parse(parse_object(body)),
            # What a client has sent and left behind is not worth waiting for.
            abandon_on_cancel=True,
            limiter=self._parsers,
        )
