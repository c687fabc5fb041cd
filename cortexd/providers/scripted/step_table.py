"""One table of a script, whose complaints name the place. Pure."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NoReturn, TypeVar

import attrs

TIMES_MAX: Final = 1_000_000
SECONDS_MAX: Final = 86_400.0

MemberT = TypeVar("MemberT", bound=Enum)


@attrs.frozen
class StepTable:
    """The keys of one step, and the place of the table in the script.

    Errors: all methods raise `ValueError`, its text beginning with the place (`script[2].wait`).
    """

    place: str
    keys: Mapping[str, Any]

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.keys, Mapping):
            self.refuse(None, "must be a table")

    def refuse(self, key: str | None, why: str) -> NoReturn:
        """Say what is wrong with a key, or with the whole."""
        raise ValueError(f"{self.place}{'.' + key if key else ''}: {why}")

    def allow(self, *keys: str) -> None:
        """Refuse all other keys."""
        for key in self.keys:
            if key not in keys:
                self.refuse(key, f"unknown here; known: {', '.join(keys)}")

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.keys[key]
        if not isinstance(value, str) or not value:
            self.refuse(key, "must be a text, not empty")
        return value

    def seconds(self, key: str) -> float:
        """A length of time."""
        value = self.keys[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # The comparison is false for a NaN, too.
        if not is_number or not 0.0 <= value <= SECONDS_MAX:
            self.refuse(key, f"must be a number of seconds from 0 to {SECONDS_MAX:.0f}")
        return float(value)

    def count(self, key: str) -> int:
        """How often something happens."""
        value = self.keys[key]
        if type(value) is not int or not 1 <= value <= TIMES_MAX:
            self.refuse(key, f"must be a whole number from 1 to {TIMES_MAX}")
        return value

    def member(self, key: str, kind: type[MemberT]) -> MemberT:
        """One of a few words."""
        members = {member.value: member for member in kind}
        value = self.keys[key]
        if not isinstance(value, str) or value not in members:
            self.refuse(key, f"must be one of {', '.join(members)}")
        return members[value]
