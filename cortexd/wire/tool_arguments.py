"""The arguments of a tool call: JSON text in some dialects, an object in others."""

import msgspec

from cortexd.wire.errors import MalformedStream
from cortexd.wire.quotation import quoted

_objects = msgspec.json.Decoder(dict[str, object])


def as_object(arguments: str, *, tool: str) -> dict[str, object]:
    """The object that a worker's arguments are; none at all are an empty one.

    Errors: `MalformedStream`.
    """
    if not arguments.strip():
        return {}
    try:
        return _objects.decode(arguments)
    # ValueError is the root of msgspec's errors.
    except (ValueError, RecursionError) as exc:
        raise MalformedStream(f"the arguments for {quoted(tool)} are no JSON object") from exc


def is_object(arguments: str) -> bool:
    """Whether a client's text is the JSON of an object."""
    try:
        _objects.decode(arguments)
    except (ValueError, RecursionError):
        return False
    return True
