import json

import pytest

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.gemini.embeddings import read_embeddings, write_embedding_request
from cortexd.wire.gemini.token_count import read_token_count


@pytest.mark.parametrize(("dimensions", "more"), [(None, {}), (7, {"outputDimensionality": 7})])
def test_each_text_is_a_request(dimensions: int | None, more: dict[str, object]) -> None:
    """Each names the model again, and the length of its vector if one is wanted."""
    request = EmbeddingRequest(model="x", texts=("a", "b"), dimensions=dimensions)
    assert write_embedding_request(request, model="m") == {
        "requests": [
            {"model": "models/m", "content": {"parts": [{"text": text}]}} | more
            for text in ("a", "b")
        ]
    }


@pytest.mark.parametrize(
    ("more", "usage"),
    [({}, None), ({"usageMetadata": {"promptTokenCount": 3, "x": 1}}, Usage(3, 0))],
)
def test_the_vectors_are_read(more: dict[str, object], usage: Usage | None) -> None:
    """In the order of the texts, with the tokens where they are told."""
    document = {"embeddings": [{"values": [1, 2.5]}, {"values": [3.0, -4]}]} | more
    assert read_embeddings(json.dumps(document).encode()) == (
        Embedded(((1.0, 2.5), (3.0, -4.0))),
        usage,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"embeddings":[]}',
        b'{"embeddings":[{"values":[]}]}',
        b'{"embeddings":[{"values":[1]},{"values":[1,2]}]}',
        b'{"embeddings":[{"values":["1"]}]}',
    ],
)
def test_what_is_no_list_of_vectors_is_malformed(body: bytes) -> None:
    """So are vectors of different lengths."""
    with pytest.raises(MalformedStream):
        read_embeddings(body)


def test_the_count_is_read() -> None:
    """Of the tokens of a prompt."""
    assert read_token_count(b'{"totalTokens":31,"promptTokensDetails":[]}') == 31


@pytest.mark.parametrize("body", [b"", b"{}", b'{"totalTokens":"31"}', b'{"totalTokens":null}'])
def test_what_is_no_count_is_malformed(body: bytes) -> None:
    """Zero is not guessed."""
    with pytest.raises(MalformedStream):
        read_token_count(body)
