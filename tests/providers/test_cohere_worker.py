import json
from collections.abc import AsyncIterator, Callable

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
from cortexd.providers.cohere import DEFAULT_BASE_URL, CohereWorker
from tests.providers.conftest import Upstream, chunked

pytestmark = pytest.mark.real_time

CHAT_PATH = "/v2/chat"
MODELS_PATH = "/v1/models?page_size=1000"


@pytest.fixture
async def make_cohere(
    settings_of: Callable[..., WorkerSettings], upstream: Upstream
) -> AsyncIterator[Callable[..., CohereWorker]]:
    """Make workers of the server that are closed at the end of the test."""
    made: list[CohereWorker] = []

    def make(suffix: str = "", **fields: object) -> CohereWorker:
        given = {"api_keys": (Secret("co-key"),), "base_url": upstream.base_url + suffix} | fields
        made.append(CohereWorker(settings_of(WorkerType.OPENAI, **given), AdapterParts()))
        return made[-1]

    yield make
    for worker in made:
        await worker.aclose()


@pytest.fixture
def worker(make_cohere: Callable[..., CohereWorker]) -> CohereWorker:
    """One with a key."""
    return make_cohere()


def _event(kind: str, **delta: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'delta': delta})}\n\n"


def _text(text: str) -> str:
    return _event("content-delta", message={"content": {"text": text}})


def _stream(upstream: Upstream, *events: str) -> None:
    """Answer with these events, to the end of the body."""
    pieces = (event.encode() for event in events)
    upstream.answers[CHAT_PATH] = chunked("text/event-stream", *pieces)


async def _ask(worker: CohereWorker, question: ChatRequest) -> list[AnswerEvent]:
    async with worker.open_chat(question, model="m1") as stream:
        return [event async for batch in stream for event in batch]


def test_the_default_address(settings_of: Callable[..., WorkerSettings]) -> None:
    """Cohere's own; what the worker can do is known without asking."""
    worker = CohereWorker(settings_of(WorkerType.OPENAI), AdapterParts())
    assert DEFAULT_BASE_URL == "https://api.cohere.com"
    assert worker.info().features.isdisjoint(
        {
            Feature.CHOSEN_TOOL,
            Feature.SERIAL_TOOL_CALLS,
            Feature.FAILED_TOOL_RESULTS,
            Feature.TOOL_RESULT_IMAGES,
            Feature.LOGPROBS,
            Feature.TOP_LOGPROBS,
            Feature.PENALTIES,
            Feature.HIGH_TEMPERATURE,
            Feature.PARTICIPANT_NAMES,
        }
    )


async def test_an_answer(worker: CohereWorker, upstream: Upstream, question: ChatRequest) -> None:
    """To its message-end."""
    usage = {"tokens": {"input_tokens": 3.0, "output_tokens": 2.0}}
    end = _event("message-end", finish_reason="COMPLETE", usage=usage)
    _stream(upstream, _text("Hello"), _text(" world"), end)

    assert await _ask(worker, question) == [
        TextDelta("Hello"),
        TextDelta(" world"),
        Finished(FinishReason.STOP, Usage(3, 2)),
    ]

    (request,) = upstream.received
    assert (request.path, request.authorization) == (CHAT_PATH, "Bearer co-key")
    assert json.loads(request.body)["model"] == "m1"


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ((), FailureKind.SERVER_ERROR),
        ((_event("message-end", finish_reason="ERROR"),), FailureKind.SERVER_ERROR),
        ((_event("message-end", finish_reason="TIMEOUT"),), FailureKind.TIMED_OUT),
    ],
)
async def test_a_broken_answer(
    worker: CohereWorker,
    upstream: Upstream,
    question: ChatRequest,
    end: tuple[str, ...],
    kind: FailureKind,
) -> None:
    """It may end without its end, or with one that says so."""
    _stream(upstream, _text("Hello"), *end)

    with pytest.raises(WorkerFailed) as caught:
        await _ask(worker, question)

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (422, FailureKind.REFUSED),
        (429, FailureKind.QUOTA_EXHAUSTED),
        (498, FailureKind.BAD_KEY),
        (504, FailureKind.SERVER_ERROR),
        (200, FailureKind.SERVER_ERROR),
    ],
)
async def test_refusals(
    worker: CohereWorker,
    upstream: Upstream,
    question: ChatRequest,
    status: int,
    kind: FailureKind,
) -> None:
    """An answer that is no stream is a failure, whose words are told if the client is at fault."""
    upstream.respond(CHAT_PATH, status, b'{"message": "Trial key: 1000 calls / month"}')

    with pytest.raises(WorkerFailed) as caught:
        await _ask(worker, question)

    assert caught.value.kind is kind
    assert (caught.value.told is not None) == (kind is FailureKind.REFUSED)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v2/"])
async def test_health(
    make_cohere: Callable[..., CohereWorker], upstream: Upstream, suffix: str
) -> None:
    """The models of the server, whose address may name a version; those declared win."""
    models = [{"name": "m1", "endpoints": ["chat"]}, {"name": "r", "endpoints": ["rerank"]}]
    upstream.respond(MODELS_PATH, 200, json.dumps({"models": models}).encode())

    assert await make_cohere(suffix).health_check() == ("m1",)
    assert await make_cohere(suffix, models=("mine",)).health_check() == ("mine",)
    assert [(r.path, r.authorization) for r in upstream.received] == [
        (MODELS_PATH, "Bearer co-key")
    ] * 2


@pytest.mark.parametrize("body", [b"<html>", b"{}"])
async def test_unhealthy(worker: CohereWorker, upstream: Upstream, body: bytes) -> None:
    """A list of models that is none."""
    upstream.respond(MODELS_PATH, 200, body)

    with pytest.raises(WorkerFailed) as caught:
        await worker.health_check()

    assert caught.value.kind is FailureKind.SERVER_ERROR


async def test_vectors(worker: CohereWorker, upstream: Upstream) -> None:
    """Several in one request."""
    upstream.respond("/v2/embed", 200, b'{"id": "i", "embeddings": {"float": [[1, 2]]}}')

    request = EmbeddingRequest(model=None, texts=("a",))
    assert await worker.embed(request, model="m1") == (Embedded(((1.0, 2.0),)), None)


async def test_nobody_counts(worker: CohereWorker, question: ChatRequest) -> None:
    """Cohere's tokens can be counted only by sending them."""
    assert await worker.count_tokens(question, model="m1") is None
