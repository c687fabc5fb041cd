"""The supervision tree, as a literal.

The root is one_for_one, so that no other branch can take the doors down with it: what the branches
need of each other is published on boards that outlive all actors, not held by their siblings.
Children start in the order written and stop in reverse: the doors come last and go first.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import attrs

from cortexd.actors.alert_manager import ALERT_MANAGER, AlertManager
from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.client_keys import CLIENT_KEYS, ClientKeys
from cortexd.actors.dead_letter_queue import DEAD_LETTER_QUEUE, DeadLetterQueue
from cortexd.actors.degradation_manager import DEGRADATION_MANAGER, DegradationManager
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor
from cortexd.actors.load_monitor import LOAD_MONITOR, LoadMonitor
from cortexd.actors.metrics import NODE_METRICS, NodeMetrics
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.runtime.application import Application
from cortexd.runtime.doors import Doors
from cortexd.runtime.metrics import Measuring
from cortexd.runtime.service_manager import beat
from cortexd.runtime.status_line import status_line
from supervisor_tree import Backoff, ChildSpec, Name, Strategy, Supervisor, task

DOORS = Name[Supervisor]("doors")
ENGINES = Name[Supervisor]("engines")
WORKERS = Name[Supervisor]("workers")
GUARD = Name[Supervisor]("guard")
STATE = Name[Supervisor]("state")
LINKS = Name[Supervisor]("links")
ALERT_CHANNELS = Name[Supervisor]("alert-channels")

# Chats are served without any of the actors. One that cannot run keeps trying twice a second, in
# the log for all to see: ending the node over it would end the chats as well.
ACTOR_BACKOFF = Backoff(initial=0.01, factor=2.0, maximum=0.5, jitter=0.2, reset_after=10.0)

# A model that cannot run keeps trying as well, but ever more slowly: loading it is no small thing.
ENGINE_BACKOFF = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.2, reset_after=60.0)

# A door may fail three times in five seconds. A node without doors is of no use to anybody, and its
# service manager will do better with it.
NO_SECOND_CHANCE = Backoff(give_up_after=0)

# More than either of these backoffs lets happen in five seconds, for all children together.
RESTARTS_MAX = 100


def supervision_tree(app: Application, doors: Doors) -> Supervisor:
    """The node as a tree. It gives up when the doors do, and for nothing else."""
    return Supervisor(
        *_heartbeat(app),
        ChildSpec("engines", partial(_engines, app), name=ENGINES, backoff=ACTOR_BACKOFF),
        *_links(app),
        ChildSpec("workers", partial(_workers, app), name=WORKERS, backoff=ACTOR_BACKOFF),
        ChildSpec("state", partial(_state, app), name=STATE, backoff=ACTOR_BACKOFF),
        ChildSpec(
            "alert-channels",
            partial(_alert_channels, app),
            name=ALERT_CHANNELS,
            backoff=ACTOR_BACKOFF,
        ),
        ChildSpec("guard", partial(_guard, app), name=GUARD, backoff=ACTOR_BACKOFF),
        ChildSpec("doors", partial(_doors, app, doors), name=DOORS, backoff=NO_SECOND_CHANCE),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _heartbeat(app: Application) -> Sequence[ChildSpec]:
    # First up and last down: a node that drains is alive.
    manager = app.around.manager
    if not manager.listens:
        return ()

    def status() -> str:
        return status_line(
            app.pool.view.value.members,
            app.degradation.state.value.level,
            in_flight=app.pipeline.cutoff.in_flight,
            is_draining=app.drain.ordered.is_set(),
        )

    return (ChildSpec("heartbeat", task(beat, manager, status), backoff=ACTOR_BACKOFF),)


def _engines(app: Application) -> Supervisor:
    # A branch of its own: an actor's restart must never end an engine that is answering.
    return Supervisor(
        *(
            ChildSpec(name, engine, backoff=ENGINE_BACKOFF)
            for name, engine in app.pool.engines.items()
        ),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _links(app: Application) -> Sequence[ChildSpec]:
    # What talks to Redis and RabbitMQ; a node that does without has no such branch.
    specs = (*app.cluster.children, *app.sharing.children, *app.fleet.children)
    children = [attrs.evolve(each, backoff=ACTOR_BACKOFF) for each in specs]
    if not children:
        return ()

    def links() -> Supervisor:
        return Supervisor(*children, strategy=Strategy.ONE_FOR_ONE, max_restarts=RESTARTS_MAX)

    return (ChildSpec("links", links, name=LINKS, backoff=ACTOR_BACKOFF),)


def _workers(app: Application) -> Supervisor:
    # rest_for_one: each of them starts from what those before it have published.
    # What can be reloaded is read anew by each incarnation.
    live, around, pool = app.live, app.around, app.pool

    def worker_pool() -> WorkerPool:
        return WorkerPool(pool.roster, pool.board, pool.view, live.value.pool.strategy)

    def monitor() -> HealthMonitor:
        settings = live.value.health
        heard = app.cluster.heard(2 * settings.interval_seconds)
        return HealthMonitor(
            *(pool.roster, pool.board, settings, pool.checks),
            chance=around.chance,
            emit=around.emit,
            heard=heard,
        )

    registry = partial(WorkerRegistry, pool.roster, pool.leaving, around.emit)
    breakers = partial(CircuitBreakers, pool.roster, around.emit)
    return Supervisor(
        ChildSpec("worker-registry", registry, name=WORKER_REGISTRY, backoff=ACTOR_BACKOFF),
        ChildSpec("circuit-breakers", breakers, name=CIRCUIT_BREAKERS, backoff=ACTOR_BACKOFF),
        ChildSpec("worker-pool", worker_pool, name=WORKER_POOL, backoff=ACTOR_BACKOFF),
        ChildSpec("health-monitor", monitor, name=HEALTH_MONITOR, backoff=ACTOR_BACKOFF),
        strategy=Strategy.REST_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _guard(app: Application) -> Supervisor:
    # one_for_one: they have nothing to do with each other.
    manager = partial(
        DegradationManager,
        app.degradation.state,
        app.pool.view,
        app.degradation.gauge.pressure,
        app.config.degradation,
        app.around.emit,
    )
    letters = partial(
        DeadLetterQueue,
        app.dead_letters.store,
        app.dead_letters.stats,
        app.around.emit,
        app.around.wall_clock,
    )
    return Supervisor(
        ChildSpec("dead-letter-queue", letters, name=DEAD_LETTER_QUEUE, backoff=ACTOR_BACKOFF),
        ChildSpec("loop-lag", task(app.degradation.lag.measure), backoff=ACTOR_BACKOFF),
        ChildSpec("degradation-manager", manager, name=DEGRADATION_MANAGER, backoff=ACTOR_BACKOFF),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _state(app: Application) -> Supervisor:
    keys = partial(ClientKeys, app.client_keys.actor)
    load_monitor = partial(LoadMonitor, app.watch.load_monitor.parts)
    manager = partial(AlertManager, app.watch.alerts.parts)
    alerts = ChildSpec("alert-manager", manager, name=ALERT_MANAGER, backoff=ACTOR_BACKOFF)
    return Supervisor(
        ChildSpec(
            "dead-letters-database", lambda: app.dead_letters.database, backoff=ACTOR_BACKOFF
        ),
        # No child of its own: its file is only there once there are keys, and it needs no closing.
        ChildSpec("client-keys", keys, name=CLIENT_KEYS, backoff=ACTOR_BACKOFF),
        *_metrics(app.watch.measuring),
        ChildSpec("load-monitor", load_monitor, name=LOAD_MONITOR, backoff=ACTOR_BACKOFF),
        *([alerts] if app.config.alerts.enabled else []),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _metrics(measuring: Measuring) -> Iterator[ChildSpec]:
    # First the database: it goes after those who have something to write.
    if measuring.database is not None:
        database = measuring.database
        yield ChildSpec("metrics-database", lambda: database, backoff=ACTOR_BACKOFF)
    actor = partial(NodeMetrics, measuring.actor)
    yield ChildSpec("metrics", actor, name=NODE_METRICS, backoff=ACTOR_BACKOFF)


def _alert_channels(app: Application) -> Supervisor:
    # A branch of its own, each channel for itself: none of them is of any use to the others.
    around = app.around
    return Supervisor(
        *(
            ChildSpec(each.name, task(each.run, around.chance, around.emit), backoff=ACTOR_BACKOFF)
            for each in app.watch.alerts.channels
        ),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _doors(app: Application, doors: Doors) -> Supervisor:
    # The admin door is the first up and the last down, so that a drain can be watched.
    return Supervisor(
        ChildSpec("admin-door", doors.admin),
        ChildSpec("data-door", doors.data, shutdown=app.config.node.drain_seconds + 2.0),
        strategy=Strategy.ONE_FOR_ONE,
    )
