"""How documents look to people: tables, colours, times."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from cortexd.ctl.admin_api import AdminApi, as_json

_WIDTH_UNLIMITED: Final = 10_000

_COLOURS: Final[Mapping[str, str]] = {
    word: colour
    for colour, words in {
        "green": "healthy available running closed active ok resolved",
        "yellow": "degraded warning unknown half_open draining restarting pending acknowledged"
        " minor_issues major_issues limited",
        "red": "critical emergency unavailable no_workers open firing revoked expired dead",
    }.items()
    for word in words.split()
}


def show(api: AdminApi, document: object, *shown: RenderableType) -> None:
    """Print the document for programs, or what is shown of it for people."""
    if api.as_json:
        click.echo(as_json(document))
        return
    out = console()
    for part in shown:
        out.print(part)


def console() -> Console:
    """Where people read, or what searches for them: there, nothing is cut or wrapped.

    What a node says is shown as it is: it may well have brackets and colons of its own.
    """
    plain = _console()
    return plain if plain.is_terminal else _console(width=_WIDTH_UNLIMITED)


def _console(width: int | None = None) -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table without lines. What is not `Text` already is never taken for markup."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(words(cell)) for cell in row))
    return made


def words(value: object) -> str:
    """A value in a cell."""
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def state(word: Any) -> Text:
    """A word for how something is, in its colour."""
    return Text(words(word), style=_COLOURS.get(str(word), ""))


def part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object in the document; an empty one where it is missing."""
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def items(document: Any) -> list[Any]:
    """The elements of a list document."""
    return list(document.get("items", ())) if isinstance(document, dict) else list(document)


def duration(seconds: float) -> str:
    """Such as `2d 3h 4m` or `5s`: the three largest units are enough for a glance."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:3])
