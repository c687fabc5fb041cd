"""What an operation of the admin API makes of an actor that cannot be asked."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio

from cortexd.actors.degradation_manager import DEGRADATION_MANAGER, DegradationManager
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.operation import Operation
from cortexd.http.doors.door import DoorRequest
from supervisor_tree import MailboxFull, Supervisor, open_tree, whereis

REQUEST = DoorRequest(method="PUT", path="/admin/degradation", headers={}, body=b"")


@attrs.define(eq=False)
class Sent:
    """What the client gets."""

    status: int = 0
    headers: dict[str, str] = attrs.Factory(dict)
    body: bytes = b""
    is_finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The head of it."""
        await trio.lowlevel.checkpoint()
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        """A piece."""
        await trio.lowlevel.checkpoint()
        self.body += data

    async def finish(self) -> None:
        """The end."""
        await trio.lowlevel.checkpoint()
        self.is_finished = True


async def _ask_nobody(_request: DoorRequest) -> tuple[int, Any]:
    async with open_tree(Supervisor()):
        await whereis(DEGRADATION_MANAGER).call(DegradationManager.force, None)
    return 200, {}


async def _ask_too_many(_request: DoorRequest) -> tuple[int, Any]:
    await trio.lowlevel.checkpoint()
    raise MailboxFull("64 messages wait already")


async def _refuse(_request: DoorRequest) -> tuple[int, Any]:
    await trio.lowlevel.checkpoint()
    raise RequestRefused("there is no such level", "level", "invalid_value")


@pytest.mark.parametrize("handle", [_ask_nobody, _ask_too_many])
async def test_an_actor_that_cannot_be_asked_is_to_be_asked_again(handle: Any) -> None:
    """No fault of the client's, and none that lasts."""
    sent = Sent()
    await Operation(handle).answer(REQUEST, sent)
    error = json.loads(sent.body)["error"]
    assert (sent.status, error["code"], sent.is_finished) == (503, "busy", True)
    assert "try again" in error["message"]
    assert int(sent.headers["retry-after"]) >= 1


async def test_a_refusal_is_the_answer() -> None:
    """As the handler has put it."""
    sent = Sent()
    await Operation(_refuse).answer(REQUEST, sent)
    error = json.loads(sent.body)["error"]
    assert (sent.status, error["code"], error["param"]) == (400, "invalid_value", "level")
