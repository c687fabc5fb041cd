"""What Cohere is sent for vectors, and what it answers: POST /v2/embed.

Source: `v2/client.py` and `types/embed_by_type_response.py` of the official Python client (cohere).
"""

from typing import Final

import msgspec

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.cohere.usage import SentUsage, read_usage
from cortexd.wire.errors import MalformedStream


class _ByType(msgspec.Struct):
    floats: list[list[float]] = msgspec.field(name="float")


class _Vectors(msgspec.Struct):
    embeddings: _ByType
    meta: SentUsage | None = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def write_embedding_request(request: EmbeddingRequest, *, model: str) -> dict[str, object]:
    """The body. Cohere wants to know what the vectors are for: to be searched, as for most."""
    body: dict[str, object] = {
        "model": model,
        "texts": list(request.texts),
        "input_type": "search_document",
        "embedding_types": ["float"],
    }
    if request.dimensions is not None:
        body["output_dimension"] = request.dimensions
    return body


def read_embeddings(body: bytes) -> tuple[Embedded, Usage | None]:
    """The vectors, and their tokens where they are told.

    Errors: `MalformedStream` for a body without vectors, or with some of different lengths.
    """
    answer = foreign_json.read(_vectors, body, what="a document of vectors")
    lengths = {len(vector) for vector in answer.embeddings.floats}
    if len(lengths) != 1 or 0 in lengths:
        raise MalformedStream("no vectors, or vectors of different lengths")
    return Embedded(tuple(map(tuple, answer.embeddings.floats))), read_usage(answer.meta)
