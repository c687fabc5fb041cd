"""How JSON that a worker sent is read: unknown members are skipped, wrong types are its failure."""

from typing import TypeVar

import msgspec

from cortexd.wire.errors import MalformedStream

T = TypeVar("T")


def read(decoder: msgspec.json.Decoder[T], data: bytes | str, *, what: str) -> T:
    """The decoded value.

    Errors: `MalformedStream` that says it is no `what`.
    """
    try:
        return decoder.decode(data)
    # ValueError is the root of msgspec's errors and of UnicodeDecodeError.
    except (ValueError, RecursionError) as exc:
        raise MalformedStream(f"not {what}: {exc}") from exc
