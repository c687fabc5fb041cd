"""Upstreams that take no connection, or give no answer on it: U1 to U4 and U32 of the catalogue."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import running_daemon
from tests.fakes.server import Reply
from tests.faults.upstream import HANGS_S, until
from tests.faults.upstream_faults import hang_up, never_answer, reset
from tests.faults.upstream_node import Node, Stock
from tests.faults.upstream_wire import Fault, Wire, play
from tests.matrix.doors import DOORS, ClientDoor, Heard, Question

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {
    "openai": Stock(10),
    "hasty": Stock(5, settings="connect_seconds = 0.3"),
    "waiting": Stock(7, settings="first_token_seconds = 0.3"),
}


def test_u3_accepts_and_never_answers_until_the_deadline(node: Node) -> None:
    """The client's own limit ends it as well; that is not the worker's failure."""
    target = node.take()
    target.upstream.fault = never_answer
    for _ in range(3):
        heard = node.ask(target.backed, timeout_s=0.3)
        assert (heard.status, heard.error_code) == (504, "deadline_exceeded")
        assert node.account(heard)["outcome"] == "deadline_exceeded"
    until(lambda: target.upstream.open == 1)
    node.check_nothing_held(target)
    assert node.opened(target) == 0


STOPPABLE = """
[[workers]]
name = "stoppable"
type = "openai"
base_url = "{base_url}/v1"
api_keys = ["env:FAULTS_KEY"]
models = ["m1"]
priority = 1
first_token_seconds = 0.3
[[workers]]
name = "healthy"
type = "scripted"
priority = 2
script = [{{ say = "all is well" }}]
"""


def test_u1_port_closed(node: Node, door: ClientDoor) -> None:
    """The next one answers, the client sees nothing of it; one failure is counted each time."""
    target = node.take()
    with target.upstream.refusing():
        first = node.ask(target.backed, door)
        assert (first.status, first.text, first.is_ended) == (200, "all is well", True)
        assert first.headers["x-cortexd-attempts"] == (
            f"2 ({target.name}: unreachable; healthy: taken)"
        )
        assert node.opened(target) == 0
        assert node.ask(target.backed, door).status == 200
        assert node.opened(target) == 1
    node.check_nothing_held(target)


def test_u1_port_closed_and_nobody_else(node: Node, door: ClientDoor) -> None:
    """An error of the gateway, in the door's words, without the address."""
    target = node.take()
    with target.upstream.refusing():
        heard = node.ask(target.alone, door)
    assert (heard.status, heard.is_ended) == (502, False)
    assert heard.error
    assert str(target.upstream.port) not in heard.body.decode()
    assert heard.error_code in {None, "upstream_unreachable"}


def test_u2_syn_dropped(node: Node) -> None:
    """The limit of connecting ends it; no slot is lost, and it is well again when it is."""
    target = node.take("hasty")
    with target.upstream.deaf():
        heard = node.ask(target.backed)
        assert (heard.status, heard.text) == (200, "all is well")
        [failure] = node.account(heard)["failures"]
        assert failure.endswith("unreachable (no connection: timed out)")
        node.check_nothing_held(target)
    assert node.ask(target.backed).text == "Hello world"


def test_u2_syn_dropped_and_nobody_else(node: Node) -> None:
    """Unreachable is what it is; the slow connect counts for the breaker."""
    target = node.take("hasty")
    with target.upstream.deaf():
        assert [node.ask(target.alone).status for _ in range(2)] == [502, 502]
    assert node.opened(target) == 1


def test_u3_accepts_and_never_answers(node: Node, door: ClientDoor) -> None:
    """The next one answers, and the connection to the silent one is closed."""
    target = node.take("waiting")
    target.upstream.fault = never_answer
    heard = node.ask(target.backed, door)
    assert (heard.status, heard.text, heard.is_ended) == (200, "all is well", True)
    assert heard.headers["x-cortexd-attempts"] == f"2 ({target.name}: timed out; healthy: taken)"
    until(lambda: target.upstream.open == 1)
    node.check_nothing_held(target)


def test_u3_accepts_and_never_answers_and_nobody_else(node: Node, door: ClientDoor) -> None:
    """504, also where a stream was wanted."""
    target = node.take("waiting")
    target.upstream.fault = never_answer
    heard = node.ask(target.alone, door)
    assert (heard.status, heard.is_ended) == (504, False)
    assert heard.error_code in {None, "upstream_timeout"}
    assert len(target.upstream.asked) == 1


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """An upstream that can be stopped."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.upstream_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=HANGS_S)


def test_u4_upstream_process_stopped(process: subprocess.Popen[str], tmp_path: Path) -> None:
    """Its kernel still takes connections, but nobody answers; once it goes on, it serves again."""
    assert process.stdout is not None
    workers = STOPPABLE.format(base_url=process.stdout.readline().strip())
    with running_daemon(tmp_path, workers, environ={"FAULTS_KEY": "good-key"}) as daemon:
        daemon.wait_available("stoppable")

        def ask() -> Heard:
            return DOORS[0].ask(daemon.url, "auto", Question(stream=True))

        assert ask().text == "from the process"
        process.send_signal(signal.SIGSTOP)
        assert ask().text == "all is well"
        process.send_signal(signal.SIGCONT)
        until(lambda: ask().text == "from the process")


@pytest.mark.parametrize("fault", [hang_up, reset])
def test_u32_idle_connection_closed_at_the_moment_of_reuse(node: Node, fault: Fault) -> None:
    """The request goes out again on a new one: no attempt more, and nobody is charged with it."""
    target = node.take()

    async def closes_at_reuse(wire: Wire, reply: Reply) -> None:
        await (fault if wire.turn else play)(wire, reply)

    target.upstream.fault = closes_at_reuse
    for turn in range(4):
        heard = node.ask(target.alone)
        assert (heard.status, heard.text) == (200, "Hello world"), turn
        assert heard.headers["x-cortexd-attempts"] == f"1 ({target.name}: taken)"
    # The first opened a connection; each other one found it closed, and opened another.
    assert len(target.upstream.asked) == 7
    assert node.opened(target) == 0
