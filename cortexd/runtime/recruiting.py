"""A worker that an operator adds to the running node: from a document to one ready to register."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from cortexd.actors.published import Published
from cortexd.actors.roster import RegisteredWorker
from cortexd.config.added_worker import read_added_worker
from cortexd.config.problems import ConfigInvalid, Problem
from cortexd.config.schema import Config
from cortexd.http.admin.workers import WorkerInvalid
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.runtime.workers import recruit


def recruiting(
    live: Published[Config],
    environ: Mapping[str, str],
    parts: AdapterParts,
    chance: random.Random,
    known: LiveSecrets,
) -> Callable[[Mapping[str, Any]], RegisteredWorker]:
    """A function that reads one `[[workers]]` table, and raises `WorkerInvalid` if it is wrong.

    The keys of the worker are `known` from then on.
    """

    def recruit_from(table: Mapping[str, Any]) -> RegisteredWorker:
        try:
            settings = read_added_worker(table, environ)
            known.learn(settings.api_keys)
            return recruit(settings, live.value, parts, chance)
        except ConfigInvalid as invalid:
            raise WorkerInvalid(tuple(map(_told, invalid.problems))) from invalid
        except ValueError as error:
            raise WorkerInvalid((str(error),)) from error

    return recruit_from


def _told(problem: Problem) -> str:
    return f"{problem.key}: {problem.text}" if problem.key else problem.text
