"""Writes docs/reference/events.md from the events themselves.

`python -m cortexd.observability.event_reference` prints the page. A test holds the checked-in one
against it.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any, get_args

import attrs

from cortexd.domain.events import AttemptEnded, Event
from cortexd.observability.event_documents import event_kind

_HEAD = """\
# Events

<!-- Written by `python -m cortexd.observability.event_reference`; do not edit by hand. -->

What the node tells of itself while it runs. Each is a line in the log, under its name with spaces
for the underscores, and an event of `GET /admin/events`, which `cortexctl events --follow` shows.
There `at` says when it was. Times are in seconds.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    kinds = sorted(set(get_args(Event)) - {AttemptEnded}, key=event_kind)
    return "\n".join([_HEAD, *(line for kind in kinds for line in _section(kind))]).rstrip() + "\n"


def _section(kind: type[Any]) -> Iterator[str]:
    about = inspect.cleandoc(kind.__doc__ or "")
    yield f"## {event_kind(kind)}\n"
    yield f"{about}\n"
    yield "| field | type |"
    yield "|---|---|"
    for field in attrs.fields(kind):
        yield f"| `{field.name}` | `{_type(field.type)}` |"
    yield ""


def _type(annotation: Any) -> str:
    named = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    if isinstance(annotation, type) and get_args(annotation):
        named = str(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+", "", named).replace("|", "or")


if __name__ == "__main__":
    sys.stdout.write(page())
