"""Reading one table of the document as one settings class, and finding all that is wrong in it."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs
from cattrs import Converter

from cortexd.config.problems import KeyPath, key_name
from cortexd.config.ranges import allowed
from cortexd.config.values import structure

Complaint: TypeAlias = tuple[KeyPath, str]
"""Which key, and what is wrong with it."""


@attrs.frozen(kw_only=True)
class Draft:
    """A section while it is checked. `values` has what is right; `set_here` is what was written."""

    path: KeyPath
    values: Mapping[str, Any]
    set_here: frozenset[str]

    def get(self, key: str) -> Any:
        """The value, or `None` where it is missing or wrong: then there is nothing to check."""
        return self.values.get(key)


def read_section(
    settings: type,
    table: Any,
    path: KeyPath,
    *,
    converter: Converter,
    defaults: Mapping[str, Any],
) -> tuple[Draft, list[Complaint]]:
    """All right values of the table, and all complaints about the others.

    `defaults` are those the class does not know: they depend on the node or on other keys.
    """
    if not isinstance(table, dict):
        empty = Draft(path=path, values={}, set_here=frozenset())
        return empty, [(path, _not_a_table(path, table))]
    fields = {key_of(field): field for field in attrs.fields(settings)}
    complaints = list(unknown_keys(table, fields, path))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            wrong = _read_value(field, table[name], values, converter)
            complaints += [((*path, name, *inner), text) for inner, text in wrong]
        elif name in defaults:
            values[name] = defaults[name]
        elif field.default is attrs.NOTHING:
            complaints.append(((*path, name), "is missing"))
        else:
            default = field.default
            values[name] = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # a class at run time
    set_here = frozenset(fields.keys() & table.keys())
    return Draft(path=path, values=values, set_here=set_here), complaints


def _read_value(
    field: "attrs.Attribute[Any]", raw: Any, values: dict[str, Any], converter: Converter
) -> list[Complaint]:
    value, wrong = structure(converter, raw, field.type)
    if wrong:
        return wrong
    try:
        if field.validator is not None:
            field.validator(None, field, value)
    except ValueError:
        return [((), f"must be {allowed(field.validator)}")]
    values[key_of(field)] = value
    return []


def key_of(field: "attrs.Attribute[Any]") -> str:
    """What the field is called in the file: where Python has taken a name, ours ends with `_`."""
    return field.name.rstrip("_")


def unknown_keys(found: Iterable[str], known: Iterable[str], path: KeyPath) -> Iterator[Complaint]:
    """A complaint about each key that means nothing here, with the one that may have been meant."""
    names = list(known)
    for key in found:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(names)}"
            yield (*path, key), f"unknown key; {hint}"


def _not_a_table(path: KeyPath, found: Any) -> str:
    name = path[-1]
    if isinstance(name, int):
        return "must be a table"
    brackets = " (one pair of brackets)" if isinstance(found, list) else ""
    return f"must be a table: [{name}]{brackets}"


def taken_names(drafts: Iterable[Draft]) -> Iterator[Complaint]:
    """A complaint about each `name` that one before it has already."""
    first: dict[str, Draft] = {}
    for draft in drafts:
        name = draft.get("name")
        if name is not None and first.setdefault(name, draft) is not draft:
            owner = key_name(first[name].path)
            yield (*draft.path, "name"), f"the name is taken by {owner}; each needs its own"
