"""One run: a node, its servers and its clients, out of a seed."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio
import trio.testing

from cortexd.domain.worker import WorkerStatus, WorkerType
from tests.matrix.doors import DOORS
from tests.simulation.answers import Ending, judge
from tests.simulation.clients import Errand, Kind, draw_errand, question_of, run_errand
from tests.simulation.history import History
from tests.simulation.invariants import (
    GONE_S_MAX,
    Ledger,
    check_all_are_well,
    check_all_is_quiet,
    check_nothing_leaks,
    check_nothing_remains,
    check_served,
)
from tests.simulation.network import Network
from tests.simulation.node import SimulatedNode, running_node
from tests.simulation.servers import SimulatedServer
from tests.simulation.weather import Climate, change, clear_up, draw_victims

ERRANDS: Final = (20, 50)
BETWEEN_ERRANDS_S: Final = 1.5

VERDICTS_S_MAX: Final = 30.0
HEALED_S_MAX: Final = 90.0
"""So long after the last fault all workers are to be well again, those apart whose keys rest."""
BETWEEN_TRIALS_S: Final = 4.0
SERVED_S_MAX: Final = 30.0
RUN_S_MAX: Final = 4 * 3600.0

EMBEDDING_TYPES: Final = {
    WorkerType.OLLAMA,
    WorkerType.OPENAI,
    WorkerType.GEMINI,
    WorkerType.COHERE,
}
TYPES: Final = tuple(kind for kind in WorkerType if kind.value not in {"embedded", "scripted"})


@attrs.frozen
class Run:
    """What came of a seed. `endings`: how often visits ended in which way."""

    seed: int
    climate: Climate
    endings: Counter[Ending]
    history: History


def simulate(seed: int) -> Run:
    """Play the run of this seed; the same in every detail whenever it is played."""
    run = Run(seed, _climate(seed), Counter(), History())
    with _deterministic(seed):
        clock = trio.testing.MockClock(autojump_threshold=0.0)
        try:
            trio.run(_Play(run).whole, clock=clock)
        except Exception as error:  # noqa: BLE001  whatever it is, the history must be told with it
            run.history.crash(error)
    return run


def _climate(seed: int) -> Climate:
    return (Climate.STORM, Climate.ONE_SICK, Climate.STORM, Climate.ONE_SICK, Climate.FAIR)[
        seed % 5
    ]


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Have Trio's scheduler follow the seed, too, as it does for Hypothesis."""
    kernel = trio._core._run
    before = kernel._ALLOW_DETERMINISTIC_SCHEDULING
    state = kernel._r.getstate()
    kernel._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    kernel._r.seed(seed)
    try:
        yield
    finally:
        kernel._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]
        kernel._r.setstate(state)


