"""A worker that another node sees to: its good checks count here, all else is found out here."""

import random
from functools import partial

import attrs
import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor
from cortexd.actors.roster import RegisteredWorker
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.health import HealthSettings, Probe
from cortexd.policy.load_balancing import PoolStrategy
from supervisor_tree import ChildSpec, Strategy, Supervisor, open_tree, whereis
from tests.actors.conftest import Branch

INTERVAL_S = 30.0
ROUNDS_S = 10 * INTERVAL_S + 15.0


@attrs.define(eq=False)
class Owner:
    """The other node."""

    says: Probe | None = None

    def heard(self, worker: RegisteredWorker) -> Probe | None:
        """What it has found."""
        return self.says if worker.name == "a" else None


def _monitored(branch: Branch, owner: Owner) -> Supervisor:
    monitor = partial(
        HealthMonitor,
        *(branch.roster, branch.board, HealthSettings(), branch.history),
        chance=random.Random(1),  # noqa: S311  a seed, no secret
        emit=branch.events.append,
        heard=owner.heard,
    )
    breakers = partial(CircuitBreakers, branch.roster, branch.events.append)
    strategy = PoolStrategy.LOCAL_FIRST
    pool = partial(WorkerPool, branch.roster, branch.board, branch.view, strategy)
    return Supervisor(
        ChildSpec("breakers", breakers, name=CIRCUIT_BREAKERS),
        ChildSpec("pool", pool, name=WORKER_POOL),
        ChildSpec("monitor", monitor, name=HEALTH_MONITOR),
        strategy=Strategy.REST_FOR_ONE,
    )


async def test_good_checks_of_another_save_own_ones(branch: Branch) -> None:
    """The first one is the node's own; the models are those that the owner has found."""
    owner = Owner(Probe(models=("theirs",)))
    async with open_tree(_monitored(branch, owner)):
        await trio.sleep(ROUNDS_S)
        assert len(branch.patients["a"].checks) == 1
        assert len(branch.patients["b"].checks) > 8
        verdict = branch.board.value[branch.patients["a"].name]
        assert (verdict.status, verdict.models) == (WorkerStatus.AVAILABLE, ("theirs",))
        assert verdict.checked_at is not None
        assert verdict.checked_at > 8 * INTERVAL_S


async def test_without_good_news_the_node_asks_itself(branch: Branch) -> None:
    """Also when the owner falls silent, and when somebody wants to know."""
    owner = Owner(Probe(models=("theirs",)))
    patient = branch.patients["a"]
    async with open_tree(_monitored(branch, owner)):
        await trio.sleep(ROUNDS_S)
        whereis(HEALTH_MONITOR).cast(HealthMonitor.check, patient.name)
        await trio.sleep(1.0)
        assert len(patient.checks) == 2
        owner.says = None
        await trio.sleep(ROUNDS_S)
        assert len(patient.checks) > 8


async def test_what_is_found_wrong_here_stays_wrong(branch: Branch) -> None:
    """Whatever the owner says: from here it cannot be reached."""
    owner = Owner()
    patient = branch.patients["a"]
    async with open_tree(_monitored(branch, owner)):
        await trio.sleep(1.0)
        patient.failure = "no route"
        await trio.sleep(2 * INTERVAL_S + 15.0)
        assert branch.status("a") == ("unavailable", "no route")
        owner.says = Probe(models=("theirs",))
        await trio.sleep(ROUNDS_S)
        assert branch.status("a") == ("unavailable", "no route")
        patient.failure = None
        await trio.sleep(ROUNDS_S)
        assert branch.status("a") == ("available", None)
