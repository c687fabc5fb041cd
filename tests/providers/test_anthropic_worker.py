"""The adapter against a fake of the API: what goes out is understood, what comes back is read."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, TextDelta, collect
from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    ImageUrl,
    JsonOutput,
    Message,
    Role,
    Sampling,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    text_message,
)
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.anthropic import FEATURES, AnthropicWorker
from tests.fakes.anthropic import Anthropic
from tests.fakes.provider import FakeProvider, running
from tests.fakes.scene import Call, Counts, Finish, Scene, Trouble, say, think

pytestmark = pytest.mark.real_time

HELLO = text_message(Role.USER, "Say hello")
REQUEST = ChatRequest(model=None, messages=(HELLO,))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PNG = "iVBORw0KGgo="


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    """Anthropic, with one good key."""
    with ExitStack() as stack:
        fake = stack.enter_context(running(Anthropic()))
        fake.keys = {"good-key"}
        yield fake


@pytest.fixture
async def make(fake: FakeProvider) -> AsyncIterator[Callable[..., AnthropicWorker]]:
    """Workers that ask the fake, closed at the end of the test."""
    made: list[AnthropicWorker] = []

    def make(*keys: str, **fields: Any) -> AnthropicWorker:
        settings = WorkerSettings(
            name=WorkerName("claude"),
            type=WorkerType.ANTHROPIC,
            priority=80,
            api_keys=tuple(Secret(key) for key in keys or ("good-key",)),
            **{"base_url": fake.base_url} | fields,
        )
        made.append(AnthropicWorker(settings, AdapterParts()))
        return made[-1]

    yield make
    for worker in made:
        await worker.aclose()


@pytest.fixture
def worker(make: Callable[..., AnthropicWorker]) -> AnthropicWorker:
    """One with the good key."""
    return make()


async def _ask(worker: AnthropicWorker, **fields: Any) -> list[AnswerEvent]:
    events: list[AnswerEvent] = []
    request = attrs.evolve(REQUEST, **fields)
    async with worker.open_chat(request, model="m1") as stream:
        async for batch in stream:
            assert batch
            events += batch
    return events


async def _understood(worker: AnthropicWorker, fake: FakeProvider, **fields: Any) -> Any:
    """What the API takes a request for."""
    fake.play(Scene.echo())
    return json.loads(collect(await _ask(worker, **fields)).text)


async def _failure(worker: AnthropicWorker, **fields: Any) -> WorkerFailed:
    with pytest.raises(WorkerFailed) as caught:
        await _ask(worker, **fields)
    return caught.value


@pytest.mark.parametrize("noisy", [False, True])
async def test_an_answer_of_all_kinds(
    worker: AnthropicWorker, fake: FakeProvider, *, noisy: bool
) -> None:
    """Thought, text and calls, past pings and unknown events; usage as OpenAI counts it."""
    calls = (Call("weather", {"city": "Rome"}), Call("now", {}, "call_2"))
    parts = (think("Hm, well."), say("Wait."), *calls)
    fake.play(Scene(parts=parts, counts=Counts(input=9, output=5, cached=4), noisy=noisy))

    answer = collect(await _ask(worker))

    assert answer.parts == (
        Thought("Hm, well.", "c2VhbGVk"),
        Text("Wait."),
        ToolCall("toolu_1", "weather", '{"city":"Rome"}'),
        ToolCall("toolu_2", "now", ""),
    )
    assert answer.finished == Finished(FinishReason.TOOL_CALLS, Usage(9, 5, cached_tokens=4))


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, FinishReason.STOP),
        (Finish.LENGTH, FinishReason.LENGTH),
        (Finish.STOP_SEQUENCE, FinishReason.STOP),
        (Finish.CONTENT_FILTER, FinishReason.CONTENT_FILTER),
    ],
)
async def test_why_an_answer_ends(
    worker: AnthropicWorker, fake: FakeProvider, finish: Finish, reason: FinishReason
) -> None:
    """And which text stopped it."""
    fake.play(Scene.text("Hello", finish=finish))
    last = (await _ask(worker))[-1]
    assert isinstance(last, Finished)
    assert last.reason is reason
    assert last.stop_sequence == ("END" if finish is Finish.STOP_SEQUENCE else None)


async def test_everything_that_can_be_asked_is_understood(
    worker: AnthropicWorker, fake: FakeProvider
) -> None:
    """Each feature that the adapter states goes out in words that the API takes."""
    assert len(FEATURES) == 16
    understood = await _understood(
        worker,
        fake,
        messages=(
            text_message(Role.SYSTEM, "be brief"),
            Message(Role.USER, (Text("Look"), Image("image/png", PNG), ImageUrl("https://x/y"))),
            Message(
                Role.ASSISTANT,
                (Thought("Hm", "sig"), Text("Wait"), ToolCall("toolu_1", "weather", "{}")),
            ),
            Message(
                Role.TOOL,
                (ToolResult("toolu_1", (Text("dark"), Image("image/png", PNG)), is_error=True),),
            ),
            text_message(Role.USER, "So?"),
            text_message(Role.ASSISTANT, "It is ("),
        ),
        tools=(Tool("weather", "d", SCHEMA, strict=True),),
        tool_choice=ToolChoice(ToolUse.REQUIRED, "weather"),
        parallel_tool_calls=False,
        output=JsonOutput(schema=SCHEMA),
        sampling=Sampling(temperature=0.5, top_k=3, stop=("END",), max_output_tokens=99),
    )
    url = {"url": "https://x/y"}
    assert understood["system"] == "be brief"
    first, called, result, asked, prefill = understood["messages"]
    assert (first["text"], first["images"]) == ("Look", [*result["images"], url])
    assert (called["thought"], called["signature"]) == ("Hm", "sig")
    assert called["calls"] == [{"id": "toolu_1", "name": "weather", "arguments": {}}]
    assert (result["text"], result["is_error"]) == ("dark", True)
    assert [image["media_type"] for image in result["images"]] == ["image/png"]
    assert (asked["text"], prefill) == ("So?", {"role": "assistant", "text": "It is ("})
    assert understood["tools"][0]["strict"] is True
    assert understood["tool_choice"] == {"name": "weather"}
    assert understood["parallel_tool_calls"] is False
    assert understood["output"] == {"schema": SCHEMA}
    assert (understood["temperature"], understood["top_k"]) == (0.5, 3)
    assert (understood["stop"], understood["max_tokens"]) == (["END"], 99)


@pytest.mark.parametrize(
    ("choice", "understood"),
    [
        (ToolChoice(ToolUse.REQUIRED), "required"),
        (ToolChoice(ToolUse.NONE), "none"),
    ],
)
async def test_choices_of_tools(
    worker: AnthropicWorker, fake: FakeProvider, choice: ToolChoice, understood: str
) -> None:
    """Those without a name."""
    asked = await _understood(worker, fake, tools=(Tool("now"),), tool_choice=choice)
    assert asked["tool_choice"] == understood


async def test_effort_and_budget_are_understood(
    worker: AnthropicWorker, fake: FakeProvider
) -> None:
    """Whichever of them the client gave."""
    assert (await _understood(worker, fake, effort=Effort.LOW))["reasoning"] == "low"
    assert (await _understood(worker, fake, thinking_tokens_max=2000))["reasoning"] == 2000


async def test_what_the_api_does_not_take_together_is_its_to_refuse(
    worker: AnthropicWorker,
) -> None:
    """The client learns from it what to leave out."""
    failure = await _failure(worker, effort=Effort.LOW, sampling=Sampling(temperature=0.5))
    assert (failure.kind, failure.status) == (FailureKind.REFUSED, 400)
    assert "temperature" in failure.message


@pytest.mark.parametrize(
    ("trouble", "kind", "status"),
    [
        (Trouble.BAD_REQUEST, FailureKind.REFUSED, 400),
        (Trouble.CONTEXT_TOO_LONG, FailureKind.REFUSED, 400),
        (Trouble.NO_MODEL, FailureKind.REFUSED, 404),
        (Trouble.TOO_LARGE, FailureKind.REFUSED, 413),
        (Trouble.BAD_KEY, FailureKind.BAD_KEY, None),
        (Trouble.FORBIDDEN, FailureKind.BAD_KEY, None),
        (Trouble.QUOTA, FailureKind.QUOTA_EXHAUSTED, None),
        (Trouble.SPEND_LIMIT, FailureKind.QUOTA_EXHAUSTED, None),
        (Trouble.MONTHLY_QUOTA, FailureKind.QUOTA_EXHAUSTED, None),
        (Trouble.SERVER_ERROR, FailureKind.SERVER_ERROR, None),
        (Trouble.BAD_GATEWAY, FailureKind.SERVER_ERROR, None),
        (Trouble.OVERLOADED, FailureKind.OVERLOADED, None),
        (Trouble.TIMEOUT, FailureKind.SERVER_ERROR, None),
    ],
)
async def test_troubles(
    worker: AnthropicWorker,
    fake: FakeProvider,
    trouble: Trouble,
    kind: FailureKind,
    status: int | None,
) -> None:
    """What each of the API's complaints stands for."""
    fake.play(Scene.refuse(trouble))
    failure = await _failure(worker)
    assert (failure.worker, failure.kind, failure.status) == ("claude", kind, status)


