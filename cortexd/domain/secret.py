"""A string that does not show itself."""

from collections.abc import Iterable
from typing import NoReturn

from cortexd.domain.redaction import STARS, without_runs


class Secret:
    """A credential. Printing, formatting or pickling it never shows it; only `reveal()` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself, for the one header or comparison it is meant for."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def without(secrets: Iterable[Secret], text: str) -> str:
    """The text, with stars in the place of each secret that it quotes, be it only a part of it."""
    for secret in secrets:
        if secret.reveal():
            text = without_runs(text.replace(secret.reveal(), STARS), secret.reveal())
    return text
