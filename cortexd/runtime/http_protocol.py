"""Hypercorn's HTTP/1.1, and nothing but HTTP/1.1.

What Hypercorn has no switch for is overridden here: no HTTP/2, no upgrades, no ambiguous request
heads, and no waiting inside the protocol while the client may leave. Rules of this file: it sees no
socket; what it wants done it says in Hypercorn's events `Closed` and `Updated`, or it writes.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import h11
import trio
from hypercorn.events import Closed, Updated
from hypercorn.events import Event as ConnectionEvent
from hypercorn.protocol.events import Body, EndBody, Event, Request, Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.typing import ConnectionState, H11SendableEvent

from cortexd.http.guard import Message, Receive, Scope, Send
from cortexd.http.head_lines import (
    announces_too_much,
    is_ambiguous,
    is_broken_line,
    may_be_request,
)
from cortexd.runtime.http_exchange import BODILESS, HttpExchange
from cortexd.runtime.http_host import Host
from cortexd.runtime.http_request_tasks import RequestTasks

Address: TypeAlias = tuple[str, int] | None

_UNREAD = (h11.SEND_BODY, h11.ERROR)
_PAST_LAST_REQUEST = (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class Http11(H11Protocol):
    """The protocol of one connection, whose `ends` are the client and the server."""

    connection: h11.Connection

    def __init__(
        self,
        host: Host,
        nursery: trio.Nursery,
        send: Callable[[ConnectionEvent], Awaitable[None]],
        *,
        write: Callable[[bytes], Awaitable[None]],
        ends: tuple[Address, Address],
    ) -> None:
        super().__init__(
            host.app,  # type: ignore[arg-type]  # only ever handed back to RequestTasks
            host.config,
            host.context,
            RequestTasks(nursery),  # type: ignore[arg-type]  # is entered by nobody
            ConnectionState({}),
            False,
            *ends,
            send,
        )
        self._app = host.app
        self._write = write
        self._body_bytes_max = host.body_bytes_max
        self._chunks = False
        self._head = b""

    @property
    def buffered_bytes(self) -> int:
        """What has come in and waits for the response before it to end."""
        return len(self.connection.trailing_data[0])

    @property
    def has_unread_input(self) -> bool:
        """Whether the client has sent, or is sending, what nobody will read."""
        return self.connection.their_state in _UNREAD or self.buffered_bytes > 0

    @property
    def ends_without_sign(self) -> bool:
        """Whether a close now would make a broken response look complete.

        So it is with a response that has no length and no chunks: HTTP/1.0.
        """
        return (
            self.connection.our_state is h11.SEND_BODY
            and self.connection.their_http_version == b"1.0"
        )

    async def read_on(self) -> None:
        """Look at what was buffered while the last request was served."""
        await self._handle_events()

    async def refuse(self, status: int) -> None:
        """Answer with an empty error, if nothing has been answered yet, and close."""
        if self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._send_error_response(status)
        await self.send(Closed())

    def _send_piece(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body, of which there are more to come."""
        if self._chunks:
            # What h11 would make of it, at a tenth of the cost: a stream is thousands of pieces.
            head, self._head = self._head, b""
            return self._write(b"%b%x\r\n%b\r\n" % (head, len(data), data))
        return self.stream_send(Body(STREAM_ID, data))

    async def stream_send(self, event: Event) -> None:
        """Send a part of the response."""
        if isinstance(event, Response):
            self._chunks = self._is_chunked(event)
            if self._is_last_response:
                others = [header for header in event.headers if header[0] != b"connection"]
                headers = [*others, (b"connection", b"close")]
                event = Response(event.stream_id, headers=headers, status_code=event.status_code)
        await super().stream_send(event)

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        try:
            data = self._head + self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        # The head goes out together with what follows, as ASGI has it: a call for both.
        self._head = data if isinstance(event, h11.Response) else b""
        if not self._head:
            await self._write(data)

    def _is_chunked(self, response: Response) -> bool:
        """Whether h11 frames this response's body in chunks (RFC 9112, section 6)."""
        return (
            self.connection.their_http_version == b"1.1"
            and response.status_code not in BODILESS
            and all(name != b"content-length" for name, _ in response.headers)
        )

    @property
    def _is_last_response(self) -> bool:
        """Whether the connection ends behind a response that starts now.

        Also behind one that has not waited for the whole body of its request.
        """
        return self.context.terminated.is_set() or self.connection.their_state is h11.SEND_BODY

    async def _maybe_recycle(self) -> None:
        # Hypercorn's own closes whenever the listener is stopping. A client that has not been told
        # so is about to ask again: it is told with the answer to that.
        await self._close_stream()
        if self.connection.our_state is h11.DONE and self.connection.their_state is h11.DONE:
            self.connection.start_next_cycle()
            await self.send(Updated(idle=True))
        else:
            await self.send(Closed())

    async def _handle_events(self) -> None:
        # Never waits for a response to end, as Hypercorn's own does when requests are pipelined:
        # the reader must stay free to see the client leave.
        # What comes after the last request is no error either: its response is still to be sent.
        while (state := self.connection.their_state) not in _PAST_LAST_REQUEST:
            received = self.connection.trailing_data[0] if state is h11.IDLE else b""
            if received and is_ambiguous(received):
                await self.refuse(400)
                return
            try:
                event = self.connection.next_event()
            except h11.RemoteProtocolError as exc:
                await self.refuse(413 if announces_too_much(received) else exc.error_status_hint)
                return
            if isinstance(event, h11.Request):
                await self._create_stream(event)
            elif self.stream is not None and isinstance(event, h11.Data):
                await self.stream.handle(Body(stream_id=STREAM_ID, data=bytes(event.data)))
            elif self.stream is not None and isinstance(event, h11.EndOfMessage):
                await self.stream.handle(EndBody(stream_id=STREAM_ID))
            else:
                await self._check_incomplete()
                return  # needs data, is paused, or there is no one left to read the body

    async def _check_incomplete(self) -> None:
        """Refuse what will never come to an end, instead of waiting for it.

        What h11 has left lying while a body is read is a line that it is waiting for the end of.
        """
        state, left = self.connection.their_state, self.connection.trailing_data[0]
        if state is h11.IDLE and not may_be_request(left):
            await self.refuse(400)
        if state is not h11.SEND_BODY:
            return
        if is_broken_line(left):
            await self.refuse(400)
        # The one number h11 keeps to itself: how much of the chunk is still to come.
        elif getattr(self.connection._reader, "_bytes_in_chunk", 0) > self._body_bytes_max:  # noqa: SLF001
            await self.refuse(413)

    async def _create_stream(self, request: h11.Request) -> None:
        # Hypercorn looks for upgrades here. There are none: all that comes is plain HTTP.
        await self.send(Updated(idle=False))
        is_waiting = self.connection.they_are_waiting_for_100_continue
        app = self._inviting if is_waiting and self._is_welcome(request) else self._app
        self.stream = HttpExchange(
            app,  # type: ignore[arg-type]  # only ever handed back to RequestTasks
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        self.stream.send_piece = self._send_piece
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode("ascii"),
                method=request.method.decode("ascii"),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _inviting(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, for a client that waits to be asked for its body.

        It is asked when the application first wants it: not if a glance at the head is enough.
        """

        async def invite_and_receive() -> Message:
            if self.connection.they_are_waiting_for_100_continue:
                await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))
            return await receive()

        await self._app(scope, invite_and_receive, send)

    def _is_welcome(self, request: h11.Request) -> bool:
        """Whether the client should go on and send its body: not one that will be refused."""
        # h11 has seen to it that there is one length at most, and that it is a number.
        lengths = [value for name, value in request.headers if name == b"content-length"]
        return all(int(value) <= self._body_bytes_max for value in lengths)
