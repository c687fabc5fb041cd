"""The table in front of the framework, driven as any ASGI host would."""

from typing import Any

import attrs
import pytest

from cortexd.http.door_table import BodyLimits, DoorTable
from cortexd.http.doors.door import DoorRequest, Responder


@attrs.define
class Keeper:
    """A door that keeps what it is asked."""

    bodies: list[bytes] = attrs.Factory(list)

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Say nothing of interest."""
        self.bodies.append(request.body)
        await respond.start(204, [])
        await respond.finish()


def _request(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("messages", "bodies", "statuses"),
    [
        ([_request(b"abc")], [b"abc"], [204]),
        ([_request(b"a", more=True), _request(b"bc")], [b"abc"], [204]),
        ([_request(b"", more=True), _request(b"")], [b""], [204]),
        # Half a body is not a body, also where a host does not cancel the request.
        ([_request(b"abc", more=True), GONE], [], []),
        ([GONE], [], []),
        ([_request(b"x" * 6, more=True), _request(b"x" * 6)], [], [413]),
    ],
)
async def test_bodies(
    messages: list[dict[str, Any]], bodies: list[bytes], statuses: list[int]
) -> None:
    """Whole, in pieces, cut off, too large."""
    door, sent, coming = Keeper(), [], iter(messages)

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        pytest.fail("the path is in the table")

    limits = BodyLimits(bytes_max=10, seconds_max=5.0)
    table = DoorTable(framework, {("POST", "/x"): door}, limits)
    headers = [(b"x-request-id", b"1")]
    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
    await table(scope, receive, send)
    assert door.bodies == bodies
    assert [m["status"] for m in sent if m["type"] == "http.response.start"] == statuses
