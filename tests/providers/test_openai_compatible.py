"""What the adapter for OpenAI and its like does its own way."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerType
from cortexd.ports import ChatProvider
from cortexd.providers.openai_compatible import dialect_of

if TYPE_CHECKING:
    from tests.providers.conftest import Upstream

TEXTS = EmbeddingRequest(model=None, texts=("x", "y"), dimensions=2)


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8080/v1", "max_tokens"),
        ("https://openrouter.ai/api/v1", "max_tokens"),
        ("https://api.openai.com.example.org/v1", "max_tokens"),
        ("https://example.org/api.openai.com/v1", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_server_knows(base_url: str, name: str) -> None:
    """OpenAI's reasoning models refuse the old name; others may not know the new one."""
    request = ChatRequest(
        model=None,
        messages=(text_message(Role.USER, "hi"),),
        sampling=Sampling(max_output_tokens=7),
    )
    body = dialect_of(base_url).write_chat_request(request, model="m")
    assert {key: body[key] for key in body if key.startswith("max")} == {name: 7}


@pytest.mark.real_time
async def test_embeddings(upstream: "Upstream", make_worker: Callable[..., ChatProvider]) -> None:
    """Texts go out, vectors come back in order."""
    worker = make_worker(WorkerType.OPENAI, base_url=upstream.base_url)
    data = [{"index": 1, "embedding": [2, 3]}, {"index": 0, "embedding": [0, 1]}]
    body = {"object": "list", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    upstream.respond("/v1/embeddings", 200, json.dumps(body).encode())

    answer = await worker.embed(TEXTS, model="m1")

    assert answer == (Embedded(((0.0, 1.0), (2.0, 3.0))), Usage(3, 0))
    [received] = upstream.received
    assert json.loads(received.body) == {
        "model": "m1",
        "input": ["x", "y"],
        "dimensions": 2,
        "encoding_format": "float",
    }


@pytest.mark.real_time
async def test_embeddings_that_are_none(
    upstream: "Upstream", make_worker: Callable[..., ChatProvider]
) -> None:
    """Another document is the server's failure."""
    worker = make_worker(WorkerType.OPENAI, base_url=upstream.base_url)
    upstream.respond("/v1/embeddings", 200, b'{"data":[]}')

    with pytest.raises(WorkerFailed) as caught:
        await worker.embed(TEXTS, model="m1")

    assert caught.value.kind is FailureKind.SERVER_ERROR
