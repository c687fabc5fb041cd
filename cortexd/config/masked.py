"""A configuration as a document for operators. What is a secret is told by its type, and masked."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

import attrs

from cortexd.config.schema import Config
from cortexd.config.sections import key_of
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl
from cortexd.domain.worker import WorkerSettings

MASK: Final = "***"


def masked(config: Config, workers: Sequence[WorkerSettings]) -> dict[str, Any]:
    """All sections, made of JSON types. `workers`: those there are, wherever they came from."""
    return {**_plain(config), "workers": [_plain(worker) for worker in workers]}


def _plain(value: Any) -> Any:
    if isinstance(value, ServerUrl):
        value = str(value)
    elif attrs.has(type(value)):
        value = {key_of(field): getattr(value, field.name) for field in attrs.fields(type(value))}
    match value:
        case str() | int() | float() | None:
            return value
        case Secret():
            return MASK
        case Enum():
            return _plain(value.value)
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(each) for each in value]
    return str(value)
