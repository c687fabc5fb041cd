"""Who may pass to a door, settled by the head of a request, before its body is read."""

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from cortexd.domain.errors import CortexError
from cortexd.http.doors.door import Caller
from cortexd.http.error_responses import error_response, shaped
from cortexd.http.error_shapes import shape_for
from cortexd.http.host_errors import Answer

UNIX_SOCKET: Final = "unix"
"""Stands for the address of whoever comes through a Unix socket."""

_UNAUTHENTICATED: Final = 401
# A must of RFC 9110, section 15.5.2; a browser does not ask for a password at this word.
_CHALLENGE: Final = (("www-authenticate", "Bearer"),)


@attrs.frozen
class TurnedAway:
    """Why somebody may not pass. `held_s`: how long the answer has to wait."""

    error: CortexError
    held_s: float = 0.0

    def answer(self, path: str) -> Answer:
        """The refusal, in the dialect of who asks for `path`."""
        shape = shape_for(path)
        answer = error_response(self.error, render=lambda error: shaped(error, shape))
        if answer.status != _UNAUTHENTICATED:
            return answer
        return attrs.evolve(answer, headers=(*answer.headers, *_CHALLENGE))


class Gate(Protocol):
    """Stands in front of a door."""

    def admit(self, method: str, headers: Mapping[str, str], client: str) -> Caller | TurnedAway:
        """Who is asking, or why not. `client` is the address that the request comes from."""
        ...
