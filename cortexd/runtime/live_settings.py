"""The settings that a running node can change, and how each part takes them up."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import trio

from cortexd.actors.circuit_breakers import CIRCUIT_BREAKERS, CircuitBreakers
from cortexd.actors.client_keys import CLIENT_KEYS, ClientKeys
from cortexd.actors.health_monitor import HEALTH_MONITOR, HealthMonitor
from cortexd.actors.published import Published
from cortexd.actors.roster import Roster
from cortexd.actors.worker_pool import WORKER_POOL, WorkerPool
from cortexd.config.schema import Config
from cortexd.runtime.pipeline import NodePipeline
from cortexd.runtime.reload import Reloadable
from supervisor_tree import MailboxFull, whereis


class LiveAliases(Mapping[str, tuple[str, ...]]):
    """The aliases as the running configuration has them."""

    def __init__(self, live: Published[Config]) -> None:
        self._live = live

    def __getitem__(self, alias: str) -> tuple[str, ...]:
        """What the alias stands for. Raises `KeyError`."""
        return self._live.value.routing.aliases[alias]

    def __iter__(self) -> Iterator[str]:
        """All aliases."""
        return iter(self._live.value.routing.aliases)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._live.value.routing.aliases)


def live_settings(roster: Roster, pipeline: NodePipeline) -> Sequence[Reloadable]:
    """Each section that can change. An actor that is not there reads it when it comes back."""

    def renew_pipeline(config: Config) -> None:
        pipeline.service.replace(pipeline.made_for(config))

    def resize_cache(config: Config) -> None:
        pipeline.cache.resize(config.cache.max_bytes, trio.current_time())

    def fit_budgets(config: Config) -> None:
        for worker in roster.value:
            worker.traffic.budget.configure(config.retry)

    return (
        Reloadable(section="routing", apply=renew_pipeline),
        Reloadable(section="cache", apply=resize_cache),
        Reloadable(section="retry", apply=fit_budgets),
        Reloadable(section="breaker", apply=_tell_breakers),
        Reloadable(section="pool", apply=_tell_pool),
        Reloadable(section="health", apply=_tell_monitor),
        Reloadable(section="keys", apply=_tell_client_keys),
        Reloadable(section="limits", apply=_tell_client_keys),
    )


def _tell_breakers(config: Config) -> None:
    with suppress(MailboxFull):
        whereis(CIRCUIT_BREAKERS).cast(CircuitBreakers.configure, config.breaker)


def _tell_pool(config: Config) -> None:
    with suppress(MailboxFull):
        whereis(WORKER_POOL).cast(WorkerPool.use, config.pool.strategy)


def _tell_client_keys(_config: Config) -> None:
    # It reads the running configuration by itself, as it does when it starts.
    with suppress(MailboxFull):
        whereis(CLIENT_KEYS).cast(ClientKeys.refresh)


def _tell_monitor(config: Config) -> None:
    with suppress(MailboxFull):
        whereis(HEALTH_MONITOR).cast(HealthMonitor.configure, config.health)
