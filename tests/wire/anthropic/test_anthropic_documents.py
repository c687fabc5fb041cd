"""The documents beside the answers: lists of models and counts of tokens."""

import json

import pytest
from anthropic.pagination import SyncPage
from anthropic.types import MessageTokensCount, ModelInfo

from cortexd.wire.anthropic.models import ListedModel, decode_models, write_model, write_models
from cortexd.wire.anthropic.token_count import read_token_count, write_token_count
from cortexd.wire.errors import MalformedStream

MODELS = [
    ListedModel("a:latest", "2023-11-14T22:13:20.500000+00:00"),
    ListedModel("b", "1970-01-01T00:00:00Z"),
]


def test_the_official_client_reads_the_list() -> None:
    """All on one page, with the age that is known."""
    body = json.dumps(write_models(MODELS)).encode()
    page = SyncPage[ModelInfo].model_validate_json(body)
    assert [model.id for model in page.data] == ["a:latest", "b"]
    assert (page.has_more, page.first_id, page.last_id) == (False, "a:latest", "b")
    model = ModelInfo.model_validate_json(json.dumps(write_model(MODELS[0])), strict=True)
    assert (model.id, model.display_name, model.type) == ("a:latest", "a:latest", "model")
    assert model.created_at.isoformat() == "2023-11-14T22:13:20.500000+00:00"
    assert model.lifecycle == "active"


def test_the_list_may_be_empty() -> None:
    """It has no first and no last then."""
    assert write_models([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_our_own_reader_reads_the_list_back() -> None:
    """Names are all that is wanted of it."""
    assert decode_models(json.dumps(write_models(MODELS)).encode()) == ("a:latest", "b")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": null}', b'{"data": [{}]}', b"\xff"])
def test_what_is_no_list_is_malformed(body: bytes) -> None:
    """A server that answers so is no Anthropic."""
    with pytest.raises(MalformedStream):
        decode_models(body)


def test_counts_go_there_and_back() -> None:
    """The official client reads it, and so do we."""
    body = write_token_count(17)
    assert MessageTokensCount.model_validate_json(body, strict=True).input_tokens == 17
    assert read_token_count(body) == 17


@pytest.mark.parametrize("body", [b"", b"17", b"{}", b'{"input_tokens": "17"}'])
def test_what_is_no_count_is_malformed(body: bytes) -> None:
    """Better no number than a wrong one."""
    with pytest.raises(MalformedStream):
        read_token_count(body)
