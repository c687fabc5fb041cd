"""A channel over a notifier that does what the test says, on a clock that jumps."""

import random
from collections.abc import Callable
from functools import partial

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.alert_channel import ATTEMPTS_MAX, AlertChannel
from cortexd.actors.alert_outbox import WAITING_MAX, AlertOutbox
from cortexd.domain.alert import AlertDigest, NotificationFailed, Severity
from cortexd.domain.events import AlertChannelFailed, Event
from supervisor_tree import ChildSpec, Name, Service, Supervisor, open_tree, task, whereis
from supervisor_tree.testing import crash
from tests.fakes.alerts import notice

CHANNEL = Name[object]("channel")


@attrs.define(eq=False)
class Sink:
    """Takes messages as told: each of `troubles` in turn, then all is well."""

    troubles: list[str] = attrs.Factory(list)
    taken: list[tuple[float, AlertDigest]] = attrs.Factory(list)
    tried: list[float] = attrs.Factory(list)
    send_s_max: float = 10.0

    async def send(self, digest: AlertDigest) -> None:
        self.tried.append(trio.current_time())
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "hangs":
            await trio.sleep_forever()
        if trouble == "has a bug":
            raise RuntimeError(trouble)
        if trouble:
            raise NotificationFailed(trouble, is_final="404" in trouble)
        self.taken.append((trio.current_time(), digest))

    @property
    def told(self) -> list[list[float]]:
        """The notices of each message that was taken, by their times."""
        return [[notice.at for notice in digest.notices] for _, digest in self.taken]


@attrs.define(eq=False)
class Rig:
    """A channel, its sink, and what was emitted."""

    sink: Sink = attrs.Factory(Sink)
    events: list[Event] = attrs.Factory(list)
    channel: AlertChannel = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        outbox = AlertOutbox(Severity.WARNING)
        self.channel = AlertChannel(name="hook", type="webhook", outbox=outbox, notifier=self.sink)

    def tree(self) -> Supervisor:
        """The channel below a supervisor, as in the node."""
        chance = random.Random(1)  # noqa: S311  waits are no secret
        run = task(self.channel.run, chance, self.events.append)
        return Supervisor(ChildSpec("hook", run, name=CHANNEL))

    def put(self, number: int) -> None:
        """A notice that can be told from others by its time."""
        self.channel.outbox.put(notice(at=float(number)))


@pytest.fixture
def rig() -> Rig:
    """A channel whose sink works."""
    return Rig()


async def _until(done: Callable[[], bool]) -> None:
    with trio.fail_after(3600):
        while not done():  # noqa: ASYNC110  on this clock it costs nothing
            await trio.sleep(0.1)


