"""What a door is: HTTP in, HTTP out, and no framework in sight."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import attrs

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.criticality import Criticality
from cortexd.policy.rate_limit import Allowance


@attrs.frozen(kw_only=True)
class Caller:
    """Who asks, as the gate in front of the door has made sure.

    `key_id`: the key that was shown, if there was one. `allowance`: what this client may spend.
    `session`: that of an operator who has logged in.
    """

    key_id: ClientKeyId | None = None
    criticality: Criticality = Criticality.NORMAL
    allowance: Allowance | None = None
    session: str | None = None


ANYBODY: Final = Caller()


@attrs.frozen(kw_only=True)
class DoorRequest:
    """A request as it came off the wire. Header names are lower case.

    `params`: the parts of the path that the route has names for. `query`: what stands behind its
    question mark, still encoded. `client`: the address that it comes from.
    `is_retry`: an operator has it run again, since it failed for good before.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    params: Mapping[str, str] = attrs.Factory(dict)
    query: str = ""
    client: str = ""
    caller: Caller = ANYBODY
    is_retry: bool = False


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
