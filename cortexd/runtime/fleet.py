"""The node's part in a fleet, put together; without `[fleet]` there is none, and no RabbitMQ."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import attrs

from cortexd.actors.fleet_desk import CommandDesk
from cortexd.actors.fleet_monitor import (
    FLEET_MONITOR,
    Fleet,
    FleetMonitor,
    FleetParts,
    note_command,
    take_message,
    tell_of_line,
)
from cortexd.actors.fleet_roster import FleetRoster
from cortexd.actors.published import Published
from cortexd.config.schema import Config
from cortexd.domain.fleet import AgentName, LineStanding
from cortexd.domain.fleet_events import FleetMessageRejected
from cortexd.fleet_ports import FleetLine
from cortexd.http.admin.fleet import FleetAdmin, FleetDoors
from cortexd.observability import metric_catalog as catalog
from cortexd.observability.metric_catalog import Metric
from cortexd.policy.alert_rules import FleetReading
from cortexd.policy.fleet import AgentState
from cortexd.policy.fleet_dedup import DedupWindow
from cortexd.runtime.pool import NodePool
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.database import Database
from cortexd.storage.fleet_activity import MIGRATIONS, StoredFleetHistory
from supervisor_tree import CallFailed, ChildSpec, task

FILE_NAME: Final = "fleet.db"

PULSE_S: Final = 0.4
"""How often the broker is asked: an alarm of it is to be known within a second."""

LINE_STOP_S_MAX: Final = 8.0
"""How long the line may take to close: longer than a broker is waited for that does not answer."""


@attrs.frozen(kw_only=True, eq=False)
class NodeFleet:
    """`children` are for the branch `links` of the tree; none without a fleet.

    `read`: what the alerts go by; `fleet`: who is there.
    """

    admin: FleetAdmin
    fleet: Fleet
    read: Callable[[], FleetReading | None]
    line: FleetLine | None = None
    databases: tuple[Database, ...] = ()
    children: Sequence[ChildSpec] = ()

    def readings(self) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
        """What is read for a scrape; nothing without a fleet."""
        if self.line is None:
            return
        yield catalog.FLEET_LINE, (), float(self.line.standing.carries)
        states = [record.state for record in self.fleet.value.values()]
        for state in AgentState:
            yield catalog.FLEET_AGENTS, (state.value,), float(states.count(state))


def node_fleet(config: Config, around: Surroundings, pool: NodePool) -> NodeFleet:
    """Make it all. Nothing is connected to, and nothing opened, yet."""
    settings, emit = config.fleet, around.emit
    fleet: Fleet = Published({})
    if settings.amqp_url is None or settings.signing_key is None:
        return NodeFleet(
            admin=FleetAdmin(doors=None),
            fleet=fleet,
            read=lambda: None,
        )
    database = around.open_database(
        config.node.state_dir / FILE_NAME, MIGRATIONS, durable=False, emit=emit
    )
    history = StoredFleetHistory(database, age_s=settings.history_seconds)

    def line_changed(standing: LineStanding) -> None:
        desk.line_changed(standing)
        tell_of_line(standing)

    line, run = _line(config, around, line_changed)
    desk = CommandDesk(
        line=line,
        command_s=settings.command_seconds,
        new_id=around.new_id,
        emit=emit,
        note=note_command,
    )
    parts = FleetParts(
        fleet=fleet,
        settings=settings,
        line=line,
        desk=desk,
        roster=FleetRoster(
            roster=pool.roster,
            recruit=pool.recruit,
            is_silent=partial(_is_silent, fleet),
            emit=emit,
        ),
        history=history,
        seen=DedupWindow(),
        new_id=around.new_id,
        wall_clock=around.wall_clock,
        emit=emit,
    )
    doors = FleetDoors(
        fleet=fleet, settings=settings, line=line, desk=desk, history=history, roster=pool.roster
    )
    return NodeFleet(
        admin=FleetAdmin(doors=doors),
        fleet=fleet,
        read=lambda: FleetReading(
            failure=line.standing.failure, is_blocked=line.standing.is_blocked
        ),
        line=line,
        databases=(database,),
        children=(
            ChildSpec("fleet-database", lambda: database),
            ChildSpec("fleet-monitor", partial(FleetMonitor, parts), name=FLEET_MONITOR),
            ChildSpec("rabbitmq", task(run), shutdown=LINE_STOP_S_MAX),
        ),
    )


def _line(
    config: Config, around: Surroundings, on_change: Callable[[LineStanding], None]
) -> tuple[FleetLine, Callable[[], Any]]:
    # Only here: a node without a fleet does not need the libraries.
    from cortexd.fleet.link import Line, LineParts  # noqa: PLC0415
    from cortexd.fleet.topology import node_topology  # noqa: PLC0415

    settings = config.fleet
    if settings.amqp_url is None or settings.signing_key is None:
        raise ValueError("a fleet has an address and a key")

    def on_reject(queue: str, reason: str) -> None:
        around.emit(FleetMessageRejected(queue=queue, reason=reason))

    line = Line(
        LineParts(
            url=settings.amqp_url,
            key=settings.signing_key,
            name=config.node.name,
            topology=node_topology(config.node.name),
            take=take_message,
            on_change=on_change,
            on_reject=on_reject,
            is_untaken=(CallFailed,),
            pulse_s=PULSE_S,
            chance=around.chance,
        )
    )
    return line, line.run


def _is_silent(fleet: Fleet, agent: AgentName) -> bool:
    record = fleet.value.get(agent)
    return record is not None and record.state is AgentState.UNAVAILABLE
