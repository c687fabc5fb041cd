"""What Gemini is sent for vectors, and what it answers: POST …/models/{model}:batchEmbedContents.

Source: `models.py` of the official Python client (google-genai).
"""

from typing import Final

import msgspec

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.usage import Usage
from cortexd.wire import foreign_json
from cortexd.wire.errors import MalformedStream


class _Vector(msgspec.Struct):
    values: list[float]


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int = 0


class _Vectors(msgspec.Struct, rename="camel"):
    embeddings: list[_Vector]
    usage_metadata: _UsageMetadata | None = None


_vectors: Final = msgspec.json.Decoder(_Vectors)


def write_embedding_request(request: EmbeddingRequest, *, model: str) -> dict[str, object]:
    """The body: a request for each text, and each names the model again."""
    shared: dict[str, object] = {"model": f"models/{model}"}
    if request.dimensions is not None:
        shared["outputDimensionality"] = request.dimensions
    return {"requests": [shared | {"content": {"parts": [{"text": t}]}} for t in request.texts]}


def read_embeddings(body: bytes) -> tuple[Embedded, Usage | None]:
    """The vectors, and their tokens where they are told.

    Errors: `MalformedStream` for a body without vectors, or with some of different lengths.
    """
    answer = foreign_json.read(_vectors, body, what="a list of vectors")
    vectors = tuple(tuple(vector.values) for vector in answer.embeddings)
    if len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
        raise MalformedStream("no vectors, or vectors of different lengths")
    usage = answer.usage_metadata
    return Embedded(vectors), None if usage is None else Usage(usage.prompt_token_count, 0)
