"""A worker that dies in the midst of an answer: another carries it on, or the client is told."""

from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.answer import Finished
from cortexd.domain.chat import ChatRequest, JsonOutput, Role, text_message
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.outcome import Outcome

HELLO = ("hel", "lo ", "dear ", "world")


def _resumable(bench: Any) -> None:
    for index, worker in enumerate(bench.workers):
        worker.resumes = True
        member = bench.view.value.members[index]
        info = attrs.evolve(member.worker.info, resumes=True)
        bench.replace(index, attrs.evolve(member.worker, info=info))


async def test_the_answer_goes_on_where_it_broke_off(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The client reads one answer, without a gap and without a word twice."""
    bench = make_bench([*HELLO[:2], FailureKind.UNREACHABLE], HELLO)
    _resumable(bench)
    exchange = bench.exchange()

    await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("".join(HELLO), True)
    finished = exchange.downstream.batches[-1][-1]
    assert isinstance(finished, Finished)
    assert finished.resumed_from == ("a",)
    asked = bench.workers[1].asked[0]
    assert (asked.messages[-1].role, asked.messages[-1].text) == (Role.ASSISTANT, "hello")
    (ended,) = bench.ended()
    assert (ended.outcome, ended.resumed, ended.attempts) == (Outcome.SERVED, 1, 2)
    assert [str(note) for note in ended.candidates] == ["a: unreachable", "b: taken"]
    assert bench.idle()


async def test_it_may_go_on_more_than_once(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """As often as there are attempts."""
    bench = make_bench(
        [HELLO[0], FailureKind.UNREACHABLE], [*HELLO[:2], FailureKind.TIMED_OUT], HELLO
    )
    _resumable(bench)
    exchange = bench.exchange()

    await bench.service(exchange)

    assert exchange.downstream.text == "".join(HELLO)
    assert exchange.trail.resumed_from == ("a", "b")


async def test_the_usage_of_both_is_accounted(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What the lost worker has spent is estimated and said to be; the client is told of the sum."""
    bench = make_bench([*HELLO[:2], FailureKind.UNREACHABLE], HELLO)
    _resumable(bench)
    exchange = bench.exchange()

    await bench.service(exchange)

    first, second = exchange.trail.attempts
    assert (first.usage_is_estimate, second.usage_is_estimate) == (True, False)
    (ended,) = bench.ended()
    assert ended.usage_is_estimate
    assert ended.usage.output_tokens == first.usage.output_tokens + second.usage.output_tokens
    told = exchange.downstream.batches[-1][-1].usage
    reported = second.usage
    assert told.output_tokens == reported.output_tokens + first.usage.output_tokens
    assert told.input_tokens + told.output_tokens == (
        reported.input_tokens + reported.output_tokens
    )


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(model=None, messages=(text_message(Role.USER, "x"),), output=JsonOutput()),
        ChatRequest(model=None, messages=(text_message(Role.USER, "x"),), top_logprobs=0),
    ],
    ids=["json", "logprobs"],
)
async def test_what_cannot_be_carried_on_is_broken_off(
    make_bench: Any, autojump_clock: trio.testing.MockClock, request_: ChatRequest
) -> None:
    """The failure is told, nobody else is asked, and the answer is not called complete."""
    bench = make_bench([*HELLO[:2], FailureKind.UNREACHABLE], HELLO)
    _resumable(bench)
    exchange = bench.exchange()
    exchange.request = request_

    with pytest.raises(WorkerFailed):
        await bench.service(exchange)

    assert (exchange.downstream.text, exchange.downstream.finished) == ("hello ", False)
    assert (bench.workers[1].opened, exchange.outcome) == (0, Outcome.FAILED)
    assert bench.idle()


async def test_only_who_can_go_on_is_asked_to(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """The second best cannot, so it is the third."""
    bench = make_bench([*HELLO[:2], FailureKind.TIMED_OUT], HELLO, HELLO)
    _resumable(bench)
    member = bench.view.value.members[1]
    bench.replace(
        1, attrs.evolve(member.worker, info=attrs.evolve(member.worker.info, resumes=False))
    )
    exchange = bench.exchange()

    await bench.service(exchange)

    assert exchange.downstream.text == "".join(HELLO)
    assert [attempt.worker for attempt in exchange.trail.attempts] == ["a", "c"]


async def test_an_answer_that_is_sent_whole_starts_over_instead(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """Its client has seen nothing, and one worker's answer is better than two halves."""
    bench = make_bench([*HELLO[:2], FailureKind.UNREACHABLE], ["other"])
    _resumable(bench)
    exchange = bench.exchange(collects=True)

    await bench.service(exchange)

    assert exchange.downstream.text == "other"
    assert exchange.trail.resumed_from == ()


async def test_a_client_that_leaves_has_its_tokens_counted(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """What was written for it until then is estimated."""
    bench = make_bench([*HELLO[:2], 4.0, *HELLO[2:]])
    with trio.move_on_after(1.0):
        await bench.service(bench.exchange())
    (ended,) = bench.ended()
    assert (ended.outcome, ended.usage_is_estimate) == (Outcome.CLIENT_LEFT, True)
    assert ended.usage.output_tokens == 2
