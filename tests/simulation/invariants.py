"""What must hold of the node in every run, whatever happens in it."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import trio

from cortexd.domain.events import Event, ExchangeEnded
from cortexd.domain.outcome import Outcome
from cortexd.domain.worker import WorkerStatus
from cortexd.policy.circuit_breaker import BreakerState
from tests.simulation.answers import KEY_MARK, Ending
from tests.simulation.clients import Visit
from tests.simulation.history import History
from tests.simulation.network import Network
from tests.simulation.node import SimulatedNode
from tests.simulation.servers import Call

GONE_S_MAX: Final = 1.0
"""So long after its client has left, nothing of a request may be left."""

LOOKS_MAX: Final = 40
BETWEEN_LOOKS_S: Final = 0.37


@attrs.define(eq=False)
class Ledger:
    """Counts the outcome of each exchange, as the node tells it."""

    history: History
    outcomes: dict[str, list[Outcome]] = attrs.Factory(dict)

    def take(self, event: Event) -> None:
        """Book an event of the node."""
        self.history.note("node", str(event))
        if KEY_MARK in str(event):
            self.history.violation("node", f"tells a key: {event}")
        if isinstance(event, ExchangeEnded):
            self.outcomes.setdefault(event.request_id, []).append(event.outcome)

    def check(self, visit: Visit, ending: Ending) -> None:
        """Each exchange has exactly one outcome, and it is the one that its client has seen."""
        name = visit.errand.request_id
        outcomes = self.outcomes.get(name, [])
        if len(outcomes) != 1:
            self.history.violation(name, f"has not one outcome but these: {outcomes}")
        elif ending is Ending.LEFT:
            # Leaving and the end may fall together.
            pass
        elif (outcomes[0] is Outcome.SERVED) is not (ending is Ending.WHOLE):
            self.history.violation(name, f"is booked as {outcomes[0].value}, but: {ending.value}")


def check_nothing_remains(
    node: SimulatedNode, calls: Sequence[Call], active: Mapping[str, int], history: History
) -> None:
    """Nothing is left of those that have gone.

    `active`: how many clients are waiting for an answer to each question, or have just left.
    """
    for call in calls:
        if call.is_open and not active.get(call.question) and call.question.startswith("question"):
            history.violation(call.server, f"is still busy with {call.question!r}")
    in_use = sum(w.slots.in_flight + w.slots.queued for w in node.app.pool.roster.value)
    clients = sum(active.values())
    if in_use > clients:
        history.violation("node", f"{in_use} slots and places are taken by {clients} clients")


def check_all_is_quiet(node: SimulatedNode, history: History) -> None:
    """No slot, place, exchange or connection is in use once all clients have gone."""
    for worker in node.app.pool.roster.value:
        slots, connections = worker.slots, worker.provider.connections()
        if slots.in_flight or slots.queued:
            left = f"{slots.in_flight} slots and {slots.queued} places"
            history.violation(worker.name, f"{left} are left")
        if connections is not None and (connections.in_use or connections.connecting):
            history.violation(worker.name, f"connections are left: {connections}")
    if node.app.pipeline.cutoff.in_flight:
        history.violation("node", f"{node.app.pipeline.cutoff.in_flight} exchanges are left")


async def check_nothing_leaks(
    node: SimulatedNode, network: Network, tasks: int, history: History
) -> None:
    """As many tasks as before the first client, and no connection but those that are pooled.

    Probes come and go meanwhile, and actors restart: it is enough that it is so at some moment.
    """
    leaks: list[str] = []
    for _ in range(LOOKS_MAX):
        leaks.clear()
        running = trio.lowlevel.current_statistics().tasks_living
        if running != tasks:
            leaks.append(f"{running} tasks, {tasks} before")
        pooled = sum(
            statistics.idle
            for worker in node.app.pool.roster.value
            if (statistics := worker.provider.connections()) is not None
        )
        open_now = sum(not connection.is_closed for connection in network.connections)
        if open_now != pooled:
            leaks.append(f"{open_now} connections are open, but {pooled} are pooled")
        if not leaks:
            return
        await trio.sleep(BETWEEN_LOOKS_S)
    for leak in leaks:
        history.violation("node", leak)


def check_all_are_well(node: SimulatedNode, history: History) -> None:
    """Every worker is available again, with its circuit breaker closed."""
    now = trio.current_time()
    for member in node.app.pool.view.value.members:
        if member.health.status is not WorkerStatus.AVAILABLE:
            history.violation(member.name, f"is {member.health}")
        state = member.worker.breaker.state(now)
        if state is not BreakerState.CLOSED:
            history.violation(member.name, f"has a circuit breaker that is {state.value}")


def check_served(visit: Visit, ending: Ending, reason: str, history: History) -> None:
    """A request that somebody could serve has been served."""
    errand = visit.errand
    excused = errand.timeout_s is not None or ending in {Ending.LEFT, Ending.WHOLE}
    if not excused:
        body = bytes(visit.responder.body[-300:])
        history.violation(
            errand.request_id, f"{ending.value}, though {reason}: {visit.responder.status} {body!r}"
        )
