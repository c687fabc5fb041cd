"""The configured workers, hired: each with its adapter, and an engine where it needs one."""

import random
from collections.abc import Callable, Mapping
from functools import partial

import attrs

from cortexd.actors.health_monitor import check_soon
from cortexd.actors.roster import HiringTerms, RegisteredWorker, registered
from cortexd.config.schema import Config
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.catalog import make_adapter
from cortexd.providers.embedded.engine import EmbeddedEngine
from cortexd.providers.embedded.engine_address import EngineAddress
from cortexd.providers.embedded.standby_engine import Duty, StandbyEngine
from supervisor_tree import Service


@attrs.frozen
class Staff:
    """Who works here. `engines` are factories, one for each embedded worker, by its name."""

    workers: tuple[RegisteredWorker, ...]
    engines: Mapping[str, Callable[[], Service]]


def hire(
    config: Config,
    terms: HiringTerms,
    parts: AdapterParts,
    duty: Callable[[WorkerSettings], Duty],
) -> Staff:
    """Make every worker's adapter; nothing is connected to or started yet.

    `duty`: when the engine of a worker is to run.
    """
    workers: list[RegisteredWorker] = []
    engines: dict[str, Callable[[], Service]] = {}
    for settings in config.workers:
        # Each embedded worker has an engine of its own.
        own = attrs.evolve(parts, embedded=config.embedded, address=EngineAddress())
        workers.append(registered(settings, make_adapter(settings, own), terms))
        if settings.type is WorkerType.EMBEDDED:
            # Found well as soon as it is, and not at the next round of probes.
            engine = partial(
                EmbeddedEngine,
                config.embedded,
                own.address,
                on_ready=partial(check_soon, settings.name),
            )
            engines[settings.name] = partial(StandbyEngine, engine, own.address, duty(settings))
    return Staff(tuple(workers), engines)


def recruit(
    settings: WorkerSettings, config: Config, parts: AdapterParts, chance: random.Random
) -> RegisteredWorker:
    """A worker for a node that runs already, on that configuration's terms; not an embedded one.

    Errors: `ValueError` for settings that can never work.
    """
    terms = HiringTerms(breaker=config.breaker, retry=config.retry, chance=chance)
    return registered(settings, make_adapter(settings, parts), terms)
