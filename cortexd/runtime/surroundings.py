"""What the node takes from the world around it: time, chance, identities, a network, a log."""

import random
import secrets
import time
from collections.abc import Callable, Mapping

import attrs

from cortexd.config.schema import Config
from cortexd.domain.events import Emit
from cortexd.domain.secret import Secret
from cortexd.observability.event_log import log_event
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.runtime.service_manager import ServiceManager
from cortexd.storage.database import Database


def _random_id() -> str:
    return secrets.token_hex(16)


def _new_chance() -> random.Random:
    return random.Random()  # noqa: S311  spreads load and waits, guards no secret


@attrs.frozen(kw_only=True)
class Surroundings:
    """The real world, unless somebody says otherwise; `adapters` is theirs, see there.

    `emit` is told of what happens; the parts of a node are given one that tells its own keepers as
    well. `clock` is monotonic and `wall_clock` gives seconds since the epoch. What waits or
    measures in the pipeline and below has Trio's clock. `environ` is where the keys are of workers
    that are added; `read_config` reads the configuration anew, or raises `ConfigInvalid`; `None`
    where it came from no file. `open_database` makes a database, with the arguments of `Database`.
    `pepper` is what client keys are kept with; one that is made here is gone with the process.
    `known`: the secrets that the log is kept clear of.
    """

    emit: Emit = log_event
    chance: random.Random = attrs.Factory(_new_chance)
    new_id: Callable[[], str] = _random_id
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    adapters: AdapterParts = attrs.Factory(AdapterParts)
    manager: ServiceManager = attrs.Factory(ServiceManager)
    environ: Mapping[str, str] = attrs.Factory(dict)
    read_config: Callable[[], Config] | None = None
    open_database: Callable[..., Database] = Database
    known: LiveSecrets = attrs.Factory(LiveSecrets)
    pepper: Secret = attrs.Factory(lambda: Secret(_random_id()))
