import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cortexd.domain.answer import AnswerEvent, Embedded, Finished, FinishReason, TextDelta
from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.secret import Secret
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.gemini import DEFAULT_BASE_URL, GeminiWorker
from tests.providers.conftest import Upstream, chunked

pytestmark = pytest.mark.real_time

CHAT_PATH = "/v1beta/models/m1:streamGenerateContent?alt=sse"
MODELS_PATH = "/v1beta/models?pageSize=1000"
MODELS = [
    {"name": "models/m1", "supportedGenerationMethods": ["generateContent"]},
    {"name": "models/veo", "supportedGenerationMethods": ["predictLongRunning"]},
]


@pytest.fixture
async def make_gemini(
    settings_of: Callable[..., WorkerSettings], upstream: Upstream
) -> AsyncIterator[Callable[..., GeminiWorker]]:
    """Make workers of the server that are closed at the end of the test."""
    made: list[GeminiWorker] = []

    def make(suffix: str = "", **fields: object) -> GeminiWorker:
        given = {"api_keys": (Secret("g-key"),), "base_url": upstream.base_url + suffix} | fields
        made.append(GeminiWorker(settings_of(WorkerType.OPENAI, **given), AdapterParts()))
        return made[-1]

    yield make
    for worker in made:
        await worker.aclose()


@pytest.fixture
def worker(make_gemini: Callable[..., GeminiWorker]) -> GeminiWorker:
    """One with a key."""
    return make_gemini()


def _frame(text: str, **more: Any) -> str:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0} | more
    return f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n"


def _stream(upstream: Upstream, *frames: str) -> None:
    """Answer with these frames, to the end of the body."""
    pieces = (frame.encode() for frame in frames)
    upstream.answers[CHAT_PATH] = chunked("text/event-stream", *pieces)


async def _ask(worker: GeminiWorker, question: ChatRequest) -> list[AnswerEvent]:
    async with worker.open_chat(question, model="m1") as stream:
        return [event async for batch in stream for event in batch]


def test_the_default_address(settings_of: Callable[..., WorkerSettings]) -> None:
    """Google's own; what the worker can do is known without asking."""
    worker = GeminiWorker(settings_of(WorkerType.OPENAI), AdapterParts())
    assert DEFAULT_BASE_URL == "https://generativelanguage.googleapis.com/v1beta"
    assert worker.info().features.isdisjoint(
        {
            Feature.SERIAL_TOOL_CALLS,
            Feature.IMAGE_URLS,
            Feature.IMAGE_DETAIL,
            Feature.TOOL_RESULT_IMAGES,
            Feature.LOGPROBS,
            Feature.TOP_LOGPROBS,
            Feature.PARTICIPANT_NAMES,
        }
    )


async def test_an_answer(worker: GeminiWorker, upstream: Upstream, question: ChatRequest) -> None:
    """The model stands in the path, the key in a header of its own."""
    _stream(upstream, _frame("Hello"), _frame(" world", finishReason="STOP"))

    assert await _ask(worker, question) == [
        TextDelta("Hello"),
        TextDelta(" world"),
        Finished(FinishReason.STOP),
    ]

    (request,) = upstream.received
    assert request.path == CHAT_PATH
    assert "x-goog-api-key: g-key\r\n" in request.head + "\r\n"
    assert request.authorization == ""
    assert json.loads(request.body)["contents"][0]["role"] == "user"


async def test_a_truncated_answer(
    worker: GeminiWorker, upstream: Upstream, question: ChatRequest
) -> None:
    """The body ends in good order, and the answer does not."""
    _stream(upstream, _frame("Hello"))

    with pytest.raises(WorkerFailed, match="server error") as caught:
        await _ask(worker, question)

    assert caught.value.detail.startswith("truncated")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ((400, {"reason": "API_KEY_INVALID"}), (FailureKind.BAD_KEY, None)),
        ((429, {"retryDelay": "12s"}), (FailureKind.RATE_LIMITED, 12.0)),
        ((503, {}), (FailureKind.OVERLOADED, None)),
        ((504, {}), (FailureKind.SERVER_ERROR, None)),
        ((200, {}), (FailureKind.SERVER_ERROR, None)),
    ],
)
async def test_refusals(
    worker: GeminiWorker,
    upstream: Upstream,
    question: ChatRequest,
    answer: tuple[int, dict[str, str]],
    failure: tuple[FailureKind, float | None],
) -> None:
    """An answer that is no stream is a failure, with the wait that its body names."""
    status, detail = answer
    document = [{"error": {"message": "m", "details": [detail]}}]
    upstream.respond(CHAT_PATH, status, json.dumps(document).encode())

    with pytest.raises(WorkerFailed) as caught:
        await _ask(worker, question)

    assert (caught.value.kind, caught.value.retry_after_s) == failure


@pytest.mark.parametrize("suffix", ["", "/", "/v1beta", "/v1beta/"])
async def test_health(
    make_gemini: Callable[..., GeminiWorker], upstream: Upstream, suffix: str
) -> None:
    """The models of the server, whose address may name the version; those declared win."""
    upstream.respond(MODELS_PATH, 200, json.dumps({"models": MODELS}).encode())

    assert await make_gemini(suffix).health_check() == ("m1",)
    assert await make_gemini(suffix, models=("mine",)).health_check() == ("mine",)
    assert {request.path for request in upstream.received} == {MODELS_PATH}
    assert all("x-goog-api-key: g-key" in request.head for request in upstream.received)


@pytest.mark.parametrize("body", [b"<html>", b"{}"])
async def test_unhealthy(worker: GeminiWorker, upstream: Upstream, body: bytes) -> None:
    """A list of models that is none."""
    upstream.respond(MODELS_PATH, 200, body)

    with pytest.raises(WorkerFailed) as caught:
        await worker.health_check()

    assert caught.value.kind is FailureKind.SERVER_ERROR


async def test_vectors(worker: GeminiWorker, upstream: Upstream) -> None:
    """Several in one request."""
    answer = b'{"embeddings":[{"values":[1,2]}],"usageMetadata":{"promptTokenCount":3}}'
    upstream.respond("/v1beta/models/m1:batchEmbedContents", 200, answer)

    request = EmbeddingRequest(model=None, texts=("a",))
    assert await worker.embed(request, model="m1") == (Embedded(((1.0, 2.0),)), Usage(3, 0))


async def test_counting(worker: GeminiWorker, upstream: Upstream, question: ChatRequest) -> None:
    """The tokens of a prompt."""
    upstream.respond("/v1beta/models/m1:countTokens", 200, b'{"totalTokens": 31}')

    assert await worker.count_tokens(question, model="m1") == 31


async def test_the_model_stays_one_segment(
    worker: GeminiWorker, upstream: Upstream, question: ChatRequest
) -> None:
    """A name cannot lead to another path, or take the key there."""
    with pytest.raises(WorkerFailed):
        await worker.count_tokens(question, model="../x?y")

    assert upstream.received[0].path == "/v1beta/models/..%2Fx%3Fy:countTokens"
