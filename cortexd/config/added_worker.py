"""One worker that is added to a running node, read by the rules of the file and a stricter one.

Whoever may add a worker must not be able to learn the node's own credentials by it. So a reference
to one, and the keys of the environment, are for the provider's own address alone; a worker at any
other address has the keys that come with it.
"""

from collections.abc import Mapping
from typing import Any

from cortexd.config.load import environment_keys
from cortexd.config.problems import ConfigInvalid, Problem, key_name
from cortexd.config.secrets import SecretSource, WrongSecret
from cortexd.config.values import strict_converter
from cortexd.config.workers import build_workers, read_workers
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.catalog import DEFAULT_BASE_URL

_REFERENCES = ("env:", "file:", "credential:")
_SOURCE = "the worker"


class _KeysThatCame(SecretSource):
    """Takes a key as it is, and leads nowhere."""

    def resolve(self, reference: str) -> Secret:
        if reference.startswith(_REFERENCES):
            raise WrongSecret(
                "the node's credentials go to the provider's own address alone: leave out base_url,"
                " or send the key itself"
            )
        return super().resolve(reference)


def read_added_worker(table: Mapping[str, Any], environ: Mapping[str, str]) -> WorkerSettings:
    """The settings in one `[[workers]]` table. Raises `ConfigInvalid` with every problem."""
    is_at_home = _is_at_home(table)
    source = SecretSource if is_at_home else _KeysThatCame
    keys, problems = environment_keys(environ) if is_at_home else ({}, [])
    converter = strict_converter(source(environ=environ, inline_allowed=True))
    drafts, complaints = read_workers([table], converter=converter, keys=keys)
    problems += [
        Problem(None, key_name(path[2:]), text, source=_SOURCE) for path, text in complaints
    ]
    if table.get("type") == WorkerType.EMBEDDED.value:
        text = (
            'cannot be "embedded" in a running node, whose engines stand and fall with its tree:'
            " write it into the file and restart"
        )
        problems.append(Problem(None, "type", text, source=_SOURCE))
    if problems:
        raise ConfigInvalid(problems)
    return build_workers(drafts)[0]


def _is_at_home(table: Mapping[str, Any]) -> bool:
    homes = {kind.value: url for kind, url in DEFAULT_BASE_URL.items()}
    kind, url = table.get("type"), table.get("base_url")
    home = homes.get(kind) if isinstance(kind, str) else None
    return url is None or (isinstance(url, str) and url.rstrip("/") == home)
