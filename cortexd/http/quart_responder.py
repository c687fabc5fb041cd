"""Lets a door push its answer straight into ASGI.

No task and no channel stands between a door and the socket: `send` returns when the bytes are with
the kernel, and that is the back-pressure.
"""

import re
from collections.abc import Sequence

import trio

from cortexd.http.guard import Send

_UNSENDABLE = re.compile(r"[\r\n\0]")


class AsgiResponder:
    """The `Responder` of a door behind an ASGI server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the status line and the headers.

        Errors: `ValueError` for a header that cannot be sent; nothing has been sent then.
        """
        encoded = [_encoded(name, value) for name, value in headers]
        await trio.lowlevel.checkpoint_if_cancelled()
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slow."""
        # The server shields its writes, so between two of them is where a cancellation gets in.
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End the body cleanly."""
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    if _UNSENDABLE.search(value):
        raise ValueError(f"the value of response header {name!r} contains a line break or a NUL")
    return name.lower().encode("ascii"), value.encode("latin-1")