async def test_a_rate_limit_says_when_to_come_again(
    worker: AnthropicWorker, fake: FakeProvider
) -> None:
    """Its header tells it from a limit of money."""
    fake.play(Scene.refuse(Trouble.RATE_LIMIT, retry_after_s=3))
    failure = await _failure(worker)
    assert (failure.kind, failure.retry_after_s) == (FailureKind.RATE_LIMITED, 3.0)


async def test_broken_streams(worker: AnthropicWorker, fake: FakeProvider) -> None:
    """An error inside a stream or a success has its kind; a lost connection is no end."""
    whole = Scene.text("Hello world")
    fake.play(
        whole.error_in_stream(after_pieces=1, trouble=Trouble.OVERLOADED),
        whole.cut(after_pieces=1),
        Scene.error_as_200(Trouble.OVERLOADED),
    )
    for kind in (FailureKind.OVERLOADED, FailureKind.SERVER_ERROR, FailureKind.OVERLOADED):
        assert (await _failure(worker)).kind is kind


async def test_the_headers(worker: AnthropicWorker, fake: FakeProvider) -> None:
    """The version that still takes a temperature, and the key where Anthropic wants it."""
    await _ask(worker)
    (request,) = fake.chats
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("x-api-key") == "good-key"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
async def test_the_address_may_name_the_version(
    make: Callable[..., AnthropicWorker], fake: FakeProvider, end: str
) -> None:
    """Or not."""
    worker = make(base_url=fake.base_url + end)
    assert collect(await _ask(worker)).text == "Hello world"
    assert await worker.health_check() == ("m1", "m2")


