"""The supervision tree, as a literal.

The root is one_for_one, so that no other branch can take the doors down with it: what the branches
need of each other is published on boards that outlive all actors, not held by their siblings.
Children start in the order written and stop in reverse: the doors come last and go first.
"""

from functools import partial

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.runtime.application import Application
from cortexd.runtime.doors import Doors
from supervisor_tree import Backoff, ChildSpec, Name, Strategy, Supervisor

DOORS = Name[Supervisor]("doors")
ENGINES = Name[Supervisor]("engines")
WORKERS = Name[Supervisor]("workers")

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
        ChildSpec("engines", partial(_engines, app), name=ENGINES, backoff=ACTOR_BACKOFF),
        ChildSpec("workers", partial(_workers, app), name=WORKERS, backoff=ACTOR_BACKOFF),
        ChildSpec("doors", partial(_doors, app, doors), name=DOORS, backoff=NO_SECOND_CHANCE),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _engines(app: Application) -> Supervisor:
    # A branch of its own: an actor's restart must never end an engine that is answering.
    return Supervisor(
        *(ChildSpec(name, engine, backoff=ENGINE_BACKOFF) for name, engine in app.engines.items()),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _workers(app: Application) -> Supervisor:
    # rest_for_one: each of them starts from what those before it have published.
    config, roster, board, view = app.config, app.roster, app.board, app.view
    registry = partial(WorkerRegistry, roster, app.emit)
    breakers = partial(CircuitBreakers, roster, app.emit)
    pool = partial(WorkerPool, roster, board, view, config.pool.strategy)
    monitor = partial(HealthMonitor, roster, board, config.health, chance=app.chance, emit=app.emit)
    return Supervisor(
        ChildSpec("worker-registry", registry, name=WORKER_REGISTRY, backoff=ACTOR_BACKOFF),
        ChildSpec("circuit-breakers", breakers, name=CIRCUIT_BREAKERS, backoff=ACTOR_BACKOFF),
        ChildSpec("worker-pool", pool, name=WORKER_POOL, backoff=ACTOR_BACKOFF),
        ChildSpec("health-monitor", monitor, name=HEALTH_MONITOR, backoff=ACTOR_BACKOFF),
        strategy=Strategy.REST_FOR_ONE,
        max_restarts=RESTARTS_MAX,
    )


def _doors(app: Application, doors: Doors) -> Supervisor:
    # The admin door is the first up and the last down, so that a drain can be watched.
    return Supervisor(
        ChildSpec("admin-door", doors.admin),
        ChildSpec("data-door", doors.data, shutdown=app.config.node.drain_seconds + 2.0),
        strategy=Strategy.ONE_FOR_ONE,
    )
