"""Embeddings, from the client's side and from the worker's."""

import json
from base64 import b64decode
from contextlib import suppress
from struct import unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse, EmbeddingCreateParams

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream, WireError
from cortexd.wire.openai.embeddings import (
    read_embedding_request,
    read_embeddings,
    write_embedding_request,
    write_embeddings,
)

SMALLEST: dict[str, object] = {"model": "m", "input": "x"}
EMBEDDED = Embedded(((0.5, -1.0), (0.25, 2.0)))


@pytest.mark.parametrize(
    ("fields", "texts"),
    [({"input": "x"}, ("x",)), ({"input": ["x"]}, ("x",)), ({"input": ["x", "y"]}, ("x", "y"))],
)
def test_texts(fields: dict[str, object], texts: tuple[str, ...]) -> None:
    """One text or several; a worker has to know embeddings."""
    parsed = read_embedding_request({**SMALLEST, **fields})
    assert parsed.request.texts == texts
    assert parsed.request.needs == {Feature.EMBEDDINGS: "model"}
    assert not parsed.as_base64


def test_everything_that_is_served() -> None:
    """The length of the vectors is a need of its own; the user has no effect."""
    document = {**SMALLEST, "dimensions": 256, "encoding_format": "base64", "user": "u"}
    assert EmbeddingCreateParams.__annotations__.keys() == document.keys()
    parsed = read_embedding_request(document)
    assert parsed.request.dimensions == 256
    assert parsed.request.needs == {
        Feature.EMBEDDINGS: "model",
        Feature.DIMENSIONS: "dimensions",
    }
    assert parsed.as_base64


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 1}, "model", "invalid_type"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": {}}, "input", "invalid_type"),
        ({"input": True}, "input", "invalid_type"),
        ({"input": ["x", ""]}, "input[1]", "invalid_value"),
        ({"input": ["x", None]}, "input[1]", "invalid_type"),
        ({"input": [1, 2]}, "input[0]", "unsupported_parameter"),
        ({"input": [[1, 2]]}, "input[0]", "unsupported_parameter"),
        ({"input": ["x"] * 2049}, "input", "invalid_value"),
        ({"input": "x" * (4 * 1024 * 1024 + 1)}, "input", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"dimensions": 1.5}, "dimensions", "invalid_type"),
        ({"dimensions": True}, "dimensions", "invalid_type"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"encoding_format": 1}, "encoding_format", "invalid_type"),
        ({"user": 1}, "user", "invalid_type"),
        ({"messages": []}, "messages", "unsupported_parameter"),
        ({"api_base": "x"}, "api_base", "unsupported_parameter"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(
    fields: dict[str, object], path: str, code: str
) -> None:
    """K1, K18, K20: also token arrays, since they are of one model alone."""
    with pytest.raises(RequestRefused) as caught:
        read_embedding_request({**SMALLEST, **fields})
    assert (caught.value.param, caught.value.code) == (path, code)


def test_a_worker_is_asked_for_numbers() -> None:
    """Always a list of texts, and the one form that all servers know."""
    request = EmbeddingRequest(model=None, texts=("x",))
    body = write_embedding_request(request, model="m")
    assert body == {"model": "m", "input": ["x"], "encoding_format": "float"}
    request = EmbeddingRequest(model=None, texts=("x", "y"), dimensions=8)
    body = write_embedding_request(request, model="m")
    assert body["dimensions"] == 8
    parsed = read_embedding_request(body).request
    assert (parsed.texts, parsed.dimensions) == (request.texts, 8)


def _data(*vectors: object) -> list[object]:
    return [{"embedding": vector, "index": i} for i, vector in enumerate(vectors)]


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (
            {"data": _data([0.5, -1], [0.25, 2]), "usage": {"prompt_tokens": 3, "total_tokens": 3}},
            (EMBEDDED, Usage(3, 0)),
        ),
        ({"data": _data([0.5, -1.0], [0.25, 2.0])[::-1]}, (EMBEDDED, None)),
        ({"data": [{"embedding": [1]}, {"embedding": [2]}]}, (Embedded(((1.0,), (2.0,))), None)),
    ],
)
def test_vectors_come_in_the_order_of_their_inputs(answer: object, read: object) -> None:
    """By their numbers where they have some."""
    assert read_embeddings(json.dumps(answer).encode()) == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data":[]}',
        b'{"data":[{"embedding":[],"index":0}]}',
        b'{"data":[{"embedding":"AAAA","index":0}]}',
        b'{"data":[{"embedding":[1],"index":1}]}',
        b'{"data":[{"embedding":[1],"index":0},{"embedding":[1],"index":0}]}',
        b'{"data":[{"embedding":[1],"index":0},{"embedding":[1,2],"index":1}]}',
        b'{"data":[{"embedding":[null],"index":0}]}',
    ],
)
def test_what_is_no_list_of_vectors(body: bytes) -> None:
    """Gaps, doubles and several lengths are malformed."""
    with pytest.raises(MalformedStream):
        read_embeddings(body)


@given(st.binary())
def test_no_bytes_crash(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    with suppress(WireError):
        read_embeddings(garbage)


def test_the_official_client_understands_numbers() -> None:
    """And our own adapter reads them back."""
    body = write_embeddings(EMBEDDED, model="m", usage=Usage(3, 0), as_base64=False)
    answer = CreateEmbeddingResponse.model_validate_json(body, strict=True)
    assert [(one.index, one.embedding) for one in answer.data] == [
        (0, [0.5, -1.0]),
        (1, [0.25, 2.0]),
    ]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("m", 3, 3)
    assert read_embeddings(body) == (EMBEDDED, Usage(3, 0))


def test_base64_is_32_bit_floats_little_end_first() -> None:
    """As the official client unpacks it."""
    body = write_embeddings(EMBEDDED, model="m", usage=None, as_base64=True)
    answer = json.loads(body)
    unpacked = [unpack("<2f", b64decode(one["embedding"])) for one in answer["data"]]
    assert unpacked == [(0.5, -1.0), (0.25, 2.0)]
    assert answer["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_a_number_too_large_for_32_bits() -> None:
    """It is the worker's failure, and no infinity for the client."""
    with pytest.raises(MalformedStream):
        write_embeddings(Embedded(((1e300,),)), model="m", usage=None, as_base64=True)
