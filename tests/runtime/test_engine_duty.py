"""When a node runs the engine of an embedded worker, and when its memory is free for others."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from cortexd.actors.published import Published
from cortexd.actors.roster import Roster
from cortexd.config.load import load
from cortexd.domain.cluster import ClusterView, NodeName
from cortexd.domain.ids import WorkerName
from cortexd.providers.embedded.standby_engine import Duty
from cortexd.runtime.cluster import NodeCluster, node_cluster
from cortexd.runtime.pool import engine_duty, node_pool
from cortexd.runtime.surroundings import Surroundings

HERE, ELSEWHERE = NodeName("here"), NodeName("elsewhere")

CONFIG = """
[node]
name = "here"
state_dir = "{folder}"
[[workers]]
name = "small"
type = "embedded"
[[workers]]
name = "other"
type = "scripted"
script = [{{ say = "hello" }}]
"""


@attrs.frozen(eq=False)
class Scene:
    """A node with an embedded worker, the only one whose duty it is about."""

    cluster: NodeCluster
    roster: Roster
    duty: Duty

    def owned_by(self, owner: NodeName | None) -> None:
        """Let that node see to the worker, as all members see it."""
        (small,) = [one for one in self.roster.value if one.name == "small"]
        owners: Mapping[Any, NodeName] = {self.cluster.key(small.settings): owner} if owner else {}
        self.cluster.view.publish(attrs.evolve(self.cluster.view.value, owners=owners))

    def remove(self, name: str) -> None:
        """What the registry does with a worker that is to leave."""
        left = [one for one in self.roster.value if one.name != WorkerName(name)]
        self.roster.publish(tuple(left))


@pytest.fixture
def scene(tmp_path: Any) -> Scene:
    """One that has just been put together."""
    path = tmp_path / "cortexd.toml"
    path.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    config, around = load(path, {}), Surroundings()
    cluster = node_cluster(config, around)
    pool = node_pool(Published(config), around, cluster)
    (small, _) = config.workers
    return Scene(cluster, pool.roster, engine_duty(cluster, pool.roster, small))


async def test_a_node_by_itself_runs_it_until_its_worker_is_removed(scene: Scene) -> None:
    """Whatever becomes of the others."""
    assert scene.duty.is_needed()
    await scene.duty.wait_needed()
    scene.remove("other")
    assert scene.duty.is_needed()

    scene.remove("small")

    assert not scene.duty.is_needed()


@pytest.mark.parametrize(("owner", "is_needed"), [(HERE, True), (ELSEWHERE, False), (None, True)])
def test_of_several_nodes_the_owner_runs_it(
    scene: Scene, owner: NodeName | None, *, is_needed: bool
) -> None:
    """As long as there is none, each of them does."""
    scene.owned_by(owner)

    assert scene.duty.is_needed() is is_needed


async def test_a_removed_worker_has_no_owner_and_is_not_needed_for_that(scene: Scene) -> None:
    """Or the nodes where its engine rests would all start it, for nobody."""
    scene.owned_by(ELSEWHERE)
    gone: ClusterView = attrs.evolve(scene.cluster.view.value, owners={})
    workers = scene.roster.value
    needed = trio.Event()

    async def wait() -> None:
        await scene.duty.wait_needed()
        needed.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        scene.remove("small")
        scene.cluster.view.publish(gone)
        await trio.testing.wait_all_tasks_blocked()
        assert not needed.is_set()

        # Added again, and nobody has taken it yet.
        scene.roster.publish(workers)
        with trio.fail_after(20):
            await needed.wait()