async def test_what_comes_in_is_told_at_once(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """One by one as it comes; what has piled up goes in one message."""
    rig.put(1)
    rig.put(2)
    async with open_tree(rig.tree()):
        await _until(lambda: rig.sink.told == [[1, 2]])
        rig.put(3)
        await _until(lambda: rig.sink.told == [[1, 2], [3]])
    assert rig.events == []
    assert rig.channel.outbox.delivered_count == 3


@pytest.mark.parametrize("trouble", ["answered with status 500", "no answer: ConnectError"])
async def test_a_failure_is_tried_again_with_growing_waits(
    rig: Rig, trouble: str, autojump_clock: trio.testing.MockClock
) -> None:
    """The same message, until it is taken; what comes meanwhile follows in the next one."""
    rig.sink.troubles = [trouble] * 4
    rig.put(1)
    async with open_tree(rig.tree()):
        await _until(lambda: len(rig.sink.tried) == 2)
        rig.put(2)
        assert rig.channel.outbox.failure == trouble
        await _until(lambda: rig.sink.told == [[1], [2]])
    waits = [b - a for a, b in zip(rig.sink.tried, rig.sink.tried[1:5], strict=False)]
    for wait_s, base_s in zip(waits, (1, 2, 4, 8), strict=True):
        assert base_s * 0.8 <= wait_s <= base_s * 1.2 + 0.01
    assert rig.events == [
        AlertChannelFailed(channel="hook", reason=trouble, attempt=attempt, lost=0)
        for attempt in (1, 2, 3, 4)
    ]
    assert rig.channel.outbox.failure is None


async def test_a_sink_that_hangs_is_given_its_time_and_no_more(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Then it counts as failed, and is tried again."""
    rig.sink.troubles = ["hangs"]
    rig.put(1)
    async with open_tree(rig.tree()):
        await _until(lambda: rig.sink.told == [[1]])
    assert rig.sink.tried[1] - rig.sink.tried[0] >= 10.8
    assert rig.events == [
        AlertChannelFailed(channel="hook", reason="no answer within 10 s", attempt=1, lost=0)
    ]


async def test_what_cannot_be_told_is_given_up_and_the_next_message_says_so(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """After so many attempts; the channel goes on with what came after it."""
    rig.sink.troubles = ["answered with status 503"] * ATTEMPTS_MAX
    rig.put(1)
    rig.put(2)
    async with open_tree(rig.tree()):
        await _until(lambda: len(rig.sink.tried) == 1)
        rig.put(3)
        await _until(lambda: bool(rig.sink.told))
    assert rig.sink.told == [[3]]
    assert rig.sink.taken[0][1].lost == 2
    assert len(rig.sink.tried) == ATTEMPTS_MAX + 1
    last = rig.events[-1]
    assert isinstance(last, AlertChannelFailed)
    assert (last.attempt, last.lost) == (ATTEMPTS_MAX, 2)


async def test_what_would_be_refused_again_is_not_tried_again(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Such as by a webhook that has been deleted."""
    rig.sink.troubles = ["answered with status 404"]
    rig.put(1)
    async with open_tree(rig.tree()):
        await _until(lambda: len(rig.events) == 1)
        rig.put(2)
        await _until(lambda: rig.sink.told == [[2]])
    assert len(rig.sink.tried) == 2


async def test_a_channel_that_is_killed_tells_what_it_was_about_to_tell(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Its next incarnation takes the same message again; nothing is lost and nothing twice."""
    rig.sink.troubles = ["hangs"]
    rig.put(1)
    async with open_tree(rig.tree()):
        await _until(lambda: len(rig.sink.tried) == 1)
        rig.put(2)
        await crash(whereis(CHANNEL))
        await _until(lambda: len(rig.sink.told) == 2)
        await trio.sleep(100)
    assert rig.sink.told == [[1], [2]]


async def test_a_message_that_crashes_the_channel_is_given_up_like_any_other(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Or one bug would silence the channel for good."""
    rig.sink.troubles = ["has a bug"] * (ATTEMPTS_MAX - 1) + ["answered with status 500"]
    rig.put(1)
    tree = Supervisor(
        ChildSpec("hook", partial(_service, rig), name=CHANNEL), max_restarts=ATTEMPTS_MAX
    )
    async with open_tree(tree):
        await _until(lambda: rig.channel.outbox.lost == 1)
        rig.put(2)
        await _until(lambda: rig.sink.told == [[2]])


def _service(rig: Rig) -> Service:
    return task(rig.channel.run, random.Random(1), rig.events.append)()  # noqa: S311


async def test_a_dead_sink_holds_up_nobody(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Putting takes no time; the queue stays bounded for a day, and what is lost is counted."""
    rig.sink.troubles = ["hangs"] * 10_000
    async with open_tree(rig.tree()):
        for number in range(1440):
            before = trio.current_time()
            rig.put(number)
            assert trio.current_time() == before
            await trio.sleep(60)
            assert rig.channel.outbox.queued <= 2 * WAITING_MAX
        outbox = rig.channel.outbox
        assert outbox.lost + outbox.queued == 1440
        rig.sink.troubles.clear()
        await _until(lambda: outbox.queued == 0)
        rig.put(2000)
        await _until(lambda: rig.sink.told[-1] == [2000])
    told = sum(len(digest.notices) for _, digest in rig.sink.taken)
    lost = sum(digest.lost for _, digest in rig.sink.taken)
    assert told + lost == 1441
