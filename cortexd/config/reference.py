"""Writes docs/reference/configuration.md from the settings classes.

`python -m cortexd.config.reference` prints the page. A test holds the checked-in one against it.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import attrs

from cortexd.config.load import SECTIONS
from cortexd.config.meanings import COMPUTED_DEFAULTS, KEY_MEANINGS, SECTION_MEANINGS
from cortexd.config.ranges import allowed
from cortexd.config.schema import Config
from cortexd.config.sections import key_of
from cortexd.config.workers import KEY_VARIABLES, LIMITS_BY_TYPE
from cortexd.domain.alert_channel import ChannelSettings
from cortexd.domain.client_key import ClientKeyId, ClientKeySettings, Instant, KeyDigest
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.catalog import DEFAULT_BASE_URL, default_priority
from cortexd.providers.scripted import script

_HERE, _ELSEWHERE = "http://127.0.0.1", "https://example.org"

_HEAD = """\
# Configuration

<!-- Written by `python -m cortexd.config.reference`; do not edit by hand. -->

cortexd reads one TOML file: `cortexd --config cortexd.toml`. Every section is optional, and so is
every key with a default. With `--check` it says all that is wrong with the file, one line each, and
exits with 78; if nothing is wrong it prints what would run.

- An unknown key is an error, and so is a value of the wrong type: `"80"` is not `80`. A whole
  number will do where a number is wanted.
- Relative paths begin in the folder the node was started in.
- Times are in seconds.
"""

_TAIL = """\
## Secrets

`admin.token`, `data.key_pepper`, `fleet.signing_key`, each entry of `workers.api_keys`, and the
`url` and `password` of a channel say where the credential is; so do `cluster.redis_url` and
`fleet.amqp_url`, where there is a password in them:

| reference | the credential is |
|---|---|
| `env:NAME` | in the environment variable `NAME` |
| `file:PATH` | in a file that only its owner may read (`chmod 600`) |
| `credential:NAME` | handed over by systemd, with `LoadCredential=NAME:PATH` in the unit |

White space around it is dropped. A credential in the file itself is refused, unless
`allow_inline_secrets = true` stands above all sections.

## Environment

`CORTEXD__SECTION__KEY` sets a key, whatever the file says: `CORTEXD__HEALTH__INTERVAL_SECONDS=10`.
The value is read as TOML; what is no TOML value is taken as a text, so plain words need no quotes
(but a text of digits does: `CORTEXD__NODE__NAME='"7"'`). A worker of the file is meant by its
index, counted from 0: `CORTEXD__WORKERS__0__BASE_URL=http://gpu:8000/v1`.
"""


def page() -> str:
    """The whole reference, in Markdown."""
    parts = [_HEAD, *_table("Above all sections", "", _top_level())]
    for field in attrs.fields(Config):
        if field.name == "workers":
            parts += [*_table("[[workers]]", "workers", attrs.fields(WorkerSettings)), _by_type()]
        elif field.name == "keys":
            parts += _table("[[keys]]", "keys", attrs.fields(ClientKeySettings))
        elif field.name in SECTIONS:
            settings = SECTIONS[field.name]
            parts += _table(f"[{field.name}]", field.name, attrs.fields(settings))
        if field.name == "alerts":
            channels = attrs.fields(ChannelSettings)
            parts += _table("[[alerts.channels]]", "alerts.channels", channels)
    return "\n".join([*parts, _scripts(), _TAIL])


def _scripts() -> str:
    # The module that reads the language is where it is described.
    _, _, description = (script.__doc__ or "").partition("\n\n")
    return f"## Scripts\n\nWhat a worker of type `scripted` plays. {description}"


def _top_level() -> "tuple[attrs.Attribute[Any], ...]":
    sections = {*SECTIONS, "workers", "keys"}
    return tuple(field for field in attrs.fields(Config) if field.name not in sections)


def _table(title: str, section: str, fields: "tuple[attrs.Attribute[Any], ...]") -> Iterator[str]:
    yield f"## {title}\n"
    if section:
        yield f"{SECTION_MEANINGS[section]}\n"
    yield "| key | type | default | range | meaning |\n|---|---|---|---|---|"
    for field in fields:
        key = f"{section}.{key_of(field)}" if section else field.name
        cells = (
            f"`{key_of(field)}`",
            type_name(field.type),
            COMPUTED_DEFAULTS.get(key) or _default(field),
            allowed(field.validator) or "-",
            KEY_MEANINGS[key],
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


_BY_TYPE = (
    "type",
    "base_url",
    "api_keys",
    "priority",
    "max_concurrency",
    "queue_max",
    "first_token_seconds",
)


def _by_type() -> str:
    """The defaults that depend on a worker's type."""
    classes = {field.name: field.default for field in attrs.fields(WorkerSettings)}
    lines = [
        "Defaults by type:\n",
        f"| {' | '.join(_BY_TYPE)} |",
        f"|{'---|' * len(_BY_TYPE)}",
    ]
    for kind in WorkerType:
        limits: Mapping[str, Any] = {**classes, **LIMITS_BY_TYPE.get(kind, {})}
        url = DEFAULT_BASE_URL.get(kind)
        variable = KEY_VARIABLES.get(kind)
        cells = (
            f"`{kind.value}`",
            f"`{url}`" if url else "-",
            f"`${variable}`, comma-separated" if variable else "-",
            _priority(kind),
            str(limits["max_concurrency"]),
            str(limits["queue_max"]),
            f"{limits['first_token_seconds']:g}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(
        "\nWithout any `[[workers]]`, there are two: `ollama-local` of type `ollama`, and"
        "\n`embedded` of type `embedded` behind it. `workers = []` means none at all.\n"
    )
    return "\n".join(lines)


def _priority(kind: WorkerType) -> str:
    here, elsewhere = default_priority(kind, _HERE), default_priority(kind, _ELSEWHERE)
    return str(here) if here == elsewhere else f"{here} on loopback, else {elsewhere}"


_PLAIN_TYPES: Mapping[Any, str] = {
    str: "text",
    WorkerName: "text",
    ClientKeyId: "text",
    KeyDigest: "text",
    Instant: "date and time",
    bool: "boolean",
    int: "whole number",
    float: "number",
    Path: "path",
    Secret: "[secret](#secrets)",
    ServerUrl: "URL or [secret](#secrets)",
    dict[str, Any]: "table",
}


def type_name(wanted: Any) -> str:
    """What to write for a value of this type.

    Errors: `TypeError` for a type that has no words here yet.
    """
    if wanted in _PLAIN_TYPES:
        return _PLAIN_TYPES[wanted]
    if isinstance(wanted, type) and attrs.has(wanted):
        return "table"
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return " or ".join(f'`"{choice.value}"`' for choice in wanted)
    inner = [part for part in get_args(wanted) if part not in {Ellipsis, type(None)}]
    # `X | None` is another kind of union where X is a NewType.
    if get_origin(wanted) in {UnionType, Union} and len(inner) == 1:
        return type_name(inner[0])
    if get_origin(wanted) is tuple:
        return f"list of {type_name(inner[0])}"
    if get_origin(wanted) is Mapping:
        return f"table of {type_name(inner[1])}"
    raise TypeError(f"no words for {wanted!r}")


def _default(field: "attrs.Attribute[Any]") -> str:
    """The default as it would stand in the file."""
    value = field.default
    if value is attrs.NOTHING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        value = value.factory()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    sys.stdout.write(page())
