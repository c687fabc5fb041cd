"""What the clients of the storm do: ask, and leave at a moment that nobody has chosen."""

import random
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Final

import attrs
import trio

from tests.load.asking import DOORS, Client, ClientDoor, connected
from tests.load.plan import Plan, pieces_in
from tests.load.upstream import Upstream

PIECES: Final = 12
GAP_S: Final = 0.01
PATIENCE_MAX: Final = 2.5
LOOK_INTERVAL_S: Final = 0.02


class Moment(Enum):
    """When a client leaves."""

    ASKING = auto()  # at some byte of its request
    ASKED = auto()  # when the worker may have it, or not yet
    QUEUED = auto()  # while it waits for a slot
    CONNECTING = auto()  # while the node waits for the worker to take the connection
    WAITING = auto()  # the worker has the request, and says nothing
    HELD = auto()  # the worker has fallen silent in the middle
    FLOWING = auto()  # after so many pieces, or so many bytes of an answer sent whole
    STAYING = auto()  # not at all


WORKER_OF: Final = {Moment.QUEUED: "busy", Moment.CONNECTING: "deaf"}

LIKELY: Final[Mapping[Moment, Collection[tuple[str, ...]]]] = {
    Moment.ASKING: {()},
    Moment.ASKED: {(), ("client_left",), ("served",)},
    Moment.QUEUED: {(), ("client_left",)},
    Moment.CONNECTING: {(), ("client_left",)},
    Moment.WAITING: {("client_left",)},
    Moment.HELD: {("client_left",)},
    Moment.FLOWING: {("client_left",), ("served",)},
    Moment.STAYING: {("served",)},
}
"""The outcomes that an exchange may have: none of them before its request is with the pipeline."""


@attrs.define
class Pace:
    """How long a request has lately taken to get to its worker, through all the others."""

    seconds: float = 0.0


@attrs.frozen(kw_only=True)
class Errand:
    """One request. `share`: how much of what it sends or gets a client waits for, from 0 to 1.

    `patience`: how long it waits where there is nothing to be seen, in the pace of the node.
    """

    door: ClientDoor
    is_streamed: bool
    moment: Moment
    plan: Plan
    share: float
    patience: float
    is_rude: bool

    async def run(self, port: int, upstream: Upstream, pace: Pace) -> None:
        """Ask, and leave."""
        model = f"{WORKER_OF.get(self.moment, 'steady')}/m"
        request = self.door.request(model, self.plan, stream=self.is_streamed)
        async with connected(port) as client:
            if self.is_rude:
                client.leave_rudely()
            if self.moment is Moment.ASKING:
                request = request[: int(self.share * len(request))]
            await client.stream.send_all(request)
            await self._stay(client, upstream, pace)

    async def _stay(self, client: Client, upstream: Upstream, pace: Pace) -> None:
        match self.moment:
            case Moment.ASKED | Moment.QUEUED | Moment.CONNECTING:
                await trio.sleep(self.patience * pace.seconds)
            case Moment.WAITING:
                asked_at = trio.current_time()
                await until_sent(upstream, self.plan, 0)
                pace.seconds = trio.current_time() - asked_at
            case Moment.HELD if self.is_streamed:
                held_after = self.plan.held_after or 0
                await client.hear(lambda answer: len(pieces_in(answer.body)) >= held_after)
            case Moment.HELD:
                await until_sent(upstream, self.plan, 1)
            case Moment.FLOWING if self.is_streamed:
                wanted = int(self.share * PIECES)
                await client.hear(lambda answer: len(pieces_in(answer.body)) > wanted)
            case Moment.FLOWING:
                await client.hear(lambda answer: answer.status != 0)
            case Moment.STAYING:
                await client.hear()
                client.answer.check(self.door, self.plan, stream=self.is_streamed)
            case _:
                pass


async def until_sent(upstream: Upstream, plan: Plan, bytes_min: int) -> None:
    """Wait until the worker has the request, and has sent that much of the answer."""
    while (  # noqa: ASYNC110  it happens in another thread
        plan.name not in upstream.asked or upstream.asked[plan.name].sent_bytes < bytes_min
    ):
        await trio.sleep(LOOK_INTERVAL_S)


def draw(number: int, *, seed: int) -> list[Errand]:
    """So many errands, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311  it has to come again, not to be secret
    return [_draw_one(chance, f"storm-{seed}-{index}") for index in range(number)]


def _draw_one(chance: random.Random, name: str) -> Errand:
    moment = chance.choice(tuple(Moment))
    held_after = {Moment.WAITING: 0, Moment.HELD: chance.randrange(1, PIECES)}.get(moment)
    gap_s = GAP_S if moment is Moment.FLOWING else 0.0
    return Errand(
        door=chance.choice(DOORS),
        is_streamed=chance.random() < 0.5,
        moment=moment,
        plan=Plan(name=name, pieces=PIECES, gap_s=gap_s, held_after=held_after),
        share=chance.random(),
        patience=chance.uniform(0.0, PATIENCE_MAX),
        is_rude=chance.random() < 0.5,
    )


async def run_all(
    errands: Sequence[Errand], port: int, upstream: Upstream, *, clients: int
) -> None:
    """Run them all, so many at a time."""
    left, pace = iter(errands), Pace()

    async def run_some() -> None:
        for errand in left:
            await errand.run(port, upstream, pace)

    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(run_some)
