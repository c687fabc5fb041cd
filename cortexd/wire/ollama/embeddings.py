"""POST /api/embed in the Ollama dialect, both ways.

Source of the shapes: `EmbedRequest` and `EmbedResponse` in `api/types.go` of ollama/ollama and the
official Python client.
"""

from typing import Final

import msgspec

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.feature import Feature
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream
from cortexd.wire.fields import INVALID_VALUE, MISSING, Fields, as_text, refuse, refuse_type
from cortexd.wire.ollama.read_generation import check_keep_alive
from cortexd.wire.ollama.read_options import refuse_options
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX, read_model
from cortexd.wire.strict_json import dumps

TEXTS_MAX: Final = 2048
"""What OpenAI takes; no worker is asked for more at once."""

DIMENSIONS_MAX: Final = 2**16

_TAKEN: Final = frozenset({"model", "input", "dimensions", "keep_alive", "options"})
# Ollama cuts a text that is too long unless it is told not to, and other workers refuse it. Which
# of them answers is not the client's to say, so it cannot be promised an error either.
_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {"truncate": (True,)}


class _Vectors(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def read_embedding_request(document: dict[str, object]) -> EmbeddingRequest:
    """What a client asks for.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    check_keep_alive(body)
    refuse_options(body)
    needs = {Feature.EMBEDDINGS: "model"}
    dimensions = body.integer("dimensions", low=1, high=DIMENSIONS_MAX)
    if dimensions is not None:
        needs[Feature.DIMENSIONS] = "dimensions"
    return EmbeddingRequest(
        model=read_model(body), texts=_read_texts(body), dimensions=dimensions, needs=needs
    )


def write_embedding_request(request: EmbeddingRequest, *, model: str) -> dict[str, object]:
    """What a worker is sent; it cuts texts that are too long for it, as it does by default."""
    body: dict[str, object] = {"model": model, "input": list(request.texts)}
    return body if request.dimensions is None else body | {"dimensions": request.dimensions}


def read_embeddings(body: bytes) -> tuple[Embedded, Usage | None]:
    """What a worker answers.

    Errors: `MalformedStream` for a body without vectors, or with some of different lengths.
    """
    answer = foreign_json.read(_vectors, body, what="a list of vectors")
    vectors = tuple(tuple(vector) for vector in answer.embeddings)
    if len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
        raise MalformedStream("no vectors, or vectors of different lengths")
    count = answer.prompt_eval_count
    return Embedded(vectors), None if count is None else Usage(count, 0)


def write_embeddings(
    embedded: Embedded, usage: Usage | None, *, model: str, total_ns: int
) -> bytes:
    """What a client is answered. `total_ns`: how long it took."""
    document: dict[str, object] = {
        "model": model,
        "embeddings": embedded.vectors,
        "total_duration": total_ns,
        # How much of the wait was loading weights is not known here.
        "load_duration": 0,
    }
    if usage is not None:
        document["prompt_eval_count"] = usage.input_tokens
    return dumps(document)


def _read_texts(body: Fields) -> tuple[str, ...]:
    given = body.members.get("input")
    if isinstance(given, str):
        places: list[tuple[str, object]] = [("input", given)]
    elif isinstance(given, list):
        places = [*body.items("input", count_max=TEXTS_MAX)]
    elif given is None:
        places = []
    else:
        refuse_type("input", given, "a string or an array of strings")
    texts = [
        (place, as_text(element, place, characters_max=MESSAGE_CHARACTERS_MAX))
        for place, element in places
    ]
    if not texts:
        refuse("input", "must hold at least one text", MISSING)
    for place, text in texts:
        if not text:
            refuse(place, "must not be empty", INVALID_VALUE)
    return tuple(text for _, text in texts)
