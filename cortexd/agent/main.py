"""From a checked agent.toml to an exit code: the life of an agent's process."""

import os
import random
import secrets
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from importlib import metadata
from typing import Final

import structlog
import trio

from cortexd.agent.actor import AGENT, AgentActor, AgentParts, take_message, tell_of_line
from cortexd.agent.board import new_board
from cortexd.agent.settings import AgentConfig
from cortexd.fleet.link import Line, LineParts
from cortexd.fleet.topology import agent_topology
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.observability.logs import LogFormat, configure_logs
from cortexd.runtime.ending import EXIT_OK, EXIT_TREE_GAVE_UP, end_by_force, heeded_signals
from cortexd.runtime.service_manager import ServiceManager, beat, service_manager
from cortexd.runtime.supervision_log import log_supervision, log_tree
from supervisor_tree import (
    Backoff,
    CallFailed,
    ChildSpec,
    SupervisionError,
    Supervisor,
    Tree,
    open_tree,
    task,
)

PULSE_S: Final = 1.0
"""How often the broker is asked whether it is there."""

STUCK_S: Final = 20.0
"""How long the end of the agent may take."""

LINE_STOP_S_MAX: Final = 8.0
"""How long the line may take to go down, after the farewell; `CLOSE_S_MAX` of it is the closing."""

# It has nothing else to do than to try.
_BACKOFF: Final = Backoff(initial=0.01, factor=2.0, maximum=0.5, jitter=0.2, reset_after=10.0)
_RESTARTS_MAX: Final = 100

log = structlog.get_logger("cortex-agent")


def run(config: AgentConfig, *, log_format: str) -> int:
    """Run the agent until it is told to stop; the exit code says how that went."""
    known = LiveSecrets()
    known.learn([config.agent.signing_key])
    if config.agent.amqp_url.password is not None:
        known.learn([config.agent.amqp_url.password])
    configure_logs(LogFormat(log_format), known.redact)
    return trio.run(_run_agent, config, service_manager(os.environ))


def agent_tree(config: AgentConfig, manager: ServiceManager) -> Supervisor:
    """The agent as a tree. The line comes first, and goes last: there is a farewell to be said."""
    line = Line(
        LineParts(
            url=config.agent.amqp_url,
            key=config.agent.signing_key,
            name=config.agent.name,
            topology=agent_topology(config.agent.name),
            take=take_message,
            on_change=tell_of_line,
            on_reject=_rejected,
            is_untaken=(CallFailed,),
            pulse_s=PULSE_S,
            chance=random.Random(),  # noqa: S311  spreads waits, guards no secret
        )
    )
    parts = AgentParts(
        board=new_board(config, now=time.time()),
        line=line,
        version=metadata.version("cortexd"),
        new_id=partial(secrets.token_hex, 16),
        wall_clock=time.time,
    )

    def status() -> str:
        standing = line.standing
        return f"{len(config.workers)} workers, broker: {standing.failure or 'up'}"

    heartbeat = ChildSpec("heartbeat", task(beat, manager, status), backoff=_BACKOFF)
    return Supervisor(
        *([heartbeat] if manager.listens else []),
        ChildSpec("rabbitmq", task(line.run), shutdown=LINE_STOP_S_MAX, backoff=_BACKOFF),
        ChildSpec("agent", partial(AgentActor, parts), name=AGENT, backoff=_BACKOFF),
        max_restarts=_RESTARTS_MAX,
    )


def _rejected(queue: str, reason: str) -> None:
    log.warning("fleet message rejected", queue=queue, reason=reason)


async def _run_agent(config: AgentConfig, manager: ServiceManager) -> int:
    code = EXIT_OK
    with heeded_signals() as signals:
        async with trio.open_nursery() as nursery:
            try:
                async with open_tree(agent_tree(config, manager)) as tree:
                    tree.add_hook(log_supervision)
                    log.info("agent started", agent=config.agent.name, workers=len(config.workers))
                    manager.ready()
                    await _wait_for_stop(signals, tree)
                    manager.stopping()
                    nursery.start_soon(_insist, signals)
            except SupervisionError as error:
                log.critical("the supervision tree gave up", reason=str(error), exc_info=error)
                code = EXIT_TREE_GAVE_UP
            nursery.cancel_scope.cancel()
    log.info("stopped", exit_code=code)
    return code


async def _wait_for_stop(signals: AsyncIterator[int], tree: Tree) -> None:
    async for number in signals:
        if number != signal.SIGUSR1:
            log.info("stop ordered", signal=signal.Signals(number).name)
            return
        log_tree(tree.snapshot())


async def _insist(signals: AsyncIterator[int]) -> None:
    """End the process if it does not end by itself, or somebody has no time."""
    with trio.move_on_after(STUCK_S):
        async for number in signals:
            if number != signal.SIGUSR1:
                break
    end_by_force("ending without waiting any longer")
