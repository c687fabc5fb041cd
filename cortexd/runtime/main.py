"""From a checked configuration to an exit code: the life of the process."""

import errno
import faulthandler
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import structlog
import trio

from cortexd.config.schema import Config
from cortexd.config.secrets_in import secrets_in
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.observability.logs import LogFormat, configure_logs
from cortexd.runtime.announcement import announcement, wait_for_verdicts
from cortexd.runtime.application import Application, build_application
from cortexd.runtime.doors import doors_on
from cortexd.runtime.ending import EXIT_OK, EXIT_TREE_GAVE_UP, end_by_force, heeded_signals
from cortexd.runtime.garbage import settle
from cortexd.runtime.listening import Listening, listen
from cortexd.runtime.private_memory import keep_memory_private
from cortexd.runtime.service_manager import service_manager
from cortexd.runtime.supervision import supervision_tree
from cortexd.runtime.supervision_feed import feeding
from cortexd.runtime.supervision_log import log_supervision, log_tree
from cortexd.runtime.surroundings import Surroundings
from supervisor_tree import SupervisionError, open_tree

STUCK_S = 12.0
"""How long a child that does not stop is waited for, beyond the drain or a second signal.

Longer than its shutdown time and the grace after that, so that its stack is in the log by then.
"""

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable by which a service manager says where it has put credentials."""

log = structlog.get_logger("cortexd")


def run(config: Config, *, log_format: str, read_config: Callable[[], Config] | None = None) -> int:
    """Run the node until it is told to stop; the exit code says how that went (see sysexits.h).

    `read_config` reads the configuration anew for a reload, or raises `ConfigInvalid`.
    """
    known = LiveSecrets()
    known.learn(secrets_in(config))
    configure_logs(LogFormat(log_format), known.redact)
    if CREDENTIALS in os.environ:
        # In production; elsewhere people want to look into it.
        keep_memory_private()
    # A watchdog that aborts a stalled loop leaves behind where it stood.
    faulthandler.enable()
    try:
        listening = listen(config)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"cortexd: {place}{error.strerror or error}", file=sys.stderr)  # noqa: T201  for people
        return os.EX_TEMPFAIL if error.errno == errno.EADDRINUSE else os.EX_CONFIG
    known.learn((listening.token, listening.pepper))
    around = Surroundings(
        manager=service_manager(os.environ),
        environ=os.environ,
        read_config=None if read_config is None else _known_by(known, read_config),
        pepper=listening.pepper,
        known=known,
    )
    return trio.run(_run_node, config, listening, around)


def _known_by(known: LiveSecrets, read_config: Callable[[], Config]) -> Callable[[], Config]:
    def read() -> Config:
        config = read_config()
        known.learn(secrets_in(config))
        return config

    return read


async def _run_node(config: Config, listening: Listening, around: Surroundings) -> int:
    app = build_application(config, around)
    code = EXIT_OK
    with heeded_signals(signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, app)
            nursery.start_soon(_insist, app)
            try:
                await _serve(app, listening)
            except SupervisionError as error:
                log.critical("the supervision tree gave up", reason=str(error), exc_info=error)
                code = EXIT_TREE_GAVE_UP
            for worker in (*app.pool.roster.value, *app.pool.leaving.value):
                await worker.provider.aclose()
            nursery.cancel_scope.cancel()
    log.info("stopped", exit_code=code)
    return code


async def _serve(app: Application, listening: Listening) -> None:
    async with open_tree(supervision_tree(app, doors_on(listening, app))) as tree:
        tree.add_hook(log_supervision)
        tree.add_hook(feeding(app.events.feed))
        app.tree.publish(tree)
        settle()
        app.around.manager.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_announce, app, listening)
            nursery.start_soon(_reload_as_ordered, app)
            await app.drain.ordered.wait()
            nursery.cancel_scope.cancel()
        app.around.manager.stopping()
        app.events.feed.close()
        log.info("draining", seconds_max=app.config.node.drain_seconds)
        with trio.move_on_after(app.config.node.predrain_seconds):
            await app.drain.hurried.wait()
        listening.close_data()


async def _obey(signals: AsyncIterator[int], app: Application) -> None:
    async for number in signals:
        if number == signal.SIGUSR1:
            snapshot = app.tree.snapshot()
            if snapshot is not None:
                log_tree(snapshot)
        elif number == signal.SIGHUP:
            if app.drain.ordered.is_set():
                log.info("reload ignored: the node is stopping")
            else:
                app.reloader.order()
        else:
            log.info("stop ordered", signal=signal.Signals(number).name)
            app.drain.order()


async def _reload_as_ordered(app: Application) -> None:
    while True:
        await app.reloader.wait_ordered()
        app.around.manager.reloading()
        await app.reloader.reload_and_log()
        app.around.manager.ready()


async def _insist(app: Application) -> None:
    """End the process without a child that is stuck, since nothing else would end it."""
    await app.drain.ordered.wait()
    node = app.config.node
    with trio.move_on_after(node.predrain_seconds + node.drain_seconds + STUCK_S):
        await app.drain.hurried.wait()
        await trio.sleep(STUCK_S)
    end_by_force("a child does not stop; ending without it")


async def _announce(app: Application, listening: Listening) -> None:
    await wait_for_verdicts(app.pool.view)
    text = announcement(
        node=app.config.node.name,
        data=listening.data_addresses,
        admin=listening.admin_addresses,
        token_file=listening.token_file,
        members=app.pool.view.value.members,
    )
    print(text, flush=True)  # noqa: T201  the one thing that goes to stdout
