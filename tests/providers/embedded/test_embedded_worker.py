"""Answers of the embedded model."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import msgspec
import pytest
import trio

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, TextDelta
from cortexd.domain.chat import ChatRequest, Role, Sampling, text_message
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.policy.resume import continuation
from cortexd.ports import ChatProvider

if TYPE_CHECKING:
    from tests.providers.conftest import Upstream
    from tests.providers.embedded.conftest import Machine

pytestmark = pytest.mark.real_time


async def _answer(worker: ChatProvider, request: ChatRequest) -> list[AnswerEvent]:
    async with worker.open_chat(request, model="smollm2") as stream:
        return [event async for batch in stream for event in batch]


@pytest.mark.slow
async def test_capital_of_france(machine: "Machine", say: Callable[..., ChatRequest]) -> None:
    """With the system prompt and the penalty, the small model knows it; word by word."""
    events = await _answer(machine.worker, say("What is the capital of France?"))

    texts = [event.text for event in events if isinstance(event, TextDelta)]
    assert "Paris" in "".join(texts)
    assert len(texts) > 5
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.usage is not None
    assert last.usage.output_tokens >= len(texts)


@pytest.mark.slow
async def test_it_goes_on_where_another_one_stopped(
    machine: "Machine", say: Callable[..., ChatRequest]
) -> None:
    """Exactly there: in the midst of a sentence, and without a word of it once more."""
    request = say("What is the capital of France?", 20)
    said = "The capital of France is a very famous city, and the name of that city is "

    events = await _answer(machine.worker, continuation(request, said))

    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text.startswith(" Paris")
    assert "famous" not in text


@pytest.mark.slow
async def test_length_is_limited(machine: "Machine", say: Callable[..., ChatRequest]) -> None:
    """The limit of the request holds."""
    events = await _answer(machine.worker, say("Tell me a story.", 3))

    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.LENGTH


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["Write a very long story about the sea.", "word salad " * 1500],
    ids=["story", "prompt"],
)
async def test_cancelling_frees_the_engine(
    machine: "Machine", say: Callable[..., ChatRequest], text: str
) -> None:
    """The engine drops an answer that nobody waits for, and takes the next request."""
    with trio.move_on_after(0.5) as scope:
        await _answer(machine.worker, say(text, 3000))
    assert scope.cancelled_caught

    # It looks for its client once a second, and not in the midst of a batch. The whole answer would
    # take it half a minute.
    with trio.fail_after(10.0):
        await _answer(machine.worker, say("Say hi.", 1))


@pytest.mark.slow
async def test_prompt_that_is_too_long(machine: "Machine", say: Callable[..., ChatRequest]) -> None:
    """What does not fit into the context is refused."""
    with pytest.raises(WorkerFailed) as caught:
        await _answer(machine.worker, say("w " * 9000))

    assert (caught.value.kind, caught.value.status) == (FailureKind.REFUSED, 400)


@pytest.fixture
async def listener(
    tmp_path: Path, upstream: "Upstream", nursery: trio.Nursery
) -> AsyncIterator[Path]:
    """A Unix socket behind which there is no model."""
    path = tmp_path / "engine.sock"
    with trio.socket.socket(trio.socket.AF_UNIX) as socket:
        await socket.bind(str(path))
        socket.listen(5)
        nursery.start_soon(trio.serve_listeners, upstream.serve, [trio.SocketListener(socket)])
        yield path


@pytest.mark.parametrize(
    ("roles", "sent"),
    [
        ([Role.USER], ["system", "user"]),
        ([Role.SYSTEM, Role.USER], ["system", "user"]),
        ([Role.USER, Role.ASSISTANT, Role.USER], ["system", "user", "assistant", "user"]),
    ],
)
async def test_system_prompt(
    make_machine: Callable[..., "Machine"],
    upstream: "Upstream",
    listener: Path,
    roles: list[Role],
    sent: list[str],
) -> None:
    """A request without a system prompt gets one; the penalty goes with every request."""
    machine = make_machine(system_prompt="Be kind.", repeat_penalty=1.3)
    machine.address.publish(listener)
    request = ChatRequest(model=None, messages=tuple(text_message(role, "Hi.") for role in roles))

    with pytest.raises(WorkerFailed):
        await _answer(machine.worker, request)

    body = msgspec.json.decode(upstream.received[0].body)
    assert [message["role"] for message in body["messages"]] == sent
    first = body["messages"][0]["content"]
    assert first == ("Hi." if roles[0] is Role.SYSTEM else "Be kind.")
    assert body["repeat_penalty"] == 1.3


async def test_sampling_beyond_the_dialect(
    make_machine: Callable[..., "Machine"],
    upstream: "Upstream",
    listener: Path,
    question: ChatRequest,
) -> None:
    """The words that llama.cpp adds to OpenAI's go out; a client's penalty wins over ours."""
    machine = make_machine(repeat_penalty=1.3)
    machine.address.publish(listener)
    sampling = Sampling(top_k=40, min_p=0.0, repeat_penalty=1.0)

    with pytest.raises(WorkerFailed):
        await _answer(machine.worker, attrs.evolve(question, sampling=sampling))

    body = msgspec.json.decode(upstream.received[0].body)
    sent = {name: body[name] for name in ("top_k", "min_p", "repeat_penalty")}
    assert sent == {"top_k": 40, "min_p": 0.0, "repeat_penalty": 1.0}


async def test_an_engine_that_comes_back_elsewhere(
    make_machine: Callable[..., "Machine"],
    upstream: "Upstream",
    listener: Path,
    question: ChatRequest,
) -> None:
    """The next request goes to its new socket."""
    machine = make_machine()
    machine.address.publish(listener.with_name("gone.sock"))
    with pytest.raises(WorkerFailed) as caught:
        await _answer(machine.worker, question)
    assert caught.value.kind is FailureKind.UNREACHABLE
    machine.address.publish(listener)

    for _ in range(2):
        with pytest.raises(WorkerFailed):
            await _answer(machine.worker, question)

    assert len(upstream.received) == 2


async def test_no_system_prompt(
    make_machine: Callable[..., "Machine"],
    upstream: "Upstream",
    listener: Path,
    question: ChatRequest,
) -> None:
    """An empty system prompt is none."""
    machine = make_machine(system_prompt="")
    machine.address.publish(listener)

    with pytest.raises(WorkerFailed):
        await _answer(machine.worker, attrs.evolve(question))

    body = msgspec.json.decode(upstream.received[0].body)
    assert [message["role"] for message in body["messages"]] == ["user"]
