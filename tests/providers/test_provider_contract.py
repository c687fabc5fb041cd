"""What the rest of the node may expect of any provider."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest
import trio

from cortexd.domain.answer import AnswerEvent, Finished, TextDelta
from cortexd.domain.chat import ChatRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.worker import WorkerType
from cortexd.ports import ChatProvider

if TYPE_CHECKING:
    from tests.providers.conftest import Bench

pytestmark = pytest.mark.real_time

SCRIPTS: Final = {
    "good": ({"say": "Hello"}, {"say": " world"}),
    "broken": ({"say": "Hello"}, {"fail": "server_error"}),
    "hanging": ({"say": "Hello"}, {"hang": True}),
    "refusing": ({"fail": "server_error"},),
}


class Stage:
    """A provider, and a way to have it behave."""

    def __init__(self, make: Callable[[str], ChatProvider]) -> None:
        self.make = make


@pytest.fixture(params=["scripted", "http"])
def stage(
    request: pytest.FixtureRequest, bench: "Bench", make_worker: Callable[..., ChatProvider]
) -> Stage:
    """The scripted worker, and those behind HTTP."""
    if request.param == "scripted":
        return Stage(lambda conduct: make_worker(WorkerType.SCRIPTED, script=SCRIPTS[conduct]))

    def make(conduct: str) -> ChatProvider:
        match conduct:
            case "good":
                bench.serve_good()
            case "broken":
                bench.stream(bench.dialect.first, bench.dialect.error_in_stream)
            case "hanging":
                bench.stream(bench.dialect.first, then="hold")
            case "refusing":
                bench.respond(500, "application/json", bench.dialect.error_body)
        return bench.worker

    return Stage(make)


async def test_stream_ends_with_finished(stage: Stage, question: ChatRequest) -> None:
    """Batches are not empty; `Finished` is the last event, and there is one."""
    events: list[AnswerEvent] = []

    async with stage.make("good").open_chat(question, model="m1") as stream:
        async for batch in stream:
            assert batch
            events += batch
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert events[:-1] == [TextDelta("Hello"), TextDelta(" world")]
    assert isinstance(events[-1], Finished)


async def test_broken_stream_raises(stage: Stage, question: ChatRequest) -> None:
    """What was said is given out, then comes a failure that names the worker."""
    async with stage.make("broken").open_chat(question, model="m1") as stream:
        assert await anext(stream) == (TextDelta("Hello"),)
        with pytest.raises(WorkerFailed) as caught:
            await anext(stream)

    assert (caught.value.worker, caught.value.kind) == ("w", FailureKind.SERVER_ERROR)


async def test_refusal_is_raised_on_entering(stage: Stage, question: ChatRequest) -> None:
    """A worker that does not take the request says so before there is a stream."""
    with pytest.raises(WorkerFailed) as caught:
        await stage.make("refusing").open_chat(question, model="m1").__aenter__()

    assert caught.value.kind is FailureKind.SERVER_ERROR


async def test_cancelling_a_stream(stage: Stage, question: ChatRequest) -> None:
    """Cancelling while waiting for the next batch ends the block at once."""
    with trio.fail_after(1.0), trio.move_on_after(0.1) as scope:
        async with stage.make("hanging").open_chat(question, model="m1") as stream:
            async for _ in stream:
                pass

    assert scope.cancelled_caught


async def test_entering_when_cancelled(stage: Stage, question: ChatRequest) -> None:
    """A request of somebody who has left already is not made."""
    with trio.CancelScope() as scope:
        scope.cancel()
        async with stage.make("good").open_chat(question, model="m1"):
            raise AssertionError("entered")

    assert scope.cancelled_caught


async def test_leaving_without_reading(stage: Stage, question: ChatRequest) -> None:
    """A stream need not be read at all, and the next request is served."""
    async with stage.make("hanging").open_chat(question, model="m1"):
        pass

    async with stage.make("good").open_chat(question, model="m1") as stream:
        assert await anext(stream) == (TextDelta("Hello"),)


async def test_two_streams_at_once(stage: Stage, question: ChatRequest) -> None:
    """Streams of one provider do not mix."""
    provider = stage.make("good")

    async with (
        provider.open_chat(question, model="m1") as first,
        provider.open_chat(question, model="m1") as second,
    ):
        for expected in ("Hello", " world"):
            assert await anext(first) == (TextDelta(expected),)
            assert await anext(second) == (TextDelta(expected),)


async def test_health_check(stage: Stage) -> None:
    """A healthy provider names its models, and knows its own name."""
    provider = stage.make("good")

    assert await provider.health_check()
    assert provider.info().name == "w"
    assert provider.info().priority == provider.priority == 7
