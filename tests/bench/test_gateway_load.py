"""The gateway benchmark's clients against its upstream, and its grip on processes."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from bench.gateway.load import Load, put_on
from bench.gateway.process import NotRunning, family, running
from bench.gateway.script import Script, WrongAnswer, encode_document
from bench.gateway.subjects import Subject
from bench.gateway.upstream import serve_connection

pytestmark = pytest.mark.real_time

HANG_S_MAX = 20.0

Handler = Callable[[trio.SocketStream], Awaitable[object]]


async def _load_on(handler: Handler, script: Script, *, requests_each: int = 2) -> None:
    load = Load(script=script, connections=3, requests_each=requests_each)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, handler, listeners))
        try:
            with trio.fail_after(HANG_S_MAX):
                await put_on(listeners[0].socket.getsockname()[1], load)
        finally:
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "script",
    [Script(2), Script(3, stream=True), Script(3, 0.005, stream=True)],
    ids=["whole", "at once", "paced"],
)
async def test_the_upstream_answers_what_the_clients_ask(script: Script) -> None:
    """Nothing stands between them, so every answer is right."""
    await _load_on(serve_connection, script)


def _http(status: str, body: bytes, *, length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (_http("200 OK", encode_document(1)), "not the answer"),
        (_http("500 Internal Server Error", encode_document(2)), "status 500"),
        (_http("200 OK", encode_document(2), length=5000), "the connection ended"),
        (b"hello", "no answer in HTTP"),
    ],
    ids=["another answer", "status", "cut off", "no HTTP"],
)
async def test_a_wrong_answer_is_noticed(answer: bytes, complaint: str) -> None:
    """The load program does not count what it did not ask for."""

    async def answer_wrongly(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    with pytest.raises(ExceptionGroup) as caught:
        await _load_on(answer_wrongly, Script(2), requests_each=1)
    assert caught.group_contains(WrongAnswer, match=complaint)


def _subject(script: str) -> Subject:
    return Subject(name="shell", command=("sh", "-c", script), environment={}, port=1)


async def test_a_gateway_is_measured_and_ended_with_its_children(tmp_path: Path) -> None:
    """What it has started is counted with it and goes with it."""
    told = tmp_path / "told"
    os.mkfifo(told)
    shell = _subject("sleep 1000 & echo $! > told; wait")
    core = min(os.sched_getaffinity(0))
    with trio.fail_after(HANG_S_MAX):
        async with running(shell, tmp_path, core=core) as gateway:
            child = int(await trio.to_thread.run_sync(told.read_text))
            pids = family(gateway.process.pid)
            assert pids == [gateway.process.pid, child]
            assert list(gateway.cpu_clocks()) == pids
            assert os.sched_getaffinity(child) == {core}
            end_of_child = os.pidfd_open(child)
        assert gateway.process.returncode is not None
        await trio.lowlevel.wait_readable(end_of_child)
    os.close(end_of_child)


async def test_a_gateway_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The end of its log is the reason."""
    core = min(os.sched_getaffinity(0))
    shell = _subject("echo no such thing; exit 3")
    with trio.fail_after(HANG_S_MAX):
        async with running(shell, tmp_path, core=core) as gateway:
            await gateway.process.wait()
            with pytest.raises(NotRunning, match=r"shell ended .* with 3; .*\nno such thing"):
                await gateway.wait_ready()
