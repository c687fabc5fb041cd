"""What the environment says: single keys, and the defaults it provides.

Only `cortexd/config` looks into the environment, and only into the mapping it is handed.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from cortexd.config.problems import KeyPath, key_name

PREFIX = "CORTEXD__"


@attrs.frozen(kw_only=True)
class Override:
    """One key that a variable sets. `refusal` says why it could not be set; empty if it was."""

    variable: str
    path: KeyPath
    refusal: str = ""


def apply_overrides(tables: dict[str, Any], environ: Mapping[str, str]) -> list[Override]:
    """Write the variables' values into the tables, and say which key each has set.

    A table that is made on the way counts as set by the variable, too.
    """
    applied: list[Override] = []
    for variable in sorted(environ):
        if variable.startswith(PREFIX):
            parts = variable.removeprefix(PREFIX).lower().split("__")
            applied += _apply(tables, variable, parts, environ[variable])
    return applied


def _apply(tables: dict[str, Any], variable: str, parts: list[str], value: str) -> list[Override]:
    if not all(parts):
        text = f"write {PREFIX}SECTION__KEY"
        return [Override(variable=variable, path=(), refusal=text)]
    made: list[Override] = []
    table: Any = tables
    path: KeyPath = ()
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(table, list):
            if not part.isdecimal() or int(part) >= len(table):
                refusal = f"{key_name(path)} has {len(table)} entries, counted from 0"
                return [*made, Override(variable=variable, path=path, refusal=refusal)]
            step: int | str = int(part)
        elif isinstance(table, dict):
            step = part
        else:
            refusal = f"{key_name(path)} is a single value and has no keys"
            return [*made, Override(variable=variable, path=path, refusal=refusal)]
        path = (*path, step)
        if last:
            table[step] = _parse(value)
            made.append(Override(variable=variable, path=path))
        elif isinstance(step, str) and step not in table:
            table[step] = {}
            made.append(Override(variable=variable, path=path))
        table = table[step]
    return made


def _parse(text: str) -> Any:
    """The value as TOML; what is no TOML value is a text, so that plain words need no quotes."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A line break could have brought further keys; then the whole was never one value.
    return parsed["value"] if parsed.keys() == {"value"} else text


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where state goes unless the file says so: systemd's choice, else `state` where we started."""
    # With several `StateDirectory=` entries systemd joins them with colons; the first is ours.
    first = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(first or "state")
