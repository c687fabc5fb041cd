"""The workers of this node, as the registry publishes them."""

import random
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from cortexd.actors.published import Published
from cortexd.actors.worker_slots import WorkerSlots
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerInfo, WorkerSettings
from cortexd.policy.circuit_breaker import BreakerSettings, CircuitBreaker
from cortexd.policy.retry_budget import RetrySettings
from cortexd.policy.traffic import Traffic, new_traffic
from cortexd.ports import ChatProvider


@attrs.frozen(eq=False)
class RegisteredWorker:
    """A worker with everything needed to use it.

    Slots and traffic live as long as the worker is registered, longer than any actor. Where
    `is_active` is false, it gets no new requests.
    """

    settings: WorkerSettings
    provider: ChatProvider
    info: WorkerInfo
    slots: WorkerSlots
    traffic: Traffic
    is_active: bool = True

    @property
    def name(self) -> WorkerName:
        """The worker's name."""
        return self.settings.name

    @property
    def breaker(self) -> CircuitBreaker:
        """The worker's circuit breaker."""
        return self.traffic.breaker


Roster: TypeAlias = Published[tuple[RegisteredWorker, ...]]
"""All registered workers, in the order they were registered."""


class UnfitWorker(Exception):
    """What was offered is no worker that can be hired. `problems`: a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


Recruit: TypeAlias = Callable[[Mapping[str, Any]], RegisteredWorker]
"""Makes a worker of a `[[workers]]` table, or raises `UnfitWorker`."""


@attrs.frozen(kw_only=True)
class HiringTerms:
    """What is the same for all workers of a node."""

    breaker: BreakerSettings = attrs.Factory(BreakerSettings)
    retry: RetrySettings = attrs.Factory(RetrySettings)
    chance: random.Random


def registered(
    settings: WorkerSettings, provider: ChatProvider, terms: HiringTerms
) -> RegisteredWorker:
    """A worker ready to be registered, with slots and accounts of its own."""
    traffic = new_traffic(
        keys=len(settings.api_keys),
        breaker=terms.breaker,
        retry=terms.retry,
        chance=terms.chance,
    )
    slots = WorkerSlots(
        settings.name,
        slots=settings.max_concurrency,
        queue_max=settings.queue_max,
        pace=traffic.pace,
    )
    return RegisteredWorker(settings, provider, provider.info(), slots, traffic)
