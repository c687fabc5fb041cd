"""One object of a client's request, read field by field.

Rules of this file: `null` counts as absent, a boolean is no number, and every refusal names the
exact path of the field.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NoReturn

import attrs

from cortexd.domain.errors import RequestRefused
from cortexd.wire.quotation import shortened

INVALID_TYPE: Final = "invalid_type"
INVALID_VALUE: Final = "invalid_value"
MISSING: Final = "missing_required_parameter"
UNSUPPORTED: Final = "unsupported_parameter"

_JSON_TYPES: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def refuse(path: str, problem: str, code: str) -> NoReturn:
    """Refuse the request for what stands at `path`."""
    raise RequestRefused(f"{path} {problem}", path, code)


def refuse_type(path: str, value: object, wanted: str) -> NoReturn:
    """Refuse a value for its type. `wanted` reads like "a string"."""
    refuse(path, f"must be {wanted}, not {_JSON_TYPES[type(value)]}", INVALID_TYPE)


def as_text(value: object, path: str, *, characters_max: int) -> str:
    """The string that `value` must be; refuses one that is too long."""
    if not isinstance(value, str):
        refuse_type(path, value, "a string")
    if len(value) > characters_max:
        refuse(path, f"must have at most {characters_max} characters", INVALID_VALUE)
    return value


@attrs.frozen
class Fields:
    """The members of an object that stands at `path`, which is empty for the body itself."""

    members: Mapping[str, object]
    path: str = ""

    def at(self, name: str) -> str:
        """The path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def only(
        self, taken: Collection[str], asks_for_nothing: Mapping[str, Collection[object]]
    ) -> None:
        """Refuse every member but those taken: an allow-list, never a deny-list.

        `asks_for_nothing` names members of the dialect that are not served, each with the values
        that would make no difference; `null` and what is empty never do.
        """
        for name, value in self.members.items():
            if name in taken:
                continue
            harmless = asks_for_nothing.get(name)
            if harmless is None or not (
                value in (None, "", [], {}) or any(_same(value, other) for other in harmless)
            ):
                refuse(self.at(shortened(name)), "is not supported; leave it out", UNSUPPORTED)

    def text(self, name: str, *, characters_max: int) -> str | None:
        """A string, `None` where it is absent."""
        value = self.members.get(name)
        return (
            None if value is None else as_text(value, self.at(name), characters_max=characters_max)
        )

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean; the text "true" and the number 1 are none."""
        value = self.members.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            refuse_type(self.at(name), value, "a boolean")
        return value

    def number(self, name: str, *, low: float, high: float) -> float | None:
        """A number within bounds, both included."""
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse_type(self.at(name), value, "a number")
        self._check_range(name, value, low, high)
        return float(value)

    def integer(self, name: str, *, low: int, high: int) -> int | None:
        """A number without a fraction within bounds, both included."""
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, float):
            refuse(self.at(name), "must be an integer, without a fraction", INVALID_TYPE)
        if isinstance(value, bool) or not isinstance(value, int):
            refuse_type(self.at(name), value, "an integer")
        self._check_range(name, value, low, high)
        return value

    def nested(self, name: str) -> "Fields | None":
        """An object."""
        value = self.members.get(name)
        return None if value is None else as_object(value, self.at(name))

    def items(self, name: str, *, count_max: int) -> Iterator[tuple[str, object]]:
        """The elements of an array, each with its path; none where it is absent."""
        value = self.members.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            refuse_type(self.at(name), value, "an array")
        if len(value) > count_max:
            refuse(self.at(name), f"must have at most {count_max} elements", INVALID_VALUE)
        for index, element in enumerate(value):
            yield f"{self.at(name)}[{index}]", element

    def _check_range(self, name: str, value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            refuse(self.at(name), f"must lie in {low}..{high}, not {value}", INVALID_VALUE)


def as_object(value: object, path: str) -> Fields:
    """The object that `value` must be."""
    if not isinstance(value, dict):
        refuse_type(path, value, "an object")
    return Fields(value, path)


def _same(value: object, other: object) -> bool:
    # In Python, False == 0; in JSON, they are of different types.
    return type(value) is type(other) and value == other
