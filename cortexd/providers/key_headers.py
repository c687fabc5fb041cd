"""The headers of requests to one worker, with one of its API keys in them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from cortexd.domain.ids import KeyIndex
from cortexd.domain.secret import Secret

# What may stand in a header behind "Bearer ". The HTTP library quotes a value it refuses.
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")

KeyHeaders: TypeAlias = Callable[[str], dict[str, str]]
"""The headers in which a provider wants a key."""


def bearer(key: str) -> dict[str, str]:
    """The way of most."""
    return {"authorization": f"Bearer {key}"}


class KeyedHeaders:
    """Writes `headers` and, in the way of `write`, the key that is asked for.

    Errors: `ValueError`, naming the position of a key that no header can carry, never the key.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        keys: Sequence[Secret],
        write: KeyHeaders = bearer,
    ) -> None:
        self._headers = dict(headers)
        self._write = write
        self._keys = tuple(keys)
        for position, key in enumerate(keys):
            if not _SENDABLE.fullmatch(key.reveal()):
                raise ValueError(f"api_keys[{position}]: empty, or has characters no header takes")

    @property
    def keys(self) -> tuple[KeyIndex, ...]:
        """What can be asked for; one even where there is no key."""
        return tuple(KeyIndex(position) for position in range(len(self._keys) or 1))

    def carrying(self, key: KeyIndex) -> dict[str, str]:
        """The headers with this key in them; a worker without keys needs none.

        Errors: `IndexError` for a key it does not have.
        """
        if not self._keys:
            return dict(self._headers)
        return self._headers | self._write(self._keys[key].reveal())
