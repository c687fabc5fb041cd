"""Words to write JSON Schemas with, the way the readers of requests see JSON.

Rules of this file, which are those of `cortexd.wire.fields`: an object takes the members it names
and no other, `null` counts as absent, and lengths are in characters.
Source: spec.openapis.org/oas/v3.1.1, whose schemas are those of JSON Schema 2020-12.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]


def reference(name: str) -> Schema:
    """The schema of this name among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def closed(
    about: str, members: Mapping[str, Schema], *, required: Sequence[str] = (), **rules: Any
) -> Schema:
    """An object with these members and no other. `rules`: more keywords of JSON Schema."""
    return {**growing(about, members, required=required), "additionalProperties": False, **rules}


def growing(about: str, members: Mapping[str, Schema], *, required: Sequence[str] = ()) -> Schema:
    """An object with these members, and what later versions may add: an answer, that is."""
    schema: Schema = {"type": "object", "description": about, "properties": dict(members)}
    return schema | {"required": list(required)} if required else schema


def text(about: str, *, characters_max: int, characters_min: int = 0, **rules: Any) -> Schema:
    """A string."""
    schema: Schema = {"type": "string", "description": about, "maxLength": characters_max}
    return schema | ({"minLength": characters_min} if characters_min else {}) | rules


def integer(about: str, low: int, high: int, **rules: Any) -> Schema:
    """A number without a fraction within bounds, both included; `1.0` is none."""
    return {"type": "integer", "description": about, "minimum": low, "maximum": high, **rules}


def number(about: str, low: float, high: float) -> Schema:
    """A number within bounds, both included."""
    return {"type": "number", "description": about, "minimum": low, "maximum": high}


def flag(about: str) -> Schema:
    """A boolean."""
    return {"type": "boolean", "description": about}


def array(items: Schema, about: str = "", *, count_max: int, count_min: int = 0) -> Schema:
    """A list."""
    schema: Schema = {"type": "array", "items": items, "maxItems": count_max}
    if about:
        schema["description"] = about
    return schema | {"minItems": count_min} if count_min else schema


def word(about: str, *values: object) -> Schema:
    """One of these values."""
    return {"description": about, "enum": list(values)}


def kind(value: str) -> Schema:
    """The value that tells an object from its siblings."""
    return {"type": "string", "const": value}


def either(*schemas: Schema, about: str = "") -> Schema:
    """What fits one of these."""
    schema: Schema = {"anyOf": list(schemas)}
    return {"description": about, **schema} if about else schema


def optional(schema: Schema) -> Schema:
    """The same, or `null`, which counts as absent."""
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return schema | {"type": [schema["type"], "null"]}
    return either(schema, {"type": "null"})


def optionals(members: Mapping[str, Schema]) -> dict[str, Schema]:
    """All of these, each of which may be `null`."""
    return {name: optional(schema) for name, schema in members.items()}


def nothing(*harmless: object) -> Schema:
    """A member that is not served: what is empty is taken, as are values that change nothing."""
    about = "Not supported: taken only where it asks for nothing."
    return word(about, None, "", [], {}, *harmless)


def when(name: str, fits: Schema, then: Mapping[str, Schema]) -> dict[str, Schema]:
    """A rule for `dependentSchemas`: if a member fits, those must be there and fit as well."""
    return {
        name: {
            "if": {"properties": {name: fits}},
            "then": {"properties": dict(then), "required": list(then)},
        }
    }
