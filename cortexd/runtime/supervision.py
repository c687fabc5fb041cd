"""The supervision tree, as a literal.

The root is one_for_one, so that no other branch can take the doors down with it: what the branches
need of each other is published on boards that outlive all actors, not held by their siblings.
Children start in the order written and stop in reverse: the doors come last and go first.
"""

from functools import partial

from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.actors.worker_registry import WORKER_REGISTRY, WorkerRegistry
from cortexd.runtime.application import Application
from supervisor_tree import Backoff, ChildSpec, Strategy, Supervisor

# An actor without backoff is back within a millisecond, so a crash costs next to nothing; more than
# this is not bad luck but a bug, and the branch is built anew as a whole.
ACTOR_RESTARTS_MAX = 30
ACTOR_RESTARTS_WINDOW_S = 5.0

# With this backoff an engine is restarted six times within any five seconds at most: a model that
# cannot run keeps trying, ever more slowly, and never takes the node down.
ENGINE_BACKOFF = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.2, reset_after=60.0)
ENGINE_RESTARTS_MAX = 20


def supervision_tree(app: Application) -> Supervisor:
    """The node as a tree."""
    return Supervisor(
        ChildSpec("engines", partial(_engines, app)),
        ChildSpec("workers", partial(_workers, app)),
        ChildSpec("doors", partial(_doors, app)),
        strategy=Strategy.ONE_FOR_ONE,
    )


def _workers(app: Application) -> Supervisor:
    # rest_for_one: each of them starts from what those before it have published.
    return Supervisor(
        ChildSpec(
            "worker-registry", partial(WorkerRegistry, app.roster, app.emit), name=WORKER_REGISTRY
        ),
        ChildSpec(
            "worker-pool",
            partial(WorkerPool, app.roster, app.board, app.view, app.config.pool.strategy),
            name=WORKER_POOL,
        ),
        ChildSpec(
            "health-monitor",
            partial(
                HealthMonitor,
                app.roster,
                app.board,
                app.config.health,
                chance=app.chance,
                emit=app.emit,
            ),
            name=HEALTH_MONITOR,
        ),
        strategy=Strategy.REST_FOR_ONE,
        max_restarts=ACTOR_RESTARTS_MAX,
        max_seconds=ACTOR_RESTARTS_WINDOW_S,
    )


def _engines(app: Application) -> Supervisor:
    # A branch of its own: an actor's restart must never end an engine that is answering.
    return Supervisor(
        *(ChildSpec(name, engine, backoff=ENGINE_BACKOFF) for name, engine in app.engines.items()),
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=ENGINE_RESTARTS_MAX,
    )


def _doors(app: Application) -> Supervisor:
    # The admin door is the first up and the last down, so that a drain can be watched.
    return Supervisor(
        ChildSpec("admin-door", app.admin_door),
        ChildSpec("data-door", app.data_door, shutdown=app.config.node.drain_seconds + 2.0),
        strategy=Strategy.ONE_FOR_ONE,
    )
