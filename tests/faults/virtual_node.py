"""A whole node but for its doors, on Trio's virtual clock: the tree, the pipeline, the workers.

Requests go into the pipeline as its doors would put them. Nothing here opens a socket, so the clock
may jump, and a minute of load takes as long as its computing.
"""

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from cortexd.config.load import load
from cortexd.domain.answer import Batch, Finished, TextDelta
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.errors import CortexError
from cortexd.domain.events import Event, ExchangeEnded
from cortexd.domain.ids import NOBODY, RequestId, Tenant
from cortexd.domain.outcome import Outcome
from cortexd.domain.worker import WorkerStatus
from cortexd.pipeline.exchange import Exchange
from cortexd.runtime.application import Application, build_application
from cortexd.runtime.doors import Doors
from cortexd.runtime.supervision import supervision_tree
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.database import Database
from supervisor_tree import NodeSnapshot, Tree, started_task, task
from supervisor_tree.testing import running
from tests.inline_database import InlineDatabase

SEED: Final = 20261121

HEAD: Final = """
[node]
state_dir = "{folder}"
"""


@attrs.define(eq=False)
class Listener:
    """The client's side of a request. `pause_s`: how long it takes over each batch."""

    pause_s: float = 0.0
    text: str = ""
    is_whole: bool = False

    async def send(self, events: Batch) -> None:
        """Take a batch."""
        await trio.sleep(self.pause_s)
        self.text += "".join(event.text for event in events if isinstance(event, TextDelta))
        self.is_whole = isinstance(events[-1], Finished)

    def start_over(self) -> bool:
        """Take nothing back that has been heard."""
        return not self.text

    @property
    def is_sent(self) -> bool:
        """Whether all of it has been heard."""
        return self.is_whole


@attrs.frozen(kw_only=True)
class Told:
    """What became of a request, and how long that took, in seconds."""

    text: str
    is_whole: bool
    error: CortexError | None
    seconds: float


@attrs.frozen(eq=False)
class VirtualNode:
    """A running node. `events`: what it has told its log, as they came."""

    app: Application
    tree: Tree
    events: list[Event]
    _numbers: "count[int]" = attrs.Factory(count)

    def exchange(
        self,
        listener: Listener,
        text: str | None = None,
        *,
        model: str | None = None,
        tenant: Tenant = NOBODY,
        timeout_s: float | None = None,
    ) -> Exchange:
        """A request as a door makes it. `text` left out: one that no other request has."""
        number = next(self._numbers)
        message = text_message(Role.USER, text or f"question {number}")
        return Exchange(
            request_id=RequestId(f"r-{number}"),
            door="test",
            request=ChatRequest(model=model, messages=(message,)),
            downstream=listener,
            tenant=tenant,
            timeout_s=timeout_s,
        )

    async def ask(self, text: str | None = None, *, pause_s: float = 0.0, **asked: Any) -> Told:
        """Ask, and wait for the end."""
        listener, began_at = Listener(pause_s), trio.current_time()
        error: CortexError | None = None
        try:
            await self.app.doors.service(self.exchange(listener, text, **asked))
        except CortexError as raised:
            error = raised
        return Told(
            text=listener.text,
            is_whole=listener.is_whole,
            error=error,
            seconds=trio.current_time() - began_at,
        )

    @property
    def ended(self) -> Sequence[ExchangeEnded]:
        """The accounts of the exchanges so far."""
        return [event for event in self.events if isinstance(event, ExchangeEnded)]

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How they have ended."""
        return Counter(event.outcome for event in self.ended)

    def is_idle(self) -> bool:
        """Whether nothing is in flight or queued."""
        slots = [worker.slots for worker in self.app.pool.roster.value]
        return self.app.pipeline.cutoff.in_flight == 0 and not any(
            each.in_flight or each.queued for each in slots
        )

    def snapshots(self) -> Iterator[NodeSnapshot]:
        """All children of the tree as they are now, and the tree itself."""
        return _flat(self.tree.snapshot())

    def incarnations(self) -> dict[str, int]:
        """The number of the incarnation that each has come to, by its path."""
        return {each.path: each.incarnation for each in self.snapshots()}


@asynccontextmanager
async def running_node(
    folder: Path,
    workers: str,
    *,
    adapt: Callable[[Application], Application] = lambda app: app,
    wall_clock: Callable[[], float] = time.time,
    open_database: Callable[..., Database] = InlineDatabase,
) -> AsyncIterator[VirtualNode]:
    """A node until the block ends, from the text of its `[[workers]]`; all of them are well.

    `adapt`: changes the parts before they run. `wall_clock`: what it takes for the time of day.
    `open_database`: makes its databases.
    """
    path = folder / "cortexd.toml"
    path.write_text(HEAD.format(folder=folder) + workers, encoding="utf-8")
    events: list[Event] = []
    chance = random.Random(SEED)  # noqa: S311  it has to come again, not to be secret
    around = Surroundings(
        emit=events.append, chance=chance, wall_clock=wall_clock, open_database=open_database
    )
    app = adapt(build_application(load(path, {}), around))
    doors = Doors(data=started_task(_stand_open, app), admin=task(trio.sleep_forever))
    async with running(supervision_tree(app, doors)) as tree:
        await app.pool.view.wait_until(
            lambda view: all(each.health.status is WorkerStatus.AVAILABLE for each in view.members)
        )
        yield VirtualNode(app, tree, events)


async def _stand_open(app: Application, *, task_status: trio.TaskStatus[None]) -> None:
    """What the door for clients does besides listening."""
    async with app.pipeline.flights.open():
        task_status.started()
        await trio.sleep_forever()


def _flat(node: NodeSnapshot) -> Iterator[NodeSnapshot]:
    yield node
    for child in node.children:
        yield from _flat(child)
