"""One connection to the broker with its channels, on the asyncio side.

Rules of this file: what it offers ends within its time limit, whatever the library does, and raises
`LineFailed` or `MessageRefused` and no other error. A library call that has not ended by then is
cancelled and left behind, since it may need the broker even to be cancelled; whoever sees a session
fail drops all of it.

Protocol: AMQP 0-9-1 with RabbitMQ's extensions: confirms, returns, notices of a cancelled consumer
(https://www.rabbitmq.com/docs/confirms, .../docs/consumer-cancel) and of a connection that is
blocked (.../docs/connection-blocked), which is sent only to those that publish.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from cortexd.domain.fleet import MessageId
from cortexd.domain.server_url import ServerUrl
from cortexd.fleet.envelope import Sealed
from cortexd.fleet.failures import LineFailed, MessageRefused, told
from cortexd.fleet.topology import DEAD_LETTERS, PULSES, QueuePlan, Topology

T = TypeVar("T")

CONNECT_S_MAX: Final = 5.0
PUBLISH_S_MAX: Final = 5.0
SETTLE_S_MAX: Final = 5.0

HEARTBEAT_S: Final = 5
"""After two of them without a sign of life, the broker gives us up. We ask it more often."""

PULSE_S_MAX: Final = 4.0
"""A broker that takes longer to say so is frozen, or cut off."""

LOOK_S: Final = 0.25
"""How often it is looked whether the broker has blocked us."""

READY_S_MAX: Final = 0.05
"""Long enough for what is ready to say so."""

CLOSE_S_MAX: Final = 2.0

CANCELS_MAX: Final = 4

PREFETCH: Final = 32
"""So many messages are on their way to us at once, for each channel."""

DEAD_BYTES_MAX: Final = 64 * 1024
"""So much is kept of a message that cannot be used."""

Deliver = Callable[[str, AbstractIncomingMessage], None]
"""Takes a message of a queue. Neither waits nor fails."""


async def within(seconds_max: float, work: Awaitable[T]) -> T:
    """What `work` gives. Errors: `LineFailed`, `MessageRefused`."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_looked_at)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds_max)
    finally:
        if not task.done():
            task.cancel()
    if not done:
        raise LineFailed("the broker does not answer")
    if task.cancelled():
        # The library cancels what waits for a connection that has gone.
        raise LineFailed("the connection to the broker was lost")
    error = task.exception()
    if error is None:
        return task.result()
    if not isinstance(error, Exception):
        raise error
    raise told(error) from error


