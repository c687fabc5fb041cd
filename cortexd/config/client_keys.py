"""Reading the `[[keys]]`: the client keys that the configuration names."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from cattrs import Converter

from cortexd.config.problems import key_name
from cortexd.config.sections import Complaint, Draft, read_section
from cortexd.config.values import WrongValue, expect
from cortexd.domain.client_key import (
    ClientKeySettings,
    Instant,
    KeyDigest,
    is_digest,
    is_key_id,
)

_MOMENT: Final = "must be a date and a time with its offset, such as 2027-01-31T00:00:00Z"


def register_key_hooks(converter: Converter) -> None:
    """Teach the converter the types that only `[[keys]]` have."""
    converter.register_structure_hook(KeyDigest, lambda value, _: _digest(value))
    converter.register_structure_hook_func(
        lambda wanted: wanted is Instant, lambda value, _: _moment(value)
    )


def _digest(value: Any) -> KeyDigest:
    text: str = expect(value, str)
    if not is_digest(text):
        raise WrongValue("must be 64 hexadecimal digits in lower case, as the admin API shows them")
    return KeyDigest(text)


def _moment(value: Any) -> Instant:
    # Without an offset it would be another moment on each machine.
    if isinstance(value, datetime) and value.tzinfo is not None:
        return Instant(value.timestamp())
    hint = "" if isinstance(value, date) or type(value) is not str else " (without quotes)"
    raise WrongValue(_MOMENT + hint)


def read_keys(tables: Any, *, converter: Converter) -> tuple[list[Draft], list[Complaint]]:
    """All keys, and all that is wrong with them."""
    path = ("keys",)
    if not isinstance(tables, list | tuple):
        return [], [(path, "must be a list of tables: [[keys]] (two pairs of brackets)")]
    drafts: list[Draft] = []
    complaints: list[Complaint] = []
    for index, table in enumerate(tables):
        draft, wrong = read_section(
            ClientKeySettings, table, (*path, index), converter=converter, defaults={}
        )
        drafts.append(draft)
        complaints += wrong
        key_id = draft.get("id")
        if key_id is not None and not is_key_id(key_id):
            text = "must be the eight letters or digits that stand in the key behind cx_live_"
            complaints.append(((*draft.path, "id"), text))
    return drafts, [*complaints, *_taken_ids(drafts)]


def _taken_ids(drafts: Sequence[Draft]) -> Iterator[Complaint]:
    first: dict[str, Draft] = {}
    for draft in drafts:
        key_id = draft.get("id")
        if key_id is not None and first.setdefault(key_id, draft) is not draft:
            yield (*draft.path, "id"), f"the id is taken by {key_name(first[key_id].path)}"


def build_keys(drafts: Sequence[Draft]) -> tuple[ClientKeySettings, ...]:
    """The settings, once nothing is wrong with any draft."""
    return tuple(
        ClientKeySettings(**{_field_name(key): value for key, value in draft.values.items()})
        for draft in drafts
    )


def _field_name(key: str) -> str:
    return "class_" if key == "class" else key
