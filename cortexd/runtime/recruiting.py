"""A worker that an operator adds to the running node: from a document to one ready to register."""

import random
from collections.abc import Mapping
from typing import Any

from cortexd.actors.published import Published
from cortexd.actors.roster import Recruit, RegisteredWorker, UnfitWorker
from cortexd.config.added_worker import read_added_worker
from cortexd.config.problems import ConfigInvalid, Problem
from cortexd.config.schema import Config
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.runtime.workers import recruit


def recruiting(
    live: Published[Config],
    environ: Mapping[str, str],
    parts: AdapterParts,
    chance: random.Random,
    known: LiveSecrets,
) -> Recruit:
    """By what rules tables are read here. The keys of a worker are `known` from then on."""

    def recruit_from(table: Mapping[str, Any]) -> RegisteredWorker:
        try:
            settings = read_added_worker(table, environ)
            known.learn(settings.api_keys)
            return recruit(settings, live.value, parts, chance)
        except ConfigInvalid as invalid:
            raise UnfitWorker(tuple(map(_told, invalid.problems))) from invalid
        except ValueError as error:
            raise UnfitWorker((str(error),)) from error

    return recruit_from


def _told(problem: Problem) -> str:
    return f"{problem.key}: {problem.text}" if problem.key else problem.text
