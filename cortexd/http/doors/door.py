"""What a door is: HTTP in, HTTP out, and no framework in sight."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class DoorRequest:
    """A request as it came off the wire. Header names are lower case.

    `params`: the parts of the path that the route has names for. `query`: what stands behind its
    question mark, still encoded.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    params: Mapping[str, str] = attrs.Factory(dict)
    query: str = ""


class Responder(Protocol):
    """The way back to the client. `start` once, `send` any number of times, `finish` once.

    Leaving out `finish` after `start` cuts the connection, so that the client sees a broken answer.
    Errors: a client that has gone cancels the door's task; nothing is raised here for it.
    """

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the status line and the headers."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slow."""
        ...

    async def finish(self) -> None:
        """End the body cleanly."""
        ...


class Door(Protocol):
    """One endpoint of one dialect."""

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Parse, ask the pipeline, encode."""
        ...
