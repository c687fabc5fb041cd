"""What has become of a fleet, page by page, as operators ask for it."""

from typing import Any, Final

import pytest

from cortexd.actors.fleet_desk import CommandDesk
from cortexd.actors.published import Published
from cortexd.domain.errors import RequestRefused
from cortexd.domain.fleet import FleetActivity
from cortexd.http.admin.fleet import FleetAdmin, FleetDoors
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.fleet_settings import FleetSettings
from tests.fakes.fleet_line import FakeFleetHistory, FakeLine

DEEDS: Final = [
    FleetActivity(at=float(at), agent=agent, worker=None, what="registered", activity=None)
    for at, agent in enumerate("ababa")
]


@pytest.fixture
def admin() -> FleetAdmin:
    """Of a node whose agents `a` and `b` have registered in turns, at the seconds 0 to 4."""
    line = FakeLine()
    desk = CommandDesk(
        line=line,
        command_s=1.0,
        new_id=lambda: "id",
        emit=lambda _: None,
        note=lambda _agent, _response_s: None,
    )
    doors = FleetDoors(
        fleet=Published({}),
        settings=FleetSettings(),
        line=line,
        desk=desk,
        history=FakeFleetHistory(list(DEEDS)),
        roster=Published(()),
    )
    return FleetAdmin(doors=doors)


def _asking(query: str) -> DoorRequest:
    return DoorRequest(
        method="GET", path="/admin/fleet/activity", headers={}, body=b"", query=query
    )


def _moments(document: Any) -> list[str]:
    return [item["at"][17:19] for item in document["items"]]


async def test_pages_lead_from_the_newest_to_the_oldest(admin: FleetAdmin) -> None:
    """Each leads to the next, and the last to none."""
    found, query, cursor = [], "limit=2", ""
    while cursor is not None:
        _, document = await admin.activity(_asking(query))
        assert document["total"] == len(DEEDS)
        found.append(_moments(document))
        cursor = document["next_cursor"]
        query = f"limit=2&cursor={cursor}"
    assert found == [["04", "03"], ["02", "01"], ["00"]]


async def test_of_one_agent_and_since_a_moment(admin: FleetAdmin) -> None:
    """Either, or both."""
    _, document = await admin.activity(_asking("agent=a&since=1.5"))
    assert _moments(document) == ["04", "02"]
    assert document["total"] == 2


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", "limit must be a number from 1 to 1000"),
        ("limit=1001", "limit must be a number from 1 to 1000"),
        ("limit=%D9%A1", "limit must be a number from 1 to 1000"),
        ("limit=x", "limit must be a number from 1 to 1000"),
        ("since=nan", "must be a number of seconds, not negative"),
        ("cursor=x", "cursor must be the `next_cursor` of a page"),
        ("cursor=1234567890123456", "cursor must be the `next_cursor` of a page"),
        ("before=1", "there is no such parameter; known are: agent, since, limit, cursor"),
    ],
)
@pytest.mark.parametrize("has_fleet", [True, False])
async def test_what_cannot_be_is_refused(
    admin: FleetAdmin, query: str, text: str, *, has_fleet: bool
) -> None:
    """In words that say what could be, whether there is a fleet or not."""
    asked = admin if has_fleet else FleetAdmin(doors=None)
    with pytest.raises(RequestRefused) as refused:
        await asked.activity(_asking(query))
    assert (refused.value.status, str(refused.value)) == (400, text)
    assert refused.value.param == query.partition("=")[0]


async def test_a_node_without_a_fleet_has_nothing_to_tell() -> None:
    """And that is no mistake."""
    answer = await FleetAdmin(doors=None).activity(_asking("limit=5"))
    assert answer == (200, {"items": [], "total": 0, "next_cursor": None})
