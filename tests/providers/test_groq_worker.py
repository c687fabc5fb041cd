"""The adapter for Groq against a server that speaks as Groq does."""

import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import attrs
import pytest

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, ReasoningDelta, TextDelta
from cortexd.domain.chat import ChatRequest, Effort
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.secret import Secret
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.groq import DEFAULT_BASE_URL, FEATURES, GroqWorker

if TYPE_CHECKING:
    from tests.providers.conftest import Upstream

pytestmark = pytest.mark.real_time

CHAT_PATH = "/openai/v1/chat/completions"


@pytest.fixture
async def groq(
    upstream: "Upstream", settings_of: Callable[..., WorkerSettings]
) -> AsyncIterator[GroqWorker]:
    """A worker with one key."""
    settings = settings_of(
        WorkerType.GROQ,
        base_url=f"{upstream.base_url}/openai/v1/",
        api_keys=(Secret("gsk-test"),),
    )
    worker = GroqWorker(settings, AdapterParts())
    yield worker
    await worker.aclose()


def _chunk(delta: object, reason: str | None = None, **members: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"choices": [choice], **members}).encode() + b"\n\n"


def _serve(upstream: "Upstream", status: int, body: bytes, *lines: str) -> None:
    """From now on, answer a chat with this."""
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *lines, "", ""]
    upstream.respond(CHAT_PATH, status, body)
    answer = attrs.evolve(upstream.answers[CHAT_PATH], pieces=("\r\n".join(head).encode() + body,))
    upstream.answers[CHAT_PATH] = answer


async def _ask(worker: GroqWorker, question: ChatRequest) -> list[AnswerEvent]:
    events: list[AnswerEvent] = []
    async with worker.open_chat(question, model="qwen/qwen3-32b") as stream:
        async for batch in stream:
            events += batch
    return events


def test_what_groq_can_do(settings_of: Callable[..., WorkerSettings]) -> None:
    """What its own client calls unsupported is not promised."""
    info = GroqWorker(settings_of(WorkerType.GROQ), AdapterParts()).info()
    assert info.features == FEATURES
    assert not info.features & {
        Feature.LOGPROBS,
        Feature.PENALTIES,
        Feature.PARTICIPANT_NAMES,
        Feature.JSON_SCHEMA,
        Feature.EMBEDDINGS,
    }
    assert DEFAULT_BASE_URL == "https://api.groq.com/openai/v1"


async def test_an_answer_with_reasoning(
    groq: GroqWorker, upstream: "Upstream", question: ChatRequest
) -> None:
    """Reasoning comes apart from the text, usage in Groq's own member."""
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_time": 0.5}
    body = b"".join(
        [
            _chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
            _chunk({"reasoning": "hm"}),
            _chunk({"content": "Hello"}),
            _chunk({}, "stop", x_groq={"id": "req_1", "usage": usage}),
            b"data: [DONE]\n\n",
        ]
    )
    _serve(upstream, 200, body, "content-type: text/event-stream")

    assert await _ask(groq, attrs.evolve(question, effort=Effort.HIGH)) == [
        ReasoningDelta("hm"),
        TextDelta("Hello"),
        Finished(FinishReason.STOP, Usage(9, 5)),
    ]
    [received] = upstream.received
    assert received.path == CHAT_PATH
    assert received.authorization == "Bearer gsk-test"
    assert json.loads(received.body)["reasoning_format"] == "parsed"


async def test_an_answer_that_stops_early(
    groq: GroqWorker, upstream: "Upstream", question: ChatRequest
) -> None:
    """What was said is no whole answer, whatever its finish reason."""
    body = _chunk({"content": "Hel"}) + _chunk({}, "stop", x_groq={"error": "over capacity"})
    _serve(upstream, 200, body, "content-type: text/event-stream")

    with pytest.raises(WorkerFailed) as caught:
        await _ask(groq, question)

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert "over capacity" in caught.value.detail


TOO_MANY = {"type": "tokens", "code": "rate_limit_exceeded", "message": "try again in 5.289s."}


@pytest.mark.parametrize(
    ("status", "error", "lines", "kind", "wait_s"),
    [
        (429, TOO_MANY, ["retry-after: 7"], FailureKind.RATE_LIMITED, 7.0),
        (429, TOO_MANY, [], FailureKind.RATE_LIMITED, 5.289),
        (429, {}, ["x-ratelimit-reset-tokens: 2m1s"], FailureKind.RATE_LIMITED, 121.0),
        (498, {"code": "capacity_exceeded"}, [], FailureKind.OVERLOADED, None),
        (413, {"message": "too large"}, [], FailureKind.REFUSED, None),
        (422, {"message": "unprocessable"}, [], FailureKind.REFUSED, None),
    ],
)
async def test_errors(
    groq: GroqWorker,
    upstream: "Upstream",
    question: ChatRequest,
    *,
    status: int,
    error: object,
    lines: list[str],
    kind: FailureKind,
    wait_s: float | None,
) -> None:
    """Each has its kind, and a rate limit its end."""
    body = json.dumps({"error": error}).encode()
    _serve(upstream, status, body, "content-type: application/json", *lines)

    with pytest.raises(WorkerFailed) as caught:
        await _ask(groq, question)

    assert (caught.value.kind, caught.value.retry_after_s) == (kind, wait_s)


async def test_its_models_are_listed(groq: GroqWorker, upstream: "Upstream") -> None:
    """As OpenAI lists them."""
    upstream.respond("/openai/v1/models", 200, b'{"object":"list","data":[{"id":"a"}]}')
    assert await groq.health_check() == ("a",)
