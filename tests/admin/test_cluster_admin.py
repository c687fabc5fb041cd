"""The document of the cluster, from what a node knows."""

import json
import subprocess
import sys
from typing import Any

import pytest

from cortexd.actors.published import Published
from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    Identity,
    Member,
    NodeName,
    NodeReport,
    WorkerReport,
)
from cortexd.domain.errors import RequestRefused
from cortexd.domain.ids import WorkerName
from cortexd.http.admin.cluster import ClusterAdmin
from cortexd.http.doors.door import DoorRequest

NODE = NodeName("a")


def _worker(name: str, kind: str = "ollama", identity: str = "") -> WorkerReport:
    return WorkerReport(
        name=WorkerName(name),
        type=kind,
        is_active=True,
        state="busy",
        breaker="open",
        identity=Identity(identity),
    )


def _member(name: str, *workers: WorkerReport, token: int = 1) -> Member:
    report = NodeReport(version="1.0", status="healthy", workers=workers)
    return Member(name=NodeName(name), token=token, joined_at=0.0, report=report)


async def _document(view: ClusterView, query: str = "") -> Any:
    admin = ClusterAdmin(
        view=Published(view),
        cluster=None if view.state is ClusterState.OFF else "cortexd",
        lease_s=10.0,
        report=lambda: NodeReport(version="1.0", workers=(_worker("own"),)),
        link=lambda: (view.state is ClusterState.MEMBER, None),
        unshared=lambda: {WorkerName("own"): "it has a secret"},
        wall_clock=lambda: 1.0,
    )
    request = DoorRequest(method="GET", path="/admin/cluster", headers={}, body=b"", query=query)
    status, document = await admin.show(request)
    assert status == 200
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("state", [ClusterState.OFF, ClusterState.ALONE])
async def test_a_node_by_itself_shows_itself(state: ClusterState) -> None:
    """Nobody owns its workers for others."""
    view = ClusterView(state=state, node=NODE, reason="nobody is there")
    document = await _document(view)
    assert document["enabled"] is (state is ClusterState.ALONE)
    assert (document["state"], document["leader"]) == (state.value, None)
    (node,) = document["nodes"]
    assert (node["name"], node["token"], node["is_self"]) == ("a", 0, True)
    assert node["load"]["workers_available"] == 1
    assert document["workers"] == [
        {
            "name": "own",
            "type": "ollama",
            "owner": None,
            "where": None,
            "active": True,
            "states": {"a": "busy"},
            "breakers": {"a": "open"},
        }
    ]
    assert document["distribution"] == {"a": {"workers": 0, "by_type": {}}}
    assert document["unshared"] == [{"worker": "own", "reason": "it has a secret"}]


async def test_what_is_here_and_what_is_elsewhere() -> None:
    """A name that means another worker elsewhere is shown as it is here; both count as owned."""
    b = NodeName("b")
    members = (
        _member("a", _worker("x"), _worker("y", identity="mine")),
        _member("b", _worker("x"), _worker("y", identity="theirs"), _worker("z", "openai")),
    )
    owners = {worker.key: b for member in members for worker in member.report.workers}
    owners[members[0].report.workers[1].key] = NODE
    view = ClusterView(
        state=ClusterState.MEMBER, node=NODE, members=members, owners=owners, leader=b
    )
    document = await _document(view)
    seen = {each["name"]: (each["owner"], each["where"]) for each in document["workers"]}
    assert seen == {"x": ("b", "remote"), "y": ("a", "local"), "z": ("b", "remote")}
    assert document["distribution"] == {
        "a": {"workers": 1, "by_type": {"ollama": 1}},
        "b": {"workers": 3, "by_type": {"ollama": 2, "openai": 1}},
    }
    assert [each["is_leader"] for each in document["nodes"]] == [False, True]
    assert [each["name"] for each in (await _document(view, "type=openai"))["workers"]] == ["z"]


async def test_an_odd_type_is_refused() -> None:
    """And anything that is no parameter."""
    view = ClusterView(state=ClusterState.OFF, node=NODE)
    for query in ("type=odd", "kind=ollama"):
        with pytest.raises(RequestRefused):
            await _document(view, query)


@pytest.mark.slow
def test_a_node_without_a_cluster_does_without_the_library() -> None:
    """Nothing of it is imported."""
    code = "import sys, cortexd.runtime.main; print('coredis' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False"
