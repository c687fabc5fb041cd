"""What all dialects demand of tools in a client's request.

Schemas are data: they are checked for what would make a reader leave the request (references to
other documents) and passed on; no pattern in one is ever run.
"""

import re
from collections.abc import Sequence
from typing import Final

from cortexd.domain.chat import JsonSchema, Message, Role, ToolCall, ToolResult
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    refuse,
    refuse_type,
)
from cortexd.wire.quotation import quoted

TOOLS_MAX: Final = 128
TOOL_CALLS_MAX: Final = 128
NAME_CHARACTERS_MAX: Final = 64
CALL_ID_CHARACTERS_MAX: Final = 8192
"""An id may carry a provider's signature, which is long."""
DESCRIPTION_CHARACTERS_MAX: Final = 64 * 1024
ARGUMENTS_CHARACTERS_MAX: Final = 1024 * 1024
SCHEMA_VALUES_MAX: Final = 20_000

# What OpenAI takes, which is the narrowest of all.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

# A place in an array (RFC 6901); no array has more digits of them.
_INDEX: Final = re.compile(r"[0-9]{1,9}")


def read_tool_name(fields: Fields, name: str = "name") -> str:
    """The name of a function."""
    path = fields.at(name)
    given = fields.text(name, characters_max=4096)
    if given is None:
        refuse(path, "is missing; it must be the name of a function", MISSING)
    if not _NAME.fullmatch(given):
        refuse(
            path,
            f"must be 1 to {NAME_CHARACTERS_MAX} letters, digits, underscores or dashes, "
            f"not {quoted(given)}",
            INVALID_VALUE,
        )
    return given


def read_schema(fields: Fields, name: str) -> JsonSchema | None:
    """A JSON Schema, `None` where it is absent."""
    value = fields.members.get(name)
    if value is None:
        return None
    path = fields.at(name)
    if not isinstance(value, dict):
        refuse_type(path, value, "an object")
    _check_schema(value, path)
    return value


def check_tool_flow(messages: Sequence[Message], paths: Sequence[str]) -> None:
    """Refuse results without their call, calls without their result, and ids used twice at once.

    `paths`: where each message stands in the request; a dialect that puts several messages into
    one gives its path to all of them.
    """
    waiting: set[str] = set()
    for message, path in zip(messages, paths, strict=True):
        if message.role is Role.TOOL:
            for result in (part for part in message.parts if isinstance(part, ToolResult)):
                if result.call_id not in waiting:
                    problem = f"answers the call {quoted(result.call_id)}, which nobody has made"
                    refuse(path, f"{problem} or which has its answer already", INVALID_VALUE)
                waiting.discard(result.call_id)
            continue
        if waiting:
            refuse(path, f"comes before the answer to call {quoted(min(waiting))}", INVALID_VALUE)
        for call in (part for part in message.parts if isinstance(part, ToolCall)):
            if call.call_id in waiting:
                refuse(path, f"uses the id {quoted(call.call_id)} for two calls", INVALID_VALUE)
            waiting.add(call.call_id)


def _check_schema(schema: dict[str, object], path: str) -> None:
    level: list[object] = [schema]
    count = 0
    sound: set[str] = set()
    while level:
        count += len(level)
        if count > SCHEMA_VALUES_MAX:
            refuse(path, f"holds more than {SCHEMA_VALUES_MAX} values", INVALID_VALUE)
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                _check_reference(value, schema, path, sound)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below


def _check_reference(
    value: dict[str, object], schema: dict[str, object], path: str, sound: set[str]
) -> None:
    """Refuse what leads out of the schema, or round in a circle of nothing but references.

    `sound`: the references known to do neither, which is added to: in a chain of thousands, each
    is followed once.
    """
    seen: set[str] = set()
    where: object = value
    while isinstance(where, dict) and isinstance(reference := where.get("$ref"), str):
        if reference in sound:
            break
        if not reference.startswith("#"):
            refuse(path, f"refers to another document: {quoted(reference)}", UNSUPPORTED)
        if reference in seen:
            refuse(path, f"goes round in circles at {quoted(reference)}", INVALID_VALUE)
        seen.add(reference)
        where = _resolve(schema, reference)
    sound |= seen


def _resolve(schema: dict[str, object], reference: str) -> object:
    where: object = schema
    for part in reference.removeprefix("#").split("/")[1:]:
        if isinstance(where, list) and _INDEX.fullmatch(part):
            where = where[int(part)] if int(part) < len(where) else None
        elif isinstance(where, dict):
            where = where.get(part.replace("~1", "/").replace("~0", "~"))
        else:
            return None
    return where
