"""What the node takes from the world around it: time, chance, identities, a network, a log."""

import random
import secrets
import time
from collections.abc import Callable

import attrs

from cortexd.domain.events import Emit
from cortexd.observability.event_log import log_event
from cortexd.providers.adapter_parts import AdapterParts


def _random_id() -> str:
    return secrets.token_hex(16)


def _new_chance() -> random.Random:
    return random.Random()  # noqa: S311  spreads load and waits, guards no secret


@attrs.frozen(kw_only=True)
class Surroundings:
    """The real world, unless somebody says otherwise; `adapters` is theirs, see there.

    `clock` is monotonic and `wall_clock` gives seconds since the epoch. What waits or measures in
    the pipeline and below has Trio's clock.
    """

    emit: Emit = log_event
    chance: random.Random = attrs.Factory(_new_chance)
    new_id: Callable[[], str] = _random_id
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    adapters: AdapterParts = attrs.Factory(AdapterParts)
