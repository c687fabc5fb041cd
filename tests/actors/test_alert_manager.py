"""The alert manager over readings that a test writes, on a clock that jumps."""

from functools import partial

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.alert_manager import (
    ALERT_MANAGER,
    AlertManager,
    AlertNotFiring,
    AlertParts,
    NoSuchAlert,
)
from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.published import Published
from cortexd.domain.alert import AlertState, Occasion, Severity
from cortexd.domain.alert_book import AlertBook
from cortexd.domain.events import AlertChanged, Event
from cortexd.policy.alert_rules import NodeReadings, WorkerReading
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.health import WorkerState
from supervisor_tree import ChildSpec, Supervisor, open_tree, whereis
from supervisor_tree.testing import crash

ID = "no_available_workers"
WELL = NodeReadings(workers=(WorkerReading(name="a"),))
DOWN = NodeReadings(workers=(WorkerReading(name="a", state=WorkerState.UNAVAILABLE),))
FULL = attrs.evolve(WELL, dead_letters=51)


@attrs.define(eq=False)
class Watch:
    """What the manager sees, and what comes of it."""

    readings: NodeReadings = WELL
    reads: int = 0
    book: Published[AlertBook] = attrs.Factory(lambda: Published({}))
    outboxes: tuple[AlertOutbox, ...] = attrs.Factory(
        lambda: (AlertOutbox(Severity.WARNING), AlertOutbox(Severity.CRITICAL))
    )
    events: list[Event] = attrs.Factory(list)

    def read(self) -> NodeReadings:
        """As a node would."""
        self.reads += 1
        return self.readings

    def tree(self) -> Supervisor:
        """The manager alone."""
        parts = AlertParts(
            settings=AlertSettings(pending_seconds=2),
            alerts=self.book,
            read=self.read,
            outboxes=self.outboxes,
            emit=self.events.append,
        )
        return Supervisor(
            ChildSpec("alert-manager", partial(AlertManager, parts), name=ALERT_MANAGER),
            max_restarts=100,
        )

    def told(self, place: int = 0) -> list[tuple[str, Occasion]]:
        """What one of the channels has been given so far."""
        outbox = self.outboxes[place]
        return [(notice.alert_id, notice.occasion) for notice in outbox._waiting]

    @property
    def states(self) -> list[tuple[str, str]]:
        """The events, as alert and state."""
        return [
            (event.alert_id, event.state.value)
            for event in self.events
            if isinstance(event, AlertChanged)
        ]


@pytest.fixture
def watch() -> Watch:
    """A node that is well."""
    return Watch()


async def test_it_looks_each_second(watch: Watch, autojump_clock: trio.testing.MockClock) -> None:
    """At once, and ten times in ten seconds; nothing comes of a node that is well."""
    async with open_tree(watch.tree()):
        await trio.sleep(10.5)
    assert watch.reads == 11
    assert (watch.book.value, watch.told(), watch.events) == ({}, [], [])


async def test_an_alert_goes_to_all_channels_and_to_the_sinks_of_events(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """Once as it fires, once as it is over; a channel gets what is severe enough for it."""
    async with open_tree(watch.tree()):
        watch.readings = DOWN
        await trio.sleep(20)
        watch.readings = FULL
        await trio.sleep(30)
    fired_and_over = [(ID, Occasion.FIRED), (ID, Occasion.RESOLVED)]
    assert watch.told(1) == fired_and_over
    assert [each for each in watch.told(0) if each[0] == ID] == fired_and_over
    assert ("dead_letters", Occasion.FIRED) in watch.told(0)
    assert sorted(watch.states) == [
        ("dead_letters", "firing"),
        (ID, "firing"),
        (ID, "resolved"),
    ]


async def test_what_is_only_pending_is_no_event(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """Neither its beginning nor its end; nor when an alert that is over begins again in vain."""
    async with open_tree(watch.tree()):
        watch.readings = DOWN
        await trio.sleep(2.5)
        assert watch.book.value[ID].state is AlertState.PENDING
        watch.readings = WELL
        await trio.sleep(20)
        assert watch.events == []
        watch.readings = DOWN
        await trio.sleep(10)
        watch.readings = WELL
        await trio.sleep(20)
        watch.readings = DOWN
        await trio.sleep(2)
        watch.readings = WELL
        await trio.sleep(20)
    assert watch.states == [(ID, "firing"), (ID, "resolved")]


async def test_somebody_acknowledges_it(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """It is silent from then on, however often they say so."""
    async with open_tree(watch.tree()):
        watch.readings = DOWN
        await trio.sleep(10)
        manager = whereis(ALERT_MANAGER)
        for _ in range(2):
            alert = await manager.call(AlertManager.acknowledge, ID)
            assert alert.state is AlertState.ACKNOWLEDGED
        await trio.sleep(1000)
    assert watch.told() == [(ID, Occasion.FIRED)]
    assert watch.states == [(ID, "firing"), (ID, "acknowledged")]


async def test_an_acknowledgement_of_nothing_is_refused(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """In words, to the caller; the manager lives on."""
    async with open_tree(watch.tree()):
        manager = whereis(ALERT_MANAGER)
        with pytest.raises(NoSuchAlert, match="there is no alert 'nothing'"):
            await manager.call(AlertManager.acknowledge, "nothing")
        watch.readings = DOWN
        await trio.sleep(2)
        with pytest.raises(AlertNotFiring, match="is pending: only one that fires"):
            await manager.call(AlertManager.acknowledge, ID)
        await trio.sleep(10)
        assert watch.told() == [(ID, Occasion.FIRED)]


async def test_killed_again_and_again_it_tells_nothing_twice_and_forgets_nothing(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """Each incarnation goes on from what is published, in the midst of an alert as well."""
    async with open_tree(watch.tree()):
        for readings in (DOWN, WELL, DOWN):
            watch.readings = readings
            for _ in range(50):
                await trio.sleep(0.7)
                await crash(whereis(ALERT_MANAGER))
        await trio.sleep(400)
        assert watch.book.value[ID].count == 2
    # The last one when the cooldown was over, not when it came back.
    told = [(ID, Occasion.FIRED), (ID, Occasion.RESOLVED), (ID, Occasion.FIRED)]
    assert watch.told() == told
    assert watch.states == [(ID, "firing"), (ID, "resolved"), (ID, "firing")]


async def test_an_acknowledgement_survives_the_manager(
    watch: Watch, autojump_clock: trio.testing.MockClock
) -> None:
    """It is part of what is published."""
    async with open_tree(watch.tree()):
        watch.readings = DOWN
        await trio.sleep(10)
        await whereis(ALERT_MANAGER).call(AlertManager.acknowledge, ID)
        await crash(whereis(ALERT_MANAGER))
        await trio.sleep(1000)
        assert watch.book.value[ID].state is AlertState.ACKNOWLEDGED
    assert watch.told() == [(ID, Occasion.FIRED)]
