"""The API keys of one worker, used in turn."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Final, TypeAlias

from cortexd.domain.secret import Secret

# What may stand in a header behind "Bearer ". The HTTP library quotes a value it refuses.
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")

KeyHeaders: TypeAlias = Callable[[str], dict[str, str]]
"""The headers in which a provider wants a key."""


def bearer(key: str) -> dict[str, str]:
    """The way of most."""
    return {"authorization": f"Bearer {key}"}


class KeyRotation:
    """Hands out the headers with a key: one key after the other, or none where there is no key.

    Errors: `ValueError`, naming the position of a key that no header can carry, never the key.
    """

    def __init__(self, keys: Sequence[Secret], write: KeyHeaders = bearer) -> None:
        self._write = write
        for position, key in enumerate(keys):
            if not _SENDABLE.fullmatch(key.reveal()):
                raise ValueError(f"api_keys[{position}]: empty, or has characters no header takes")
        self._count = len(keys)
        self._turn: Iterator[Secret | None] = cycle(keys or (None,))

    def __len__(self) -> int:
        return self._count

    def next_headers(self) -> dict[str, str]:
        """The headers that carry the key whose turn it is."""
        key = next(self._turn)
        return {} if key is None else self._write(key.reveal())
