"""What a supervisor needs to know about a child before it can run it.

Rules of this file: a spec is a value, checked when it is made and never changed.
"""

from __future__ import annotations

import enum
import functools
import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from supervisor_tree.backoff import Backoff
from supervisor_tree.errors import InvalidSpec
from supervisor_tree.names import Name
from supervisor_tree.service import Service, SupervisorService
from supervisor_tree.validation import is_number, is_text

BRUTAL_KILL: Final = 0.0


@enum.unique
class Restart(enum.Enum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after a failure
    TEMPORARY = "temporary"  # never; its spec is forgotten as well


@enum.unique
class Strategy(enum.Enum):
    """Who is restarted together with a child that failed."""

    ONE_FOR_ONE = "one_for_one"  # nobody
    ONE_FOR_ALL = "one_for_all"  # all children
    REST_FOR_ONE = "rest_for_one"  # the children started after it


@enum.unique
class AutoShutdown(enum.Enum):
    """Whether a supervisor ends when its significant children have ended."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class _ByDefault(float):
    """A shutdown time that nobody chose, so it may still follow the kind of child."""

    __slots__ = ()


_WORKER_SHUTDOWN = _ByDefault(5.0)


def _makes_supervisor(factory: object) -> bool:
    while isinstance(factory, functools.partial):
        factory = factory.func
    return inspect.isclass(factory) and issubclass(factory, SupervisorService)


def _default_shutdown(spec: ChildSpec) -> float:
    return math.inf if _makes_supervisor(spec.start) else _WORKER_SHUTDOWN


@attrs.frozen
class ChildSpec:
    """How to start, stop and restart one child.

    `start` makes a new service for every incarnation: what must survive a restart is passed in.
    Times are in seconds. `shutdown` is how long a child may take to stop before it is killed:
    `math.inf` is a promise that it will, `BRUTAL_KILL` does not ask. It defaults to 5 s, and to
    infinity for supervisors.

    Errors: InvalidSpec.
    """

    id: str
    start: Callable[[], Service]
    restart: Restart = attrs.field(default=Restart.PERMANENT, kw_only=True)
    shutdown: float = attrs.field(
        default=attrs.Factory(_default_shutdown, takes_self=True), kw_only=True
    )
    start_timeout: float = attrs.field(default=30.0, kw_only=True)
    significant: bool = attrs.field(default=False, kw_only=True)
    backoff: Backoff | None = attrs.field(default=None, kw_only=True)
    name: Name[Any] | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        problem = _problem_of(self)
        if problem is not None:
            raise InvalidSpec(f"child {self.id!r}: {problem}")

    @property
    def makes_supervisor(self) -> bool:
        """Whether the factory itself shows that the child is a supervisor."""
        return _makes_supervisor(self.start)

    def settled(self, *, is_supervisor: bool) -> ChildSpec:
        """The same spec with its defaults filled in, now that the child's kind is known."""
        if not isinstance(self.shutdown, _ByDefault):
            return self
        return attrs.evolve(self, shutdown=math.inf if is_supervisor else float(self.shutdown))


def _problem_of(spec: ChildSpec) -> str | None:
    checks: tuple[tuple[bool, str], ...] = (
        (is_text(spec.id), "the id must be a text and not empty"),
        (callable(spec.start), "start must be callable"),
        (isinstance(spec.restart, Restart), "restart must be a Restart"),
        (_is_time(spec.shutdown, least=0), "shutdown must be 0 or more seconds"),
        (_is_time(spec.start_timeout, above=0), "start_timeout must be more than 0 seconds"),
        (isinstance(spec.significant, bool), "significant must be a bool"),
        (
            not (spec.significant and spec.restart is Restart.PERMANENT),
            "a permanent child never ends, so it cannot be significant",
        ),
        (spec.backoff is None or isinstance(spec.backoff, Backoff), "backoff must be a Backoff"),
        (spec.name is None or isinstance(spec.name, Name), "name must be a Name"),
    )
    return next((text for valid, text in checks if not valid), None)


def _is_time(value: object, *, least: float = -math.inf, above: float = -math.inf) -> bool:
    # NaN fails both comparisons.
    return is_number(value) and value >= least and value > above


def check_children(specs: Iterable[object], auto_shutdown: AutoShutdown) -> None:
    """Check what only shows when the children stand side by side. Errors: InvalidSpec."""
    seen: set[str] = set()
    for spec in specs:
        if not isinstance(spec, ChildSpec):
            raise InvalidSpec(f"{spec!r} is no ChildSpec")
        if spec.id in seen:
            raise InvalidSpec(f"child {spec.id!r} is listed twice")
        seen.add(spec.id)
        if spec.significant and auto_shutdown is AutoShutdown.NEVER:
            raise InvalidSpec(
                f"child {spec.id!r} is significant, but the supervisor never shuts down by itself"
            )
