"""How a test asks a door, and what comes back."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import pytest

from cortexd.http.doors.door import Door, DoorRequest

JSON = {"content-type": "application/json"}


@attrs.define
class Answered:
    """A responder that keeps what it is given."""

    status: int = 0
    headers: Mapping[str, str] = attrs.Factory(dict)
    writes: list[bytes] = attrs.Factory(list)
    finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keep the head of the response."""
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        """Keep a write."""
        self.writes.append(data)

    async def finish(self) -> None:
        """Note the clean end."""
        self.finished = True

    @property
    def lines(self) -> list[Any]:
        """The documents of a stream, a line each."""
        return [json.loads(line) for line in b"".join(self.writes).splitlines()]

    @property
    def document(self) -> Any:
        """The one document there is."""
        [document] = self.lines
        return document


Ask: TypeAlias = Callable[..., Awaitable[Answered]]
"""Takes a door, the document that it is sent, if any, and headers."""


@pytest.fixture
def ask() -> Ask:
    """Put one request to a door."""

    async def ask(
        door: Door, document: object = None, *, headers: Mapping[str, str] = JSON
    ) -> Answered:
        answered = Answered()
        method, body = ("GET", b"") if document is None else ("POST", json.dumps(document).encode())
        request = DoorRequest(method=method, path="/", headers=headers, body=body)
        await door.answer(request, answered)
        assert answered.finished
        return answered

    return ask
