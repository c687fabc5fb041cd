"""What is remembered of a host's name: the addresses that were good last, and of which kind. Pure.

The rule against rebinding: the first answer tells what a name is. If all its addresses are public,
no later answer is taken in which any address is internal: somebody may want to have our requests,
and the keys in them, sent to a machine of this network. A name that was internal from the start, as
operators call their own machines, may mean what it likes.

Nobody tells for how long an answer holds: `getaddrinfo` hides it. So it is asked for again soon.
"""

import socket
from collections.abc import Sequence
from math import inf
from typing import Final

from cortexd.providers.transport.internal_addresses import is_internal

# A new address is to be found within 30 s of its coming up; the look-up itself takes time as well.
FRESH_S_MAX: Final = 25.0

LAST_GOOD_S_MAX: Final = 300.0
"""For so long after the last good answer its addresses are used, if there is no other."""

RETRY_S: Final = 5.0

REBOUND: Final = "the name has turned from public addresses to internal ones, which is refused"


class KnownName:
    """One name. `now`: seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self._addresses: tuple[str, ...] = ()
        self._is_public: bool | None = None
        self._good_until = -inf
        self._due_at = -inf
        self._failure = OSError(socket.EAI_AGAIN, "the name has not been looked up")

    def note_answer(self, addresses: Sequence[str], *, now: float) -> None:
        """It has been looked up. A name that was rebound is taken for one that has failed."""
        is_public = not any(map(is_internal, addresses))
        if self._is_public and not is_public:
            self.note_failure(socket.gaierror(socket.EAI_FAIL, REBOUND), now=now)
            return
        if self._is_public is None:
            self._is_public = is_public
        self._addresses = tuple(addresses)
        self._good_until = now + LAST_GOOD_S_MAX
        self._due_at = now + FRESH_S_MAX

    def note_failure(self, error: OSError, *, now: float) -> None:
        """It could not be looked up."""
        self._failure = error
        self._due_at = now + RETRY_S

    def is_due(self, now: float) -> bool:
        """Whether it is time to look it up again."""
        return now >= self._due_at

    def is_usable(self, now: float) -> bool:
        """Whether it has addresses that are good, or were not long ago."""
        return now < self._good_until

    def addresses(self, now: float) -> tuple[str, ...]:
        """Those addresses.

        Errors: `OSError` where there are none: how the last look-up has failed.
        """
        if not self.is_usable(now):
            # One of its own for each caller: a traceback grows with every raise.
            raise type(self._failure)(*self._failure.args)
        return self._addresses

    def has(self, address: str) -> bool:
        """Whether the last good answer had this address, however long ago that was."""
        return address in self._addresses
