"""Doors whose every use is kept in the audit trail: who, what, when, from where, and how it went.

Never what the request said: it may hold a key. And not who comes too often: that changes nothing,
events tell of it, and whoever knocks without end must not fill the disk.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.ports import AuditEntry, AuditTrail

_TOO_OFTEN: Final = 429


@attrs.define
class _Witness(Responder):
    """Passes the answer on, and notes its status."""

    inner: Responder
    status: int = 0

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head."""
        self.status = status
        await self.inner.start(status, headers)

    async def send(self, data: bytes) -> None:
        """Send a piece."""
        await self.inner.send(data)

    async def finish(self) -> None:
        """End the answer."""
        await self.inner.finish()


@attrs.frozen
class Audited(Door):
    """Lets the door inside answer. `wall_clock` gives seconds since 1970."""

    inner: Door
    trail: AuditTrail
    wall_clock: Callable[[], float]

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Answer, and keep that it was asked, also where the client has left in the midst of it."""
        witness = _Witness(respond)
        try:
            await self.inner.answer(request, witness)
        finally:
            if witness.status != _TOO_OFTEN:
                # Shields itself, and is over in time.
                await self.trail.keep(self._entry(request, witness.status))

    def _entry(self, request: DoorRequest, status: int) -> AuditEntry:
        return AuditEntry(
            at=self.wall_clock(),
            who="session" if request.caller.session is not None else "token",
            client=request.client,
            method=request.method,
            path=request.path,
            status=status,
            request_id=request.headers.get("x-request-id", ""),
        )
