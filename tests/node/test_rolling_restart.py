"""Two nodes on one port, restarted in turn under streaming load: P13 of the catalogue."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.daemon import Daemon, running_daemon

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

RESTARTS = 20
PIECES = 12
TEXT = " ".join(f"piece-{number}" for number in range(PIECES))
WORKER = f"""
[[workers]]
name = "script"
type = "scripted"
models = ["m"]
max_concurrency = 64
script = [{{ say = "{TEXT}", split = "words", every = 0.01 }}]
"""
HANGS_S = 30.0


class Clients:
    """Threads that chat without a pause. Each is as strict as can be, and tries nothing twice."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.whole = 0
        self.faults: list[str] = []
        chats = (self._with_new_connections, self._with_one_connection) * 3
        self._threads = [threading.Thread(target=chat) for chat in chats]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(HANGS_S)

    def _with_new_connections(self) -> None:
        while not self._is_over.is_set():
            with httpx.Client(timeout=HANGS_S, trust_env=False) as client:
                self._chat(client)

    def _with_one_connection(self) -> None:
        with httpx.Client(timeout=HANGS_S, trust_env=False) as client:
            while not self._is_over.is_set():
                self._chat(client)

    def _chat(self, client: httpx.Client) -> None:
        request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "go on"}]}
        try:
            with client.stream("POST", f"{self._url}/v1/chat/completions", json=request) as answer:
                lines = [line[6:] for line in answer.iter_lines() if line]
        except httpx.HTTPError as error:
            fault = repr(error)
        else:
            fault = _fault(answer.status_code, lines)
        with self._lock:
            self.whole += not fault
            if fault:
                self.faults.append(fault)


def _fault(status: int, lines: list[str]) -> str:
    """What is wrong with an answer; empty for a whole one."""
    if status != httpx.codes.OK or lines[-1:] != ["[DONE]"]:
        return f"{status}: {lines[-3:]}"
    chunks = [json.loads(line) for line in lines[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    return "" if text == TEXT else f"cut: {text!r}"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is kept for us: bound, but with nobody listening."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


def test_p13_rolling_restarts_fail_and_cut_no_request(tmp_path: Path, port: int) -> None:
    """Each node is stopped and started anew in turn, twenty times in all."""

    def start(place: int, stack: ExitStack) -> Daemon:
        folder = tmp_path / str(place)
        folder.mkdir(exist_ok=True)
        return stack.enter_context(
            running_daemon(folder, WORKER, data="reuse_port = true", port=port)
        )

    served_by_round = []
    with ExitStack() as stack:
        nodes = [start(place, stack) for place in range(2)]
        with Clients(f"http://127.0.0.1:{port}") as clients:
            for restart in range(RESTARTS):
                before = clients.whole
                place = restart % 2
                assert nodes[place].stop() == 0
                nodes[place] = start(place, stack)
                served_by_round.append(clients.whole - before)
    assert clients.faults == []
    assert all(served_by_round), served_by_round
