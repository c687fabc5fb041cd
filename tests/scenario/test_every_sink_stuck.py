"""Nobody takes what the node has to tell of itself, and its clients do not notice."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import pytest
import trio

from cortexd.domain.alert import AlertDigest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.ids import DeadLetterId
from cortexd.http.admin.events import EventsDoor
from cortexd.http.doors.door import DoorRequest
from cortexd.pipeline.dead_letters import KEEP_S_MAX
from cortexd.pipeline.exchange import Original
from cortexd.runtime.application import Application
from cortexd.storage.job import Job
from tests.daemon import Daemon, running_daemon
from tests.faults.virtual_node import Listener, VirtualNode
from tests.faults.virtual_node import running_node as running_virtual_node
from tests.inline_database import InlineDatabase
from tests.matrix.doors import DOORS
from tests.scenario.audience import Audience, Chat
from tests.scenario.stuck_sinks import ALARM, ALL, Sinks, working_sinks

T = TypeVar("T")

REQUESTS: Final = 150
HANGS_S: Final = 120.0
"""A limit for what hangs: how long things really take depends on the machine."""

TEXT: Final = "all is well with me"

TALKING: Final = """
[[workers]]
name = "talker"
type = "scripted"
models = ["m"]
script = [{{ wait = 0.01 }}, {{ say = "{text}", split = "words", every = 0.002 }}]
[[workers]]
name = "broken"
type = "scripted"
models = ["broken"]
script = [{{ fail = "server_error" }}]
"""

LOGGED: Final = """
[[alerts.channels]]
type = "log"
"""

VIRTUAL: Final = """
[cache]
enabled = false
[breaker]
enabled = false
[retry]
budget_ratio = 0
budget_floor_per_second = 0
"""


@attrs.frozen(eq=False)
class Surrounded:
    """A node with all its sinks, and those who chat with it."""

    node: Daemon
    sinks: Sinks
    audience: Audience

    def run(self) -> list[Chat]:
        """So many requests, one after the other."""
        doors = islice(cycle(DOORS), REQUESTS)
        return [
            self.audience.ask(door, model="talker/m", stream=number % 2 == 0)
            for number, door in enumerate(doors)
        ]

    def fail(self) -> Chat:
        """A request that fails for good."""
        return self.audience.ask(DOORS[0], model="broken/broken")


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surrounded]:
    """All is well."""
    with working_sinks() as sinks:
        config = TALKING.format(text=TEXT) + sinks.sections
        log = sinks.log.writing
        with running_daemon(tmp_path, config, environ=sinks.environ, stderr=log) as node:
            audience = Audience(node.url)
            yield Surrounded(node, sinks, audience)
            audience.close()


def _wait(until: Callable[[], object], what: Callable[[], object]) -> None:
    end = time.monotonic() + HANGS_S
    while not until():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


@pytest.mark.real_time
@pytest.mark.slow
def test_all_requests_are_answered_while_every_sink_is_stuck(around: Surrounded) -> None:
    """As well as before; what cannot be told is lost, and then all is told again."""
    sinks, node = around.sinks, around.node
    before = around.run()
    assert around.fail().letter is not None
    sinks.webhook.next_document()
    sinks.mail.next_mail()
    with sinks.stuck(node):
        assert around.fail().letter is None
        stuck = partial(sinks.stuck_ones, node)
        _wait(lambda: around.run() and stuck() == ALL, stuck)
        after = around.run()
        assert around.fail().letter is None
        assert stuck() == ALL
    assert {chat.heard.text for chat in (*before, *after)} == {TEXT}
    _wait(lambda: around.fail().letter, lambda: node.announced)
    assert node.stop() == 0


class StuckNotifier:
    """A way to people that never comes to an end."""

    send_s_max = 10.0

    async def send(self, digest: AlertDigest) -> None:
        await trio.sleep_forever()


@attrs.define(eq=False)
class DeafReader:
    """Asks for the events, and does not read them. `is_stuck`: the first write waits."""

    is_stuck: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        assert status == 200

    async def send(self, data: bytes) -> None:
        self.is_stuck = True
        await trio.sleep_forever()

    async def finish(self) -> None:
        raise AssertionError


@attrs.define(eq=False)
class Disk:
    """Where a node's databases are. `is_stuck`: it answers nobody any more."""

    is_stuck: bool = False
    unanswered: int = 0

    def open_database(self, *arguments: Any, **settings: Any) -> InlineDatabase:
        """One on this disk."""
        disk = self

        class OnDisk(InlineDatabase):
            def _post(self, job: Job) -> None:
                if disk.is_stuck:
                    disk.unanswered += 1
                else:
                    super()._post(job)

        return OnDisk(*arguments, **settings)


def _without_notifiers(app: Application) -> Application:
    alerts = app.watch.alerts
    channels = (attrs.evolve(each, notifier=StuckNotifier()) for each in alerts.channels)
    stuck = attrs.evolve(alerts, channels=tuple(channels))
    return attrs.evolve(app, watch=attrs.evolve(app.watch, alerts=stuck))


async def _fail(node: VirtualNode) -> tuple[float, DeadLetterId | None]:
    """How long a request takes that fails for good, and its letter."""
    exchange = node.exchange(Listener(), model="broken/broken")
    exchange.original = Original(path="/test", body=b"{}")
    began_at = trio.current_time()
    with pytest.raises(WorkerFailed):
        await node.app.doors.service(exchange)
    return trio.current_time() - began_at, exchange.dead_letter


async def _at_once(call: Callable[[], Awaitable[T]]) -> list[T]:
    """What so many calls have brought that were made at the same time."""
    results: list[T] = []

    async def add() -> None:
        results.append(await call())

    async with trio.open_nursery() as nursery:
        for _ in range(REQUESTS):
            nursery.start_soon(add)
    return results


async def test_no_request_waits_for_a_sink(tmp_path: Path) -> None:
    """On the virtual clock: an answer takes as long as ever, an error a second more at most."""
    disk, reader = Disk(), DeafReader()
    config = TALKING.format(text=TEXT) + ALARM + LOGGED + VIRTUAL
    async with (
        running_virtual_node(
            tmp_path, config, adapt=_without_notifiers, open_database=disk.open_database
        ) as node,
        trio.open_nursery() as watchers,
    ):
        ask = partial(node.ask, model="talker/m")
        usual = await ask()
        usual_error_s, letter = await _fail(node)
        disk.is_stuck = True
        request = DoorRequest(method="GET", path="/admin/events", headers={}, body=b"")
        door = EventsDoor(node.app.events.feed, lambda _: False)
        watchers.start_soon(door.answer, request, reader)
        await trio.sleep(60)

        answers = await _at_once(ask)
        errors = await _at_once(partial(_fail, node))

        assert (usual.text, usual.is_whole, letter is None) == (TEXT, True, False)
        assert {(each.text, each.is_whole) for each in answers} == {(TEXT, True)}
        assert [each.seconds for each in answers] == pytest.approx([usual.seconds] * REQUESTS)
        assert {letter for _, letter in errors} == {None}
        late_s = [seconds - usual_error_s for seconds, _ in errors]
        assert late_s == pytest.approx([KEEP_S_MAX] * REQUESTS)
        (channel,) = node.app.watch.alerts.channels
        assert channel.outbox.queued > 1
        assert reader.is_stuck
        assert disk.unanswered > REQUESTS
        watchers.cancel_scope.cancel()
