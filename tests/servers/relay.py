"""A wire between a node and a server that can be cut: nothing gets through then, nor an end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs

PIECE_BYTES = 65536
CONNECT_S_MAX = 10.0


@attrs.define(eq=False)
class Relay:
    """Listens on `port` and passes on to another port of this machine."""

    listener: socket.socket
    target: int
    _whole: threading.Event = attrs.Factory(threading.Event)
    _over: threading.Event = attrs.Factory(threading.Event)
    _open: list[socket.socket] = attrs.Factory(list)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """From now on, what is sent is held up."""
        self._whole.clear()

    def mend(self) -> None:
        """What was held up arrives."""
        self._whole.set()

    def serve(self) -> None:
        """Pass on until it is closed."""
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._join, args=[near], daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        self._over.set()
        self.mend()
        # Closing alone does not wake who waits in accept() or recv().
        for each in (self.listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _join(self, near: socket.socket) -> None:
        self._whole.wait()
        if self._over.is_set():
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=CONNECT_S_MAX)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._open += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=[source, sink], daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                self._whole.wait()
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def relaying(target: int) -> Iterator[Relay]:
    """A wire to that port for the length of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    relay = Relay(listener, target)
    relay.mend()
    thread = threading.Thread(target=relay.serve, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join()
