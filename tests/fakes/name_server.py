"""What answers look-ups of names instead of the system's resolver."""

import socket
from collections.abc import Callable

import attrs
import trio

from cortexd.providers.transport.look_up import Answer

UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BROKEN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@attrs.define(eq=False)
class NameServer:
    """Answers soon with what `answers` has for a name; where that is nothing, once it is told.

    `asked`: the names of the look-ups so far, `hanging`: of those that have no answer yet.
    """

    answers: dict[str, Answer] = attrs.Factory(dict)
    asked: list[str] = attrs.Factory(list)
    hanging: dict[str, Callable[[Answer], None]] = attrs.Factory(dict)

    def start(self, host: str, tell: Callable[[Answer], None]) -> None:
        """Take a look-up; it is a `StartLookUp`."""
        self.asked.append(host)
        if host in self.answers:
            token = trio.lowlevel.current_trio_token()
            token.run_sync_soon(tell, self.answers[host])
        else:
            self.hanging[host] = tell

    def answer(self, host: str, answer: Answer) -> None:
        """Answer a look-up that hangs."""
        self.hanging.pop(host)(answer)
