"""An upstream that fails on demand: real sockets on loopback, served by a thread of its own.

As long as it is well it answers as the strict fake of its provider does. A fault, which may be put
in at any time, spoils that; `upstream_faults.py` has them. Listing models is always well.
"""

import errno
import queue
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

import attrs
import h11
import trio

from tests.fakes.dialect import Dialect, Endpoint, Received
from tests.fakes.provider import FakeProvider
from tests.fakes.scene import Scene
from tests.faults.upstream_wire import Fault, Greeting, Wire, plain, play, receive

HOST: Final = "127.0.0.1"
HANGS_S: Final = 20.0
BACKLOG: Final = 512
FULL_AFTER_S: Final = 0.2
LOOK_AGAIN_S: Final = 0.005


@attrs.frozen
class Asked:
    """A chat request: on which connection, with which key, and when, on the monotonic clock."""

    connection: int
    key: str | None
    at: float
    request: Received


@attrs.define(eq=False)
class Upstream:
    """One server. `fault` and `greeting` may be changed at any time, from any thread.

    `asked`: the chats that came. `accepted` and `open`: connections there were, and are.
    """

    fake: FakeProvider
    _loop: "ServerLoop"
    fault: Fault = play
    greeting: Greeting = plain
    asked: list[Asked] = attrs.Factory(list)
    accepted: int = 0
    open: int = 0
    sent_bytes: int = 0
    released: trio.Event = attrs.Factory(trio.Event)
    port: int = attrs.field(init=False)
    _socket: socket.socket = attrs.field(init=False)
    _serving: trio.CancelScope = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._socket = socket.create_server((HOST, 0), backlog=BACKLOG)
        self.port = self._socket.getsockname()[1]
        self._start()

    def break_off(self, fault: Fault, *, after_words: int = 2) -> None:
        """From now on, have `fault` go on where an answer of four words has said so many."""
        self.fake.play(Scene.text("Hello brave new world").cut(after_pieces=after_words))
        self.released = trio.Event()
        self.fault = fault

    def release(self) -> None:
        """Say that the client has what was sent; see `Wire.wait_released`."""
        self._loop.run(self.released.set)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens at the port, and all connections are lost."""
        self._stop()
        self._socket.close()
        try:
            yield
        finally:
            self._socket = socket.create_server((HOST, self.port), backlog=BACKLOG)
            self._start()

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """The backlog is full, so that the kernel drops whatever wants to connect."""
        self._stop()
        self._socket.listen(0)
        waiting: list[socket.socket] = []
        try:
            fills = True
            while fills:
                waiting.append(socket.socket())
                waiting[-1].settimeout(FULL_AFTER_S)
                fills = waiting[-1].connect_ex((HOST, self.port)) != errno.EAGAIN
            yield
        finally:
            for each in waiting:
                each.close()
            self._socket.listen(BACKLOG)
            self._start()

    def close(self) -> None:
        """Give the port back, at the end of the loop."""
        self._socket.close()

    def _start(self) -> None:
        self._loop.run(self._open)

    def _stop(self) -> None:
        self._loop.run(self._cancel)
        until(lambda: self.open == 0)

    def _open(self) -> None:
        self._serving = trio.CancelScope()
        self._loop.nursery.start_soon(self._serve, self._socket.dup(), self._serving)

    def _cancel(self) -> None:
        self._serving.cancel()

    async def _serve(self, sock: socket.socket, scope: trio.CancelScope) -> None:
        self.open += 1  # For the listener, so that `_stop` can wait for it, too.
        try:
            with scope:
                listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
                await trio.serve_listeners(self._converse, [listener])
        finally:
            self.open -= 1

    async def _converse(self, stream: trio.SocketStream) -> None:
        connection = self.accepted
        self.accepted += 1
        self.open += 1
        try:
            with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
                wire = Wire(await self.greeting(stream), self, stream.socket)
                while not wire.is_over and (request := await receive(wire.stream)):
                    await self._answer(wire, connection, request)
                    wire.turn += 1
        finally:
            self.open -= 1
            stream.socket.close()

    async def _answer(self, wire: Wire, connection: int, request: Received) -> None:
        dialect = self.fake.dialect
        reply = self.fake.answer(request)
        if dialect.endpoint(request.method, request.path) is Endpoint.LIST:
            await play(wire, reply)
            return
        key = dialect.key(request)
        self.asked.append(Asked(connection, key, time.monotonic(), request))
        await self.fault(wire, reply)


@attrs.frozen(eq=False)
class ServerLoop:
    """A thread with a Trio loop, in which any number of upstreams serve."""

    nursery: trio.Nursery
    _token: trio.lowlevel.TrioToken
    _upstreams: list[Upstream] = attrs.Factory(list)

    def upstream(self, dialect: Dialect) -> Upstream:
        """A new one, on a port of its own."""
        self._upstreams.append(Upstream(FakeProvider(dialect), self))
        return self._upstreams[-1]

    def run(self, function: Callable[[], None]) -> None:
        """Call it in the loop."""
        trio.from_thread.run_sync(function, trio_token=self._token)

    def stop(self) -> None:
        """End all upstreams."""
        self.run(self.nursery.cancel_scope.cancel)
        for upstream in self._upstreams:
            upstream.close()


@contextmanager
def server_loop() -> Iterator[ServerLoop]:
    """A loop until the block ends."""
    started: queue.SimpleQueue[ServerLoop] = queue.SimpleQueue()

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            started.put(ServerLoop(nursery, trio.lowlevel.current_trio_token()))
            await trio.sleep_forever()

    with ThreadPoolExecutor(1, thread_name_prefix="upstreams") as pool:
        over = pool.submit(trio.run, run)
        loop = started.get(timeout=HANGS_S)
        try:
            yield loop
        finally:
            loop.stop()
            over.result(HANGS_S)


def until(condition: Callable[[], object]) -> None:
    """Look again and again."""
    end = time.monotonic() + HANGS_S
    while not condition():
        assert time.monotonic() < end, "it has not come to pass"
        time.sleep(LOOK_AGAIN_S)
