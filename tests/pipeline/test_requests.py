"""Requests other than plain chats: by what they need, embeddings, counts of tokens."""

from typing import Any

import attrs
import pytest
import trio

from cortexd.domain.answer import Embedded, Finished, FinishReason, InputCounted
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import NoWorkerAvailable, RequestRefused, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.feature import Feature
from cortexd.domain.ids import NOBODY
from cortexd.domain.outcome import Outcome
from cortexd.domain.request import TokenCountRequest
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerStatus

CHAT = ChatRequest(model=None, messages=(text_message(Role.USER, "12345678"),))
EMBEDDING = EmbeddingRequest(model=None, texts=("a", "bcd"), needs={Feature.EMBEDDINGS: "model"})


def _make_plain(bench: Any) -> None:
    """The first worker can do nothing but chat."""
    worker = bench.view.value.members[0].worker
    info = attrs.evolve(worker.info, features=frozenset({Feature.CHAT}))
    bench.replace(0, attrs.evolve(worker, info=info))


async def test_a_request_goes_to_a_worker_that_is_able(make_bench: Any) -> None:
    """Past a better one that is not."""
    bench = make_bench(["one"], ["two"])
    _make_plain(bench)
    exchange = bench.exchange()
    exchange.request = attrs.evolve(CHAT, needs={Feature.TOOLS: "tools"})
    await bench.service(exchange)
    assert exchange.downstream.text == "two"
    assert [str(note) for note in exchange.trail.explain()] == ["b: taken", "a: skipped, unable"]


async def test_what_nobody_can_do_is_refused_with_the_field(make_bench: Any) -> None:
    """Before anybody is asked, and also where the able worker is unknown to the model."""
    bench = make_bench(["one"])
    _make_plain(bench)
    exchange = bench.exchange()
    exchange.request = attrs.evolve(CHAT, needs={Feature.TOOLS: "tools"})
    with pytest.raises(RequestRefused) as caught:
        await bench.service(exchange)
    assert (caught.value.param, caught.value.code) == ("tools", "unsupported_parameter")
    assert bench.workers[0].opened == 0
    assert exchange.outcome is Outcome.REFUSED


async def test_an_able_worker_that_is_down_is_no_reason_to_change_the_request(
    make_bench: Any,
) -> None:
    """The client is told to come again, not to leave something out."""
    bench = make_bench(
        ["one"], ["two"], statuses=[WorkerStatus.AVAILABLE, WorkerStatus.UNAVAILABLE]
    )
    _make_plain(bench)
    exchange = bench.exchange()
    exchange.request = attrs.evolve(CHAT, needs={Feature.TOOLS: "tools"})
    with pytest.raises(NoWorkerAvailable):
        await bench.service(exchange)


async def test_embeddings_fail_over(make_bench: Any) -> None:
    """They are one batch, with the usage behind it."""
    bench = make_bench([FailureKind.SERVER_ERROR], [])
    exchange = bench.exchange()
    exchange.request = EMBEDDING
    await bench.service(exchange)
    assert exchange.downstream.batches == [
        (Embedded(((1.0,), (3.0,))), Finished(FinishReason.STOP, Usage(3, 0)))
    ]
    assert bench.ended()[0].usage == Usage(3, 0)
    assert [attempt.worker for attempt in exchange.trail.attempts] == ["a", "b"]
    assert bench.idle()


@pytest.mark.parametrize(
    ("vectors", "detail"),
    [
        ((), "must give as many vectors as texts: 0 for 2"),
        (((1.0,),), "must give as many vectors as texts: 1 for 2"),
        (((1.0,),) * 3, "must give as many vectors as texts: 3 for 2"),
        (((1.0,), (1.0, 2.0)), "must give vectors of one length"),
    ],
)
async def test_vectors_that_fit_no_texts_are_a_failure(
    make_bench: Any, vectors: tuple[tuple[float, ...], ...], detail: str
) -> None:
    """The client would pair them with the wrong ones; another worker may do better."""
    bench = make_bench([], [])
    bench.workers[0].vectors = vectors
    exchange = bench.exchange()
    exchange.request = EMBEDDING
    await bench.service(exchange)
    assert exchange.downstream.batches[0][0] == Embedded(((1.0,), (3.0,)))
    first, second = exchange.trail.attempts
    assert (first.failure.kind, first.failure.detail) == (FailureKind.SERVER_ERROR, detail)
    assert (second.worker, second.failure) == ("b", None)
    assert bench.idle()


async def test_embeddings_have_the_time_of_a_first_token(
    make_bench: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """A worker that does not answer is given up."""
    bench = make_bench([100.0])
    exchange = bench.exchange()
    exchange.request = EMBEDDING
    with pytest.raises(WorkerFailed) as caught:
        await bench.service(exchange)
    assert caught.value.kind is FailureKind.TIMED_OUT
    assert trio.current_time() == pytest.approx(10.0)
    assert bench.idle()


@pytest.mark.parametrize(
    ("told", "expected"),
    [(17, InputCounted(17, is_estimate=False)), (None, InputCounted(6, is_estimate=True))],
)
async def test_tokens_are_counted_or_estimated(
    make_bench: Any, told: int | None, expected: InputCounted
) -> None:
    """A worker that cannot tell is no failure."""
    bench = make_bench([])
    bench.workers[0].tokens = told
    exchange = bench.exchange()
    exchange.request = TokenCountRequest(CHAT)
    await bench.service(exchange)
    assert exchange.downstream.batches == [(expected, Finished(FinishReason.STOP))]
    assert exchange.outcome is Outcome.SERVED


async def test_a_chat_without_messages_asks_whether_the_model_is_there(make_bench: Any) -> None:
    """No worker is asked, not even one that is full; the exchange has its one outcome."""
    bench = make_bench(["x"], slots=1)
    async with bench.view.value.members[0].worker.slots.lease(NOBODY):
        exchange = bench.exchange()
        exchange.request = ChatRequest(model="m", messages=())
        await bench.service(exchange)
    assert exchange.downstream.batches == [(Finished(FinishReason.STOP),)]
    assert bench.workers[0].opened == 0
    assert [ended.outcome for ended in bench.ended()] == [Outcome.SERVED]

    missing = bench.exchange()
    missing.request = ChatRequest(model="other", messages=())
    with pytest.raises(RequestRefused):
        await bench.service(missing)
    assert missing.outcome is Outcome.REFUSED
