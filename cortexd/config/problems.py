"""What is wrong with a configuration: where, and what would be right.

Rule for all texts: what the file says in place of something expected is not quoted. It may be a
credential in the wrong place, and problems go to terminals and logs.
"""

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

import attrs

KeyPath: TypeAlias = tuple[str | int, ...]
"""The way to a value from the top of the file: `("workers", 2, "base_url")`."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def key_name(path: KeyPath) -> str:
    """The path as users read it: `workers[2].base_url`, counted from zero."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += "." if name else ""
            name += part if _BARE_KEY.fullmatch(part) else json.dumps(part)
    return name


@attrs.frozen
class Problem:
    """One thing that is wrong.

    `source` is the file, or the environment variable if the value came from one (then `line` is
    `None`). `key` is empty where the file as a whole is meant.
    """

    line: int | None
    key: str
    text: str
    source: str = "cortexd.toml"

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place} {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


class ConfigInvalid(Exception):
    """The configuration cannot be used; `problems` holds all that was found, in order of lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(
            sorted(problems, key=lambda found: (found.line is None, found.line or 0, found.key))
        )
        super().__init__("\n".join(map(str, self.problems)))
