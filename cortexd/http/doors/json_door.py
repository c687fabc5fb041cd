"""Doors that answer with a document made on the spot."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from cortexd.http.doors.door import Door, DoorRequest, Responder

Document: TypeAlias = Callable[[], tuple[int, Any]]
"""Makes the answer: the HTTP status and what the JSON says."""


async def answer_json(
    respond: Responder, status: int, document: Any, headers: Sequence[tuple[str, str]] = ()
) -> None:
    """Send a whole JSON answer, never to be cached."""
    body = msgspec.json.encode(document)
    await respond.start(
        status,
        [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            *headers,
        ],
    )
    await respond.send(body)
    await respond.finish()


class JsonDoor(Door):
    """Answers every request with what `document` says now."""

    def __init__(self, document: Document) -> None:
        self._document = document

    async def answer(self, request: DoorRequest, respond: Responder) -> None:  # noqa: ARG002  the same for all
        """Send the document."""
        status, document = self._document()
        await answer_json(respond, status, document)
