"""What operators see of the workers of a fleet on a node that has not taken all of them on."""

from typing import Any

import msgspec

from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.domain.fleet import Status
from cortexd.domain.ids import NOBODY
from cortexd.http.admin.fleet import FleetAdmin, FleetDoors
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.fleet_settings import FleetSettings
from supervisor_tree import whereis
from tests.actors.fleet_branch import OFFER, A, W, node_with_fleet

SHOW = DoorRequest(method="GET", path="/admin/fleet", headers={}, body=b"")


async def test_operators_see_which_workers_a_node_has_not_taken_on(branch: Any) -> None:
    """Also where another worker has the name: what that one does is not the agent's."""
    async with node_with_fleet(branch) as fleet:
        own = branch.hire(W)
        await whereis(WORKER_REGISTRY).call(WorkerRegistry.register, own)
        other = msgspec.structs.replace(OFFER, name="v")
        await fleet.register(1, OFFER, other)
        await fleet.take(Status(agent=A, report=fleet.report_of("w", "v")))
        doors = FleetDoors(
            fleet=fleet.fleet,
            settings=FleetSettings(),
            line=fleet.line,
            desk=fleet.desk,
            history=fleet.history,
            roster=branch.roster,
        )
        async with own.slots.lease(NOBODY):
            _, document = await FleetAdmin(doors=doors).show(SHOW)
        ((w, v),) = [agent["workers"] for agent in document["agents"]]
        assert (w["active"], w["taken_on"], w["in_flight"]) == (True, False, 0)
        assert (v["active"], v["taken_on"], v["in_flight"]) == (True, True, 0)
