"""Threads that look names up, and that nobody waits for."""

import socket
import threading
from collections.abc import Callable

import outcome
import pytest
import trio

from cortexd.providers.transport import look_up
from cortexd.providers.transport.look_up import Answer, start_look_up

pytestmark = pytest.mark.real_time

HANGS_S = 20.0


async def told(host: str) -> Answer:
    """Look a name up, and wait for it."""
    answers: list[Answer] = []
    done = trio.Event()

    def tell(answer: Answer) -> None:
        answers.append(answer)
        done.set()

    start_look_up(host, tell)
    assert answers == []
    with trio.fail_after(HANGS_S):
        await done.wait()
    [answer] = answers
    return answer


async def test_addresses_of_a_host() -> None:
    """Each one once."""
    answer = await told("localhost")
    assert isinstance(answer, tuple)
    assert set(answer) & {"127.0.0.1", "::1"}
    assert len(set(answer)) == len(answer)


async def test_a_name_that_nobody_has() -> None:
    """The failure is the answer."""
    assert isinstance(await told("name.invalid"), socket.gaierror)


async def test_hanging_look_ups_take_none_of_trios_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With more of them than Trio has threads for, others still get theirs, and Trio goes on."""
    release = threading.Event()

    def hang(_: str) -> Answer:
        release.wait(HANGS_S)
        return ("127.0.0.1",)

    monkeypatch.setattr(look_up, "look_up", hang)
    limiter = trio.to_thread.current_default_thread_limiter()
    answers: list[Answer] = []
    try:
        for number in range(int(limiter.total_tokens) + 1):
            start_look_up(f"host-{number}", answers.append)
        with trio.fail_after(HANGS_S):
            assert await trio.to_thread.run_sync(threading.active_count) > limiter.total_tokens
        assert (limiter.borrowed_tokens, answers) == (0, [])
    finally:
        release.set()


def test_a_run_ends_before_its_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer then is for nobody, and no failure of the thread."""
    started: list[tuple[Callable[[], Answer], Callable[[outcome.Outcome[Answer]], None], str]] = []
    answers: list[Answer] = []

    async def leave() -> None:
        start_look_up("127.0.0.1", answers.append)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(trio.lowlevel, "start_thread_soon", lambda *work: started.append(work))
    trio.run(leave)
    [(work, deliver, _)] = started
    deliver(outcome.capture(work))
    assert answers == []


async def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a look-up that has failed."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.lowlevel, "start_thread_soon", refuse)
    answer = await told("localhost")
    assert isinstance(answer, OSError)
    assert "unavailable" in str(answer)
