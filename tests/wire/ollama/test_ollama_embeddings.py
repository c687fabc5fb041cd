import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import EmbedResponse
from ollama._types import EmbedRequest as OfficialRequest

from cortexd.domain.answer import Embedded
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.domain.usage import Usage
from cortexd.wire.errors import MalformedStream
from cortexd.wire.ollama.embeddings import (
    read_embedding_request,
    read_embeddings,
    write_embedding_request,
    write_embeddings,
)

SMALLEST: dict[str, object] = {"input": "hi"}
NEEDS = {Feature.EMBEDDINGS: "model"}


def _refusal(**fields: object) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        read_embedding_request({**SMALLEST, **fields})
    assert caught.value.status == 400
    return caught.value


def test_one_text_or_several() -> None:
    """A text may stand alone; the model may be left out."""
    assert read_embedding_request(SMALLEST) == EmbeddingRequest(
        model=None, texts=("hi",), needs=NEEDS
    )
    document: dict[str, object] = {
        "model": "m",
        "input": ["a", "b"],
        "dimensions": 3,
        "truncate": True,
        "keep_alive": "5m",
        "options": {},
    }
    assert read_embedding_request(document) == EmbeddingRequest(
        model="m",
        texts=("a", "b"),
        dimensions=3,
        needs=NEEDS | {Feature.DIMENSIONS: "dimensions"},
    )


@pytest.mark.parametrize("name", sorted(OfficialRequest.model_fields.keys() - {"input"}))
def test_null_counts_as_absent(name: str) -> None:
    """Each field that the official client knows may be null."""
    assert read_embedding_request({**SMALLEST, name: None}) == read_embedding_request(SMALLEST)


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": ["a", ""]}, "input[1]", "invalid_value"),
        ({"input": 1}, "input", "invalid_type"),
        ({"input": [[1, 2]]}, "input[0]", "invalid_type"),
        ({"input": ["a"] * 2049}, "input", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "invalid_value"),
        ({"dimensions": 1.5}, "dimensions", "invalid_type"),
        ({"truncate": False}, "truncate", "unsupported_parameter"),
        ({"options": {"num_ctx": 1}}, "options.num_ctx", "unsupported_parameter"),
        ({"options": {"temperature": 1}}, "options.temperature", "unsupported_parameter"),
        ({"keep_alive": True}, "keep_alive", "invalid_type"),
        ({"messages": [1]}, "messages", "unsupported_parameter"),
        ({"prompt": "x"}, "prompt", "unsupported_parameter"),
        ({"api_base": "x"}, "api_base", "unsupported_parameter"),
        ({"model": 1}, "model", "invalid_type"),
    ],
)
def test_wrong_values_are_refused_by_name(fields: dict[str, object], path: str, code: str) -> None:
    """Wrong types and values, and the bodies of other endpoints, each at its place."""
    refusal = _refusal(**fields)
    assert (refusal.param, refusal.code) == (path, code)


def test_what_a_worker_is_sent() -> None:
    """It is read back by another node, and by the official types."""
    request = EmbeddingRequest(
        model="m", texts=("a", "b"), dimensions=3, needs=NEEDS | {Feature.DIMENSIONS: "dimensions"}
    )
    document = write_embedding_request(request, model="m")
    assert document == {"model": "m", "input": ["a", "b"], "dimensions": 3}
    assert OfficialRequest.model_validate(document).model_fields_set == document.keys()
    assert read_embedding_request(document) == request
    plain = EmbeddingRequest(model=None, texts=("a",))
    assert write_embedding_request(plain, model="m") == {"model": "m", "input": ["a"]}


@pytest.mark.parametrize("usage", [Usage(5, 0), None])
def test_what_a_client_is_answered(usage: Usage | None) -> None:
    """It is understood by the official client, and by another node."""
    embedded = Embedded(((0.5, -1.0), (1.0, 2.0)))
    body = write_embeddings(embedded, usage, model="m", total_ns=7)
    answer = EmbedResponse.model_validate_json(body, strict=True)
    assert answer.embeddings == [[0.5, -1.0], [1.0, 2.0]]
    assert (answer.model, answer.total_duration, answer.load_duration) == ("m", 7, 0)
    assert answer.prompt_eval_count == (None if usage is None else 5)
    assert read_embeddings(body) == (embedded, usage)


def test_whole_numbers_are_numbers() -> None:
    """A worker may write 1 for 1.0."""
    assert read_embeddings(b'{"embeddings":[[1,0]]}') == (Embedded(((1.0, 0.0),)), None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"embeddings":null}',
        '{"embeddings":[]}',
        '{"embeddings":[[]]}',
        '{"embeddings":[[1],[1,2]]}',
        '{"embeddings":[["1"]]}',
        '{"embeddings":[[null]]}',
        '{"embeddings":[1]}',
        '{"embeddings":[[1]],"prompt_eval_count":"1"}',
    ],
)
def test_what_is_no_list_of_vectors_is_malformed(body: str) -> None:
    """Vectors are numbers, some of them, and as many in each."""
    with pytest.raises(MalformedStream):
        read_embeddings(body.encode())


@given(st.binary())
def test_no_bytes_crash_the_reader(garbage: bytes) -> None:
    """Whatever a worker sends, the only errors are those of the wire."""
    with contextlib.suppress(MalformedStream):
        read_embeddings(garbage)


@given(
    st.integers(1, 4).flatmap(
        lambda size: st.lists(
            st.lists(
                st.floats(allow_nan=False, allow_infinity=False), min_size=size, max_size=size
            ),
            min_size=1,
            max_size=4,
        )
    )
)
def test_any_vectors_come_back(vectors: list[list[float]]) -> None:
    """No digit is lost on the way to another node."""
    embedded = Embedded(tuple(tuple(vector) for vector in vectors))
    body = write_embeddings(embedded, None, model="m", total_ns=0)
    assert json.loads(body)["embeddings"] == vectors
    assert read_embeddings(body) == (embedded, None)
