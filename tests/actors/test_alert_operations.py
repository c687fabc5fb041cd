"""What operators can ask about alerts, over a manager whose readings a test writes."""

from functools import partial
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.alert_channel import AlertChannel
from cortexd.actors.alert_manager import ALERT_MANAGER, AlertManager, AlertParts
from cortexd.actors.alert_outbox import AlertOutbox
from cortexd.actors.published import Published
from cortexd.domain.alert import Severity
from cortexd.domain.alert_book import AlertBook
from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.alerts import SHOWN_MAX, AlertOperations
from cortexd.http.doors.door import DoorRequest
from cortexd.observability.notifiers.log import LogNotifier
from cortexd.policy.alert_rules import NodeReadings, WorkerReading
from cortexd.policy.alert_settings import AlertSettings
from supervisor_tree import ChildSpec, NoProc, Supervisor, open_tree, whereis

WELL = NodeReadings(workers=(WorkerReading(name="a"),))
FULL = attrs.evolve(WELL, dead_letters=51)
EPOCH_S = 1_000_000_000.0


@attrs.define(eq=False)
class Desk:
    """The operations, over a manager in a tree."""

    readings: NodeReadings = WELL
    book: Published[AlertBook] = attrs.Factory(lambda: Published({}))
    outbox: AlertOutbox = attrs.Factory(lambda: AlertOutbox(Severity.WARNING))

    @property
    def operations(self) -> AlertOperations:
        """At this desk the clock on the wall shows the time of the test's clock."""
        channel = AlertChannel(name="log-0", type="log", outbox=self.outbox, notifier=LogNotifier())
        return AlertOperations(
            alerts=self.book,
            channels=(channel,),
            wall_clock=lambda: EPOCH_S + trio.current_time(),
        )

    def tree(self) -> Supervisor:
        """The manager alone."""
        parts = AlertParts(
            settings=AlertSettings(pending_seconds=2),
            alerts=self.book,
            read=lambda: self.readings,
            outboxes=[self.outbox],
            emit=lambda _event: None,
        )
        return Supervisor(
            ChildSpec("alert-manager", partial(AlertManager, parts), name=ALERT_MANAGER)
        )

    async def listed(self, query: str = "") -> Any:
        """The list."""
        status, document = await self.operations.listed(_request(query=query))
        assert status == 200
        return document

    async def refusal(self, alert_id: str) -> tuple[int, str | None]:
        """Why it cannot be acknowledged."""
        with pytest.raises(RequestRefused) as caught:
            await self.operations.acknowledge(_request(alert_id))
        return caught.value.status, caught.value.code


def _request(alert_id: str = "", query: str = "") -> DoorRequest:
    return DoorRequest(
        method="POST", path="/", headers={}, body=b"", params={"alert_id": alert_id}, query=query
    )


@pytest.fixture
def desk() -> Desk:
    """Nothing is wrong yet."""
    return Desk()


async def test_an_alert_is_shown_with_its_times(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """By the clock on the wall, in UTC, to the millisecond."""
    desk.readings = FULL
    async with open_tree(desk.tree()):
        await trio.sleep(5.5)
        desk.readings = WELL
        await trio.sleep(20)
        document = await desk.listed()
    assert document == {
        "items": [
            {
                "id": "dead_letters",
                "rule": "dead_letters",
                "target": "",
                "severity": "warning",
                "state": "resolved",
                "message": "51 dead letters are kept, more than 50: `cortexctl dlq list` says what"
                " failed; retry or purge them",
                "since_at": "2001-09-09T01:46:40.000+00:00",
                "last_fired_at": "2001-09-09T01:46:42.000+00:00",
                "resolved_at": "2001-09-09T01:46:56.000+00:00",
                "count": 1,
            }
        ],
        "total": 1,
        "next_cursor": None,
        "channels": [
            {
                "name": "log-0",
                "type": "log",
                "queued": 2,
                "delivered": 0,
                "lost": 0,
                "failure": None,
            }
        ],
    }


async def test_those_that_fire_come_first(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """Then those that somebody sees to, those that may fire, and those that are over."""

    def restarting(*paths: str) -> NodeReadings:
        return attrs.evolve(WELL, restarts=dict.fromkeys(paths, 3))

    async with open_tree(desk.tree()):
        for readings, seconds in (
            (restarting("over"), 5),
            (restarting("seen-to"), 15),
            (restarting("seen-to", "firing"), 5),
            (restarting("seen-to", "firing", "pending"), 1.5),
        ):
            desk.readings = readings
            await trio.sleep(seconds)
            if seconds == 15:
                await whereis(ALERT_MANAGER).call(AlertManager.acknowledge, "restarts:seen-to")
        shown = [(item["target"], item["state"]) for item in (await desk.listed())["items"]]
        assert shown == [
            ("firing", "firing"),
            ("seen-to", "acknowledged"),
            ("pending", "pending"),
            ("over", "resolved"),
        ]
        for target, state in shown:
            (item,) = (await desk.listed(f"state={state}"))["items"]
            assert item["target"] == target
        summary = desk.operations.summary()
        assert (summary["active"], summary["total"], len(summary["items"])) == (1, 4, 4)


async def test_the_dashboard_has_no_more_than_it_can_show(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """The counts are of all there are."""
    desk.readings = attrs.evolve(WELL, restarts={f"root/{n}": 3 for n in range(50)})
    async with open_tree(desk.tree()):
        await trio.sleep(5)
        summary = desk.operations.summary()
    assert (summary["active"], summary["total"]) == (50, 50)
    assert len(summary["items"]) == SHOWN_MAX


@pytest.mark.parametrize("query", ["state=open", "state=", "state=firing&state=firing", "x=1"])
async def test_what_cannot_be_asked_is_refused(desk: Desk, query: str) -> None:
    """By name."""
    with pytest.raises(RequestRefused) as caught:
        await desk.listed(query)
    assert caught.value.param == query.partition("=")[0]


async def test_acknowledging(desk: Desk, autojump_clock: trio.testing.MockClock) -> None:
    """What fires can be; what is not there and what is over cannot."""
    async with open_tree(desk.tree()):
        assert await desk.refusal("dead_letters") == (404, "not_found")
        desk.readings = FULL
        await trio.sleep(5)
        status, document = await desk.operations.acknowledge(_request("dead_letters"))
        assert (status, document["state"]) == (200, "acknowledged")
        desk.readings = WELL
        await trio.sleep(20)
        assert await desk.refusal("dead_letters") == (409, "alert_not_firing")


async def test_without_a_manager_there_is_nobody_to_take_an_acknowledgement(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    """As long as it does not come back; without alerts there is nothing to acknowledge."""
    desk.readings = FULL
    async with open_tree(desk.tree()):
        assert await desk.refusal("nothing") == (404, "not_found")
        await trio.sleep(5)
    async with open_tree(Supervisor()):
        with pytest.raises(NoProc):
            await desk.operations.acknowledge(_request("dead_letters"))
