"""POST /v1/embeddings, from both sides: texts in, vectors out.

Source of the shapes: `types/embedding_create_params.py` and `create_embedding_response.py` of the
official Python client, which asks for base64 and unpacks it where its user names no format.
"""

import struct
from base64 import b64encode
from typing import Final

import attrs
import msgspec

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.feature import Feature
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_text,
    refuse,
    refuse_type,
)
from cortexd.wire.openai.chunk import UsageShape
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX, read_model
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import dumps

INPUTS_MAX: Final = 2048
DIMENSIONS_MAX: Final = 65_536

_TAKEN: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
WORD_CHARACTERS_MAX: Final = 512


@attrs.frozen
class ParsedEmbedding:
    """`as_base64`: the vectors are wanted as 32-bit floats, little end first, in base64."""

    request: EmbeddingRequest
    as_base64: bool


def read_embedding_request(document: dict[str, object]) -> ParsedEmbedding:
    """What the body of the request says; `user` is taken without effect.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, {})
    model = read_model(body)
    if model is None:
        refuse("model", "is missing; name a model, or 'auto' for any", MISSING)
    body.text("user", characters_max=WORD_CHARACTERS_MAX)
    needs = {Feature.EMBEDDINGS: "model"}
    dimensions = body.integer("dimensions", low=1, high=DIMENSIONS_MAX)
    if dimensions is not None:
        needs[Feature.DIMENSIONS] = "dimensions"
    encoding = body.text("encoding_format", characters_max=WORD_CHARACTERS_MAX) or "float"
    if encoding not in {"float", "base64"}:
        refuse("encoding_format", f"must be float or base64, not {quoted(encoding)}", INVALID_VALUE)
    return ParsedEmbedding(
        EmbeddingRequest(model=model, texts=_read_input(body), dimensions=dimensions, needs=needs),
        as_base64=encoding == "base64",
    )


def _read_input(body: Fields) -> tuple[str, ...]:
    value = body.members.get("input")
    if value is None or value == []:
        refuse("input", "is missing; it must be a string or a list of strings", MISSING)
    if isinstance(value, str):
        return (_read_text(value, "input"),)
    if not isinstance(value, list):
        refuse_type("input", value, "a string or a list of strings")
    return tuple(_read_text(text, path) for path, text in body.items("input", count_max=INPUTS_MAX))


def _read_text(value: object, path: str) -> str:
    if isinstance(value, int | list) and not isinstance(value, bool):
        # Tokens are of one model, and which one answers is not known yet.
        refuse(path, "must be a string; token arrays are not supported", UNSUPPORTED)
    text = as_text(value, path, characters_max=MESSAGE_CHARACTERS_MAX)
    if not text:
        refuse(path, "must not be empty", INVALID_VALUE)
    return text


def write_embedding_request(request: EmbeddingRequest, *, model: str) -> dict[str, object]:
    """The body that asks for vectors as lists of numbers, the one form all servers know."""
    body: dict[str, object] = {
        "model": model,
        "input": list(request.texts),
        "encoding_format": "float",
    }
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return body


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: UsageShape | None = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def read_embeddings(body: bytes) -> tuple[Embedded, Usage | None]:
    """The vectors in the order of their inputs, and what they cost.

    Errors: `MalformedStream` for a body that is no such list, or one with gaps.
    """
    answer = foreign_json.read(_vectors, body, what="a list of embeddings")
    places = [i if one.index is None else one.index for i, one in enumerate(answer.data)]
    if not places or sorted(places) != list(range(len(places))):
        raise MalformedStream("a list of embeddings that is empty or has gaps")
    in_order = sorted(zip(places, answer.data, strict=True), key=lambda pair: pair[0])
    vectors = tuple(tuple(one.embedding) for _, one in in_order)
    if not vectors[0] or len({len(vector) for vector in vectors}) > 1:
        raise MalformedStream("embeddings that are empty or of several lengths")
    return Embedded(vectors), None if answer.usage is None else answer.usage.read()


def write_embeddings(
    embedded: Embedded, *, model: str, usage: Usage | None, as_base64: bool
) -> bytes:
    """The vectors as one document; the dialect demands usage, so it is zero where unknown.

    Errors: `MalformedStream` for a number that 32 bits cannot hold.
    """
    tokens = 0 if usage is None else usage.input_tokens
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if as_base64 else vector,
        }
        for index, vector in enumerate(embedded.vectors)
    ]
    return dumps(
        {
            "object": "list",
            "data": data,
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _packed(vector: tuple[float, ...]) -> str:
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise MalformedStream("an embedding with a number beyond 32 bits") from None