class _Play:
    """The run as it goes. `active`: how many clients wait for an answer to each question."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._history = run.history
        self._chance = _chance(run.seed, "clients")
        self._ledger = Ledger(run.history)
        self._servers = _draw_servers(run.seed, run.history)
        self._network = Network({server.host: server for server in self._servers})
        self._victims = draw_victims(run.climate, self._servers, self._chance)
        self._active: Counter[str] = Counter()
        self._numbers = iter(range(1, 1_000_000))

    async def whole(self) -> None:
        """All of it."""
        self._history.note("run", f"seed {self._run.seed}, {self._run.climate.value}")
        with trio.move_on_after(RUN_S_MAX) as limit:
            async with running_node(
                self._servers,
                self._network,
                chance=_chance(self._run.seed, "node"),
                emit=self._ledger.take,
            ) as node:
                with trio.fail_after(VERDICTS_S_MAX):
                    await node.app.pool.view.wait_until(
                        lambda view: all(
                            member.health.status is WorkerStatus.AVAILABLE
                            for member in view.members
                        )
                    )
                await trio.sleep(1.0)
                tasks = trio.lowlevel.current_statistics().tasks_living
                await self._troubled_phase(node)
                await self._healed_phase(node)
                await trio.sleep(GONE_S_MAX)
                check_all_is_quiet(node, self._history)
                await check_nothing_leaks(node, self._network, tasks, self._history)
        if limit.cancelled_caught:
            self._history.violation("run", f"is not over after {RUN_S_MAX:g} s")
        if not all(connection.is_closed for connection in self._network.connections):
            self._history.violation("node", "connections are open after its end")

    async def _troubled_phase(self, node: SimulatedNode) -> None:
        pinned = [f"{server.name}/m1" for server in self._servers]
        can_embed = any(server.type in EMBEDDING_TYPES for server in self._servers)
        async with trio.open_nursery() as weather:
            chance = _chance(self._run.seed, "weather")
            weather.start_soon(change, self._victims, chance, self._history)
            async with trio.open_nursery() as clients:
                for _ in range(self._chance.randint(*ERRANDS)):
                    await trio.sleep(self._chance.expovariate(1 / BETWEEN_ERRANDS_S))
                    errand = draw_errand(
                        next(self._numbers),
                        self._chance,
                        models=["m1", "m1", "m1", "m2", "auto", self._chance.choice(pinned)],
                        embedding_models=["m1"] if can_embed else [],
                    )
                    clients.start_soon(self._visit, node, errand, self._promise(node, errand))
            weather.cancel_scope.cancel()

    async def _healed_phase(self, node: SimulatedNode) -> None:
        """Try all workers for a while; then everything must be as if nothing had happened."""
        await clear_up(self._servers)
        until = max(trio.current_time() + HEALED_S_MAX, self._keys_ready_at(node))
        await trio.sleep_until(until - HEALED_S_MAX)
        while trio.current_time() < until:
            for server in self._servers:
                await self._visit(node, self._plain_errand(f"{server.name}/m1"), None)
            await trio.sleep(BETWEEN_TRIALS_S)
        check_all_are_well(node, self._history)
        for model in ["m1", *(f"{server.name}/m1" for server in self._servers)]:
            began_at = trio.current_time()
            await self._visit(node, self._plain_errand(model), "all is well again")
            if trio.current_time() - began_at > SERVED_S_MAX:
                self._history.violation("node", f"an answer has taken more than {SERVED_S_MAX} s")

    async def _visit(self, node: SimulatedNode, errand: Errand, promise: str | None) -> None:
        """Run an errand, and hold what came of it against the invariants."""
        history, question = self._history, errand.question.text
        history.note(errand.request_id, f"asks: {errand}")
        self._active[question] += 1
        visit = await run_errand(errand, node.doors)
        ending, complaints = judge(visit)
        for complaint in complaints:
            history.violation(errand.request_id, complaint)
        self._run.endings[ending] += 1
        history.note(errand.request_id, f"{ending.value} ({visit.responder.status})")
        self._ledger.check(visit, ending)
        if promise is not None:
            check_served(visit, ending, promise, history)
        if visit.left_at is not None:
            if visit.over_at - visit.left_at > GONE_S_MAX:
                history.violation(errand.request_id, "held up the client who left")
            await trio.sleep_until(visit.left_at + GONE_S_MAX)
        self._active[question] -= 1
        calls = [call for server in self._servers for call in server.calls]
        check_nothing_remains(node, calls, self._active, history)

    def _promise(self, node: SimulatedNode, errand: Errand) -> str | None:
        """Why this request must be served, if it must."""
        worker = errand.model.partition("/")[0]
        if any(victim.name == worker for victim in self._victims):
            return None
        if self._run.climate is Climate.FAIR:
            return "all servers are well"
        if self._run.climate is Climate.STORM:
            return None
        well = {server.name for server in self._servers if server not in self._victims}
        if errand.kind is Kind.EMBED:
            well = {s.name for s in self._servers if s.name in well and s.type in EMBEDDING_TYPES}
        if errand.kind is Kind.STREAM:
            # What its client has begun to read cannot be taken back, but may be carried on.
            if errand.question.thinks or errand.question.has_tools:
                return None
            well &= {worker.name for worker in node.app.pool.roster.value if worker.info.resumes}
        return "only one server is ill" if well else None

    def _plain_errand(self, model: str) -> Errand:
        number = next(self._numbers)
        return Errand(
            number=number,
            kind=Kind.WHOLE,
            door=DOORS[number % len(DOORS)],
            model=model,
            question=question_of(number),
        )

    def _keys_ready_at(self, node: SimulatedNode) -> float:
        """When each worker has a key again that it may be asked with."""
        now = trio.current_time()
        ready = [
            min(record.until or now for record in worker.traffic.keys.records(now))
            for worker in node.app.pool.roster.value
        ]
        return max(ready) + HEALED_S_MAX


def _chance(seed: int, whose: str) -> random.Random:
    """Each part of the world has its own, so that a change in one changes the others less."""
    return random.Random(f"{seed} {whose}")  # noqa: S311  everything follows from the seed


def _draw_servers(seed: int, history: History) -> list[SimulatedServer]:
    chance = _chance(seed, "servers")
    servers = []
    for position, kind in enumerate(chance.choices(TYPES, k=chance.randint(2, 5))):
        name = f"{kind.value}{position}"
        needs_key = kind is not WorkerType.OLLAMA
        keys = tuple(f"key-{name}-{i}" for i in range(chance.randint(1, 3) if needs_key else 0))
        servers.append(
            SimulatedServer(
                name=name, type=kind, keys=keys, chance=_chance(seed, name), history=history
            )
        )
    for server in servers:
        others = {key for other in servers if other is not server for key in other.keys}
        server.foreign_keys = frozenset(others)
    return servers
