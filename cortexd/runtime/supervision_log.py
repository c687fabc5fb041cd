"""The log as a hook of the supervision tree: what ended and why, what is restarted and when."""

import structlog

from supervisor_tree import (
    ChildExited,
    ChildStuck,
    Escalated,
    Event,
    ExitKind,
    NodeSnapshot,
    RestartScheduled,
    ShutdownError,
    StartError,
)

log = structlog.get_logger("supervisor_tree")

_DECIMALS = 3


def log_supervision(event: Event) -> None:
    """Write what an operator has to know; starts and orderly ends are no news."""
    match event:
        case RestartScheduled():
            log.warning(
                "child restarts",
                child=event.path,
                incarnation=event.incarnation,
                cause=str(event.exit),
                attempt=event.attempt,
                delay_s=round(event.delay, _DECIMALS),
                uptime_s=round(event.uptime, _DECIMALS),
                exc_info=event.exit.error,
            )
        case ChildExited() if event.exit.kind is ExitKind.KILLED:
            log.warning("child was killed", child=event.path, uptime_s=event.uptime)
        case StartError() | ShutdownError():
            log.error(
                "child failed to start"
                if isinstance(event, StartError)
                else "child failed to stop",
                child=event.path,
                exc_info=event.error,
            )
        case ChildStuck():
            log.error("child is stuck", child=event.path, stack=event.stack)
        case Escalated():
            log.error("supervisor gave up", supervisor=event.path, exc_info=event.error)
        case _:
            pass


def log_tree(snapshot: NodeSnapshot) -> None:
    """Write the tree as it stands, a line each node."""
    log.info(
        "supervision tree",
        path=snapshot.path,
        state=snapshot.state,
        incarnation=snapshot.incarnation,
        restarts=snapshot.restarts,
        last_exit=snapshot.last_exit,
    )
    for child in snapshot.children:
        log_tree(child)
