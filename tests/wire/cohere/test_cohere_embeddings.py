import inspect
import json

import pytest
from cohere.v2.client import V2Client

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.usage import Usage
from cortexd.wire.cohere.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.errors import MalformedStream


@pytest.mark.parametrize(("dimensions", "more"), [(None, {}), (256, {"output_dimension": 256})])
def test_texts_are_embedded_for_search(dimensions: int | None, more: dict[str, object]) -> None:
    """In one request, whose members the official client knows."""
    request = EmbeddingRequest(model="x", texts=("a", "b"), dimensions=dimensions)
    sent = write_embedding_request(request, model="m")
    assert (
        sent
        == {
            "model": "m",
            "texts": ["a", "b"],
            "input_type": "search_document",
            "embedding_types": ["float"],
        }
        | more
    )
    assert sent.keys() <= inspect.signature(V2Client.embed).parameters.keys()


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({}, None),
        ({"meta": {"api_version": {"version": "2"}}}, None),
        ({"meta": {"billed_units": {"input_tokens": 3.0}}}, Usage(3, 0)),
    ],
)
def test_the_vectors_are_read(more: dict[str, object], usage: Usage | None) -> None:
    """In the order of the texts, with the tokens where they are told."""
    document = {"id": "i", "embeddings": {"float": [[1, 2.5], [3.0, -4]]}} | more
    assert read_embeddings(json.dumps(document).encode()) == (
        Embedded(((1.0, 2.5), (3.0, -4.0))),
        usage,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"embeddings":{}}',
        b'{"embeddings":{"float":null}}',
        b'{"embeddings":{"float":[]}}',
        b'{"embeddings":{"float":[[]]}}',
        b'{"embeddings":{"float":[[1],[1,2]]}}',
        b'{"embeddings":[[1]]}',
    ],
)
def test_what_is_no_document_of_vectors_is_malformed(body: bytes) -> None:
    """So are vectors of different lengths."""
    with pytest.raises(MalformedStream):
        read_embeddings(body)
