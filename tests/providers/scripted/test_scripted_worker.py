"""The scripted worker on the stage."""

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import trio
from trio.testing import MockClock

from cortexd.domain.answer import (
    AnswerEvent,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    collect,
)
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.scripted.worker import ScriptedWorker

Actor: TypeAlias = Callable[..., ScriptedWorker]


@pytest.fixture
def actor(settings_of: Callable[..., WorkerSettings]) -> Actor:
    """A worker with a script."""
    numbers = itertools.count()

    def new_id() -> str:
        return f"id-{next(numbers)}"

    def make(*script: dict[str, Any]) -> ScriptedWorker:
        return ScriptedWorker(settings_of(WorkerType.SCRIPTED, script=script), new_id)

    return make


async def ask(worker: ScriptedWorker, *texts: str) -> list[AnswerEvent]:
    """The whole answer to messages of a user."""
    messages = tuple(text_message(Role.USER, text) for text in texts)
    events: list[AnswerEvent] = []
    async with worker.open_chat(ChatRequest(model=None, messages=messages), model="x") as stream:
        async for batch in stream:
            events += batch
    return events


def text_of(events: list[AnswerEvent]) -> str:
    """What the answer says."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_default_script_echoes(actor: Actor) -> None:
    """Without a script it greets, and repeats the last message of the user."""
    events = await ask(actor(), "first", "how are you")

    assert text_of(events) == "Hello! You said: how are you"
    assert len(events) == 7
    assert events[-1] == Finished(FinishReason.STOP, Usage(4, 6))


async def test_text_takes_its_time(actor: Actor, autojump_clock: MockClock) -> None:
    """Pieces come apart, each after its pause, and make up the text exactly."""
    began = autojump_clock.current_time()
    events = await ask(actor({"say": " a  b ", "split": "characters", "every": 2}), "x")

    assert [e.text for e in events if isinstance(e, TextDelta)] == list(" a  b ")
    assert autojump_clock.current_time() - began == pytest.approx(12.0)
    assert text_of(await ask(actor({"say": " a  b ", "split": "words"}), "x")) == " a  b "


async def test_repeats_and_finish(actor: Actor) -> None:
    """Steps repeat, and the reason is the script's."""
    worker = actor({"repeat": 1000, "steps": [{"say": "ab"}]}, {"finish": "length"})

    events = await ask(worker, "x")

    assert text_of(events) == "ab" * 1000
    assert events[-1] == Finished(FinishReason.LENGTH, Usage(1, 1000))


async def test_failing_before_the_answer(actor: Actor, autojump_clock: MockClock) -> None:
    """What fails before the first word fails on entering."""
    began = autojump_clock.current_time()
    worker = actor({"wait": 1}, {"fail": "rate_limited", "detail": "slow down", "retry_after": 9})
    request = ChatRequest(model=None, messages=())

    with pytest.raises(WorkerFailed) as caught:
        await worker.open_chat(request, model="x").__aenter__()

    assert (caught.value.kind, caught.value.detail) == (FailureKind.RATE_LIMITED, "slow down")
    assert caught.value.retry_after_s == 9.0
    assert autojump_clock.current_time() - began == pytest.approx(1.0)


async def test_failing_in_the_midst(actor: Actor) -> None:
    """What fails behind a word fails in the stream, after that word."""
    worker = actor({"say": "half"}, {"fail": "server_error"})
    request = ChatRequest(model=None, messages=())

    async with worker.open_chat(request, model="x") as stream:
        assert await anext(stream) == (TextDelta("half"),)
        with pytest.raises(WorkerFailed):
            await anext(stream)


async def test_failing_the_first_times(actor: Actor) -> None:
    """A failure with `times` is over after so many requests; others are counted apart."""
    worker = actor(
        {"fail": "overloaded", "times": 2}, {"fail": "overloaded", "times": 1}, {"say": "now"}
    )

    for _ in range(3):
        with pytest.raises(WorkerFailed):
            await ask(worker, "x")

    assert text_of(await ask(worker, "x")) == "now"


async def test_hanging(actor: Actor, autojump_clock: MockClock) -> None:
    """A hanging script ends when it is cancelled."""
    began = autojump_clock.current_time()
    with trio.move_on_after(3600) as scope:
        await ask(actor({"say": "a"}, {"hang": True}), "x")

    assert scope.cancelled_caught
    assert autojump_clock.current_time() - began == pytest.approx(3600.0)


async def test_health(actor: Actor) -> None:
    """Health checks fail as often as the script says; chats do not care."""
    worker = actor({"health": "resting", "times": 1}, {"say": "a"})

    with pytest.raises(WorkerFailed, check=lambda failure: failure.detail == "resting"):
        await worker.health_check()

    assert await worker.health_check() == ("scripted",)
    assert text_of(await ask(worker, "x")) == "a"


async def test_saying_nothing_at_length(actor: Actor) -> None:
    """A million steps without a word do not hold the loop."""
    worker = actor({"repeat": 1_000_000, "steps": [{"say": "{message}"}]})

    with trio.move_on_after(0) as scope:
        await ask(worker, "")

    assert scope.cancelled_caught


async def test_thoughts_and_calls(actor: Actor) -> None:
    """A script thinks, talks and calls tools, and then ends in order for them to be called."""
    events = await ask(
        actor(
            {"think": "hm hm", "split": "words"},
            {"say": "I ask."},
            {"call": "weather", "arguments": {"city": "Paris"}},
            {"call": "time"},
        ),
        "x",
    )

    answer = collect(events)
    assert [type(event) for event in events[:2]] == [ReasoningDelta, ReasoningDelta]
    assert (answer.reasoning, answer.text) == ("hm hm", "I ask.")
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city":"Paris"}'),
        ("time", "{}"),
    ]
    assert [call.call_id for call in answer.tool_calls] == ["call_id-0_0", "call_id-1_1"]
    assert answer.finished.reason is FinishReason.TOOL_CALLS


async def test_vectors_and_counts(actor: Actor) -> None:
    """Equal texts have equal vectors, of the length that is asked for."""
    request = EmbeddingRequest(model="x", texts=("aba", "e o", "aba"), dimensions=3)
    embedded, usage = await actor().embed(request, model="x")
    assert embedded.vectors == ((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (2.0, 0.0, 0.0))
    assert usage == Usage(4, 0)
    chat = ChatRequest(model="x", messages=(text_message(Role.USER, "one two three"),))
    assert await actor().count_tokens(chat, model="x") == 3