async def test_declared_models_are_what_it_serves(make: Callable[..., AnthropicWorker]) -> None:
    """Whatever else the API lists."""
    assert await make(models=("m9",)).health_check() == ("m9",)


async def test_one_good_key_is_enough_to_serve(
    make: Callable[..., AnthropicWorker], fake: FakeProvider
) -> None:
    """A health check tries them all; what is wrong with none of them is raised at once."""
    assert await make("bad-key", "good-key").health_check() == ("m1", "m2")
    with pytest.raises(WorkerFailed) as caught:
        await make("bad-key", "worse-key").health_check()
    assert caught.value.kind is FailureKind.BAD_KEY


async def test_tokens_are_counted(worker: AnthropicWorker) -> None:
    """By the API, of the prompt alone."""
    request = attrs.evolve(REQUEST, sampling=Sampling(max_output_tokens=5, stop=("x",)))
    assert await worker.count_tokens(request, model="m1") == 2


async def test_there_are_no_embeddings(worker: AnthropicWorker) -> None:
    """The API has none."""
    with pytest.raises(WorkerFailed):
        await worker.embed(EmbeddingRequest(model=None, texts=("x",)), model="m1")


async def test_the_first_piece_does_not_wait_for_the_rest(
    worker: AnthropicWorker, fake: FakeProvider
) -> None:
    """A stream that hangs has been read up to there."""
    fake.play(Scene.text("Hello world").hang(after_pieces=1))
    async with worker.open_chat(REQUEST, model="m1") as stream:
        assert await anext(stream) == (TextDelta("Hello"),)
