"""Which secrets a configuration holds, wherever in it they are."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from cortexd.domain.secret import Secret


def secrets_in(value: Any) -> Iterator[Secret]:
    """All that a section, or the whole configuration, has; told by their type."""
    if isinstance(value, Secret):
        yield value
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from secrets_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from secrets_in(each)
