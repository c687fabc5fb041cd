"""Connections of adapters: refused, held open, cancelled, left early."""

import gc
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import trio

from cortexd.domain.answer import TextDelta
from cortexd.domain.chat import ChatRequest, Role, text_message
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.ports import ChatProvider

if TYPE_CHECKING:
    from tests.providers.conftest import Bench, Dialect

pytestmark = pytest.mark.real_time


async def _ask(worker: ChatProvider, request: ChatRequest) -> None:
    async with worker.open_chat(request, model="m1") as stream:
        async for _ in stream:
            pass


async def test_refused_connection(
    dialect: "Dialect",
    question: ChatRequest,
    make_worker: Callable[..., ChatProvider],
) -> None:
    """Where nobody listens, the worker is unreachable, and the detail says why."""
    with trio.socket.socket() as unused:
        await unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        worker = make_worker(dialect.type, base_url=f"http://127.0.0.1:{port}")

        with pytest.raises(WorkerFailed) as caught:
            await _ask(worker, question)
        assert caught.value.kind is FailureKind.UNREACHABLE
        assert "refused" in caught.value.detail

        with pytest.raises(WorkerFailed):
            await worker.health_check()


@pytest.mark.slow
async def test_connecting_has_a_time_limit(
    dialect: "Dialect",
    question: ChatRequest,
    make_worker: Callable[..., ChatProvider],
) -> None:
    """A host that does not answer to the connection is given up after `connect_seconds`."""
    with trio.socket.socket() as full:
        await full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        first = await trio.open_tcp_stream("127.0.0.1", port)
        worker = make_worker(dialect.type, base_url=f"http://127.0.0.1:{port}", connect_seconds=0.2)
        with trio.fail_after(2.0), pytest.raises(WorkerFailed) as caught:
            await _ask(worker, question)
        await first.aclose()

    assert caught.value.kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize("phase", ["silence", "headers", "mid-stream"])
async def test_cancelling_closes_the_connection(bench: "Bench", phase: str) -> None:
    """In each phase, the server sees its connection closed within a second of the cancelling."""
    if phase == "silence":
        bench.send(then="hold")
    else:
        pieces = [bench.dialect.first] if phase == "mid-stream" else []
        bench.stream(*pieces, then="hold")

    with trio.move_on_after(0.1) as scope:
        await bench.ask()

    assert scope.cancelled_caught
    assert bench.upstream.opened == 1
    await bench.upstream.wait_no_connections()


async def test_leaving_early_closes_the_connection(bench: "Bench") -> None:
    """A reader that has enough ends the upstream request by leaving the block."""
    bench.stream(bench.dialect.first, then="hold")

    async with bench.worker.open_chat(bench.question, model="m1") as stream:
        assert (TextDelta("Hello"),) == await anext(stream)

    await bench.upstream.wait_no_connections()
    # A generator left half-run would complain when it is collected.
    gc.collect()


async def test_error_of_the_reader_closes_the_connection(bench: "Bench") -> None:
    """What goes wrong in the block is passed on unchanged, and the connection closed."""
    bench.stream(bench.dialect.first, then="hold")

    async def read() -> None:
        async with bench.worker.open_chat(bench.question, model="m1") as stream:
            await anext(stream)
            raise LookupError("of the reader")

    with pytest.raises(LookupError, match="of the reader"):
        await read()

    await bench.upstream.wait_no_connections()
    gc.collect()


async def test_cancelling_while_the_request_is_sent(
    dialect: "Dialect", make_worker: Callable[..., ChatProvider]
) -> None:
    """A server that does not read the request cannot hold its sender."""
    with trio.socket.socket() as deaf:
        await deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        base_url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        worker = make_worker(dialect.type, base_url=base_url)
        with trio.fail_after(1.0), trio.move_on_after(0.1) as scope:
            much = text_message(Role.USER, "x" * 20_000_000)
            await _ask(worker, ChatRequest(model=None, messages=(much,)))
        gc.collect()

    assert scope.cancelled_caught


@pytest.mark.slow
async def test_many_cancelled_requests_leak_nothing(bench: "Bench") -> None:
    """Requests cancelled at any time leave no connection, and the next one is served."""
    bench.serve_good()
    chance = random.Random(5)  # noqa: S311  not a secret

    async def ask() -> None:
        with trio.move_on_after(chance.uniform(0.0, 0.06)):
            await bench.ask()

    for _ in range(5):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)

    assert len(await bench.ask()) == 3
    await bench.worker.aclose()
    await bench.upstream.wait_no_connections()
    gc.collect()


@pytest.mark.slow
async def test_error_without_end(bench: "Bench") -> None:
    """The status of an error is enough: a body that does not come is not waited for."""
    head = b"HTTP/1.1 500 X\r\ncontent-length: 100\r\n\r\nhalf a sente"
    bench.send(head, then="hold")

    with trio.fail_after(3.0), pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert "half a sente" in caught.value.detail
    await bench.upstream.wait_no_connections()
