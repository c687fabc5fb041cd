"""The arguments of a tool call: JSON text in some dialects, an object in others."""

from collections.abc import Iterable

import msgspec

from cortexd.wire.errors import MalformedStream
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import DEPTH_MAX

_objects = msgspec.json.Decoder(dict[str, object])


def as_object(arguments: str, *, tool: str) -> dict[str, object]:
    """The object that a worker's arguments are; none at all are an empty one.

    Errors: `MalformedStream`.
    """
    if not arguments.strip():
        return {}
    try:
        return _read(arguments)
    # ValueError is the root of msgspec's errors.
    except (ValueError, RecursionError) as exc:
        raise MalformedStream(f"the arguments for {quoted(tool)} are no JSON object") from exc


def is_object(arguments: str) -> bool:
    """Whether a client's text is the JSON of an object."""
    try:
        _read(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def _read(arguments: str) -> dict[str, object]:
    """The object, no deeper than a body may be.

    How much deeper could be read and written depends on who calls, so that what passes here could
    fail when it is put into the words of another dialect.
    """
    document = _objects.decode(arguments)
    level: list[object] = [document]
    for _ in range(DEPTH_MAX):
        containers = [value for value in level if isinstance(value, dict | list)]
        level = [inner for one in containers for inner in _elements(one)]
    if any(isinstance(value, dict | list) for value in level):
        raise ValueError
    return document


def _elements(container: dict[str, object] | list[object]) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container