class Session:
    """Open from `open` until `close`; of no more use once `failure` is set."""

    def __init__(
        self, url: ServerUrl, topology: Topology, deliver: Deliver, *, pulse_s: float
    ) -> None:
        self._url = _amqp_url(url)
        self._topology = topology
        self._deliver = deliver
        self._pulse_s = pulse_s
        self._sockets = _socket_factory(url)
        self._connection: aio_pika.Connection | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._channels: dict[str, AbstractChannel] = {}
        self._helpers: set[asyncio.Task[None]] = set()
        self.failure: LineFailed | None = None
        self.is_blocked = False
        self.pulses = 0
        """How often the broker has said that it is there."""

    async def open(self) -> None:
        """Connect, declare all there is, and begin to read. Errors: `LineFailed`."""
        await within(CONNECT_S_MAX, self._open())
        for helper in (self._pulse, self._look_for_blocks):
            task = asyncio.ensure_future(helper())
            task.add_done_callback(_looked_at)
            self._helpers.add(task)

    async def publish(self, sealed: Sealed, *, exchange: str, key: str) -> None:
        """Hand a message over; returns once the broker has taken charge of it.

        Errors: `LineFailed`, and then nobody knows; `MessageRefused`.
        """
        await within(PUBLISH_S_MAX, self._publish(sealed, exchange, key))

    async def settle(self, message: AbstractIncomingMessage) -> None:
        """Say that a message has been dealt with. Errors: `LineFailed`."""
        await within(SETTLE_S_MAX, message.ack())

    async def bury(self, sealed: Sealed, reason: str) -> None:
        """Put a message, or its beginning, to the dead letters. Errors: `LineFailed`."""
        headers = {
            "reason": reason,
            "size": len(sealed.body),
            "sent-by": str(sealed.headers.get("audience", ""))[:64],
        }
        dead = Sealed(
            id=sealed.id,
            body=sealed.body[:DEAD_BYTES_MAX],
            content_type="application/octet-stream",
            headers=headers,
        )
        await self.publish(dead, exchange=DEAD_LETTERS, key="")

    def fail(self, failure: LineFailed) -> None:
        """Be of no more use; the first reason counts."""
        if self.failure is None:
            self.failure = failure

    async def close(self) -> None:
        """Let go of the connection, in good order if the broker plays along. Raises nothing."""
        self.fail(LineFailed("closed"))
        for helper in self._helpers:
            helper.cancel()
        if self._connection is not None:
            closing = asyncio.ensure_future(self._connection.close())
            closing.add_done_callback(_looked_at)
            await asyncio.wait({closing}, timeout=CLOSE_S_MAX)
            # What of the library still waits for the broker, waits for this.
            self._sockets.abort()
            # It waits anew for what will not come when it is cancelled, but not for ever.
            for _ in range(CANCELS_MAX):
                if not closing.done():
                    closing.cancel()
                    await asyncio.wait({closing}, timeout=LOOK_S)

    async def _open(self) -> None:
        connection = aio_pika.Connection(self._url)
        connection.kwargs["transport_factory"] = self._sockets
        self._connection = connection
        await connection.connect()
        connection.close_callbacks.add(self._closed)
        for name in dict.fromkeys((*self._topology.publishes.values(), *self._read_channels())):
            channel = connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.initialize()
            await channel.set_qos(prefetch_count=PREFETCH)
            channel.close_callbacks.add(self._closed)
            self._channels[name] = channel
        await self._declare()

    def _read_channels(self) -> list[str]:
        return [plan.channel for plan in self._topology.queues if plan.channel is not None]

    async def _declare(self) -> None:
        first = next(iter(self._channels.values()))
        for exchange in self._topology.exchanges:
            await first.declare_exchange(exchange.name, exchange.kind, durable=True)
        usual = next(iter(self._topology.publishes.values()))
        ways = {DEAD_LETTERS: usual, PULSES: usual, **self._topology.publishes}
        for name, way in ways.items():
            self._exchanges[name] = await self._channels[way].get_exchange(name, ensure=False)
        for plan in self._topology.queues:
            await self._declare_queue(plan, first)

    async def _declare_queue(self, plan: QueuePlan, first: AbstractChannel) -> None:
        channel = first if plan.channel is None else self._channels[plan.channel]
        queue = await channel.declare_queue(plan.name, durable=True, arguments=plan.arguments)
        for key in plan.keys:
            await queue.bind(plan.exchange, routing_key=key)
        if plan.channel is None:
            return
        raw = await channel.get_underlay_channel()
        raw.on_consumer_cancel_callbacks.add(self._consumer_cancelled)

        async def take(message: AbstractIncomingMessage) -> None:
            self._deliver(plan.name, message)

        # Two of the same name would each get half of what is meant for both.
        await queue.consume(take, exclusive=True)

    async def _publish(self, sealed: Sealed, exchange: str, key: str) -> None:
        message = aio_pika.Message(
            sealed.body,
            content_type=sealed.content_type,
            headers=dict(sealed.headers),
            message_id=sealed.id,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await self._exchanges[exchange].publish(message, routing_key=key, mandatory=True)

    async def _pulse(self) -> None:
        """Send what nobody takes, again and again: it comes back at once, or the line is bad.

        It has to be a message, since whoever sends none is not told of an alarm.
        """
        while self.failure is None:
            sent = asyncio.ensure_future(self._publish(_PULSE, PULSES, ""))
            sent.add_done_callback(_looked_at)
            # While we are blocked the broker reads nothing; that says nothing about it.
            waited_s = 0.0
            while not sent.done() and (self.is_blocked or waited_s < PULSE_S_MAX):
                await asyncio.wait({sent}, timeout=LOOK_S)
                waited_s = 0.0 if self.is_blocked else waited_s + LOOK_S
            if not sent.done():
                self.fail(LineFailed("the broker does not answer"))
            elif sent.cancelled():
                self.fail(LineFailed("the connection to the broker was lost"))
            elif isinstance(failure := _failure(sent.exception()), LineFailed):
                self.fail(failure)
            else:
                self.pulses += 1
                await asyncio.sleep(self._pulse_s)

    async def _look_for_blocks(self) -> None:
        """The library knows whether we are blocked, but calls nobody."""
        while self.failure is None:
            transport = self._connection.transport if self._connection is not None else None
            if transport is None:
                return
            ready = asyncio.ensure_future(transport.connection.ready())
            await asyncio.wait({ready}, timeout=READY_S_MAX)
            self.is_blocked = not ready.done()
            ready.cancel()
            await asyncio.sleep(LOOK_S)

    def _closed(self, _sender: object, error: BaseException | None) -> None:
        failure = None if isinstance(error, asyncio.CancelledError) else _failure(error)
        if not isinstance(failure, LineFailed):
            failure = LineFailed("the connection to the broker was lost")
        self.fail(failure)

    def _consumer_cancelled(self, _frame: object) -> None:
        self.fail(LineFailed("a queue or exchange has been deleted"))


def sealed_of(message: AbstractIncomingMessage) -> Sealed:
    """A message that came, as it is on the wire."""
    headers: Mapping[str, Any] = message.headers
    return Sealed(
        id=MessageId(message.message_id or ""),
        body=message.body,
        content_type=message.content_type,
        headers=headers,
    )


def _amqp_url(url: ServerUrl) -> URL:
    return URL.build(
        scheme=url.scheme,
        host=url.host,
        port=url.port,
        user=url.username or "guest",
        password="guest" if url.password is None else url.password.reveal(),
        path=f"/{url.path}" if url.path else "/",
        query={"heartbeat": str(HEARTBEAT_S), "name": "cortexd-fleet"},
    )


class _Sockets(TransportFactory):
    """Opens a connection as the library would, and can cut it off."""

    def __init__(self, inner: TransportFactory) -> None:
        self._inner = inner
        self._writers: list[asyncio.StreamWriter] = []

    async def create(
        self, url: URL, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As the library has it."""
        reader, writer = await self._inner.create(url, **options)
        self._writers.append(writer)
        return reader, writer

    def abort(self) -> None:
        """Cut off whatever is open; whoever waits for it fails."""
        for writer in self._writers:
            writer.transport.abort()


def _socket_factory(url: ServerUrl) -> _Sockets:
    return _Sockets(TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory())


_PULSE: Final = Sealed(id=MessageId("pulse"), body=b"", content_type=None, headers={})


def _failure(error: BaseException | None) -> LineFailed | MessageRefused | None:
    return None if error is None else told(error)


def _looked_at(task: "asyncio.Future[Any]") -> None:
    """Have nobody complain about an error that has been heeded elsewhere, or came too late."""
    if not task.cancelled():
        task.exception()
