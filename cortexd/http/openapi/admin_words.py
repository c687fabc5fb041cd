"""Words for what the admin listener answers: documents that may grow, and whose members are there.

They go beyond `json_schema` in one thing: every member that is named is always there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from cortexd.http.openapi.json_schema import Schema, growing, reference
from cortexd.http.openapi.responses import JSON, REQUEST_ID, Response

Operation: TypeAlias = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
MAYBE_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
ANYTHING: Final[Schema] = {}
SECONDS: Final[Schema] = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,9})?$"}
"""As they are written behind a question mark."""


def whole(about: str, members: Mapping[str, Schema]) -> Schema:
    """An object that has all of these members, and may have more."""
    return growing(about, members, required=list(members))


def many(items: Schema, about: str = "") -> Schema:
    """A list of these."""
    schema: Schema = {"type": "array", "items": items}
    return schema | ({"description": about} if about else {})


def mapping(values: Schema, about: str) -> Schema:
    """An object with names that nobody knows beforehand."""
    return {"type": "object", "description": about, "additionalProperties": values}


def listing(items: str) -> Schema:
    """A page of documents that the schema of that name describes."""
    members = {"items": many(reference(items)), "total": COUNT, "next_cursor": MAYBE_TEXT}
    return whole("A list; `next_cursor` leads to the next page, where there is one.", members)


_ABOUT: Final[Mapping[int, str]] = {
    400: "The request is wrong; `param` names what is at fault.",
    401: "There is no credential of an operator with it.",
    403: "The session's second token is not with it, or its page is one of another origin.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "That cannot be done as things are now.",
    413: "The body is too large.",
    415: "The body does not say that it is JSON.",
    422: "What was sent cannot be used; all that is wrong with it is named.",
    429: "There were too many attempts.",
    500: "The gateway failed.",
    503: "The keeper of this is not there just now, or the node is stopping; try again.",
    504: "There was no result in time.",
}
_ALWAYS: Final = (400, 401, 403, 408, 413, 429, 500)


def answer(about: str, schema: Schema, *, status: int = 200, kind: str = JSON) -> Response:
    """What is answered when all goes well."""
    return {str(status): _response(about, schema, kind)}


def operation(
    name: str,
    about: str,
    answers: Response,
    *,
    may_be: Iterable[int] = (),
    takes: Sequence[Operation] = (),
) -> Operation:
    """An operation. `may_be`: which errors there are besides those of every request.

    `takes`: what `in_path`, `in_query` and `in_body` say.
    """
    shape = reference("AdminError")
    errors = {str(status): _response(_ABOUT[status], shape) for status in (*_ALWAYS, *may_be)}
    document: Operation = {
        "operationId": name,
        "summary": about,
        "parameters": [each for each in takes if "in" in each],
        "responses": {**errors, **answers},
    }
    for body in (each for each in takes if "in" not in each):
        document["requestBody"] = body
    return document


def in_path(name: str, about: str, example: str) -> Operation:
    """A part of the path."""
    schema = {"type": "string", "pattern": "^[A-Za-z0-9._-]+$", "minLength": 1}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": schema,
        "example": example,
    }


def in_query(name: str, about: str, schema: Schema) -> Operation:
    """Something behind the question mark."""
    return {"name": name, "in": "query", "description": about, "schema": schema}


def in_body(schema: str) -> Operation:
    """The document that is sent, by the name of its schema."""
    return {"required": True, "content": {JSON: {"schema": reference(schema)}}}


def _response(about: str, schema: Schema, kind: str = JSON) -> Response:
    return {
        "description": about,
        "headers": {"x-request-id": REQUEST_ID},
        "content": {kind: {"schema": schema}},
    }
