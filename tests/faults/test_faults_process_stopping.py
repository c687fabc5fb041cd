"""How the process ends and begins: P4 (its watchdog), P6 and P16 of the catalogue."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.daemon import UNMEASURED, Daemon, running_daemon

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 40.0
STREAMS = 200
SOON_S, LATE_S = 2.0, 3600.0
GREET = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def _worker(piece_s: float, *, pieces: int = 4) -> str:
    steps = f'{{ repeat = {pieces}, steps = [{{ say = "word " }}, {{ wait = {piece_s} }}] }}'
    return f"""
[[workers]]
name = "script"
type = "scripted"
models = ["m"]
max_concurrency = 500
script = [{steps}]
"""


def _open_stream(daemon: Daemon) -> socket.socket:
    """A client that has asked for a stream, and has seen it begin."""
    host, port = daemon.url.removeprefix("http://").split(":")
    body = json.dumps(GREET).encode()
    client = socket.create_connection((host, int(port)), timeout=HANGS_S)
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    assert b" 200 " in client.recv(15, socket.MSG_WAITALL)
    return client


def _rest(client: socket.socket) -> bytes:
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def test_p4_a_watchdog_that_bites_leaves_the_stack_behind(tmp_path: Path) -> None:
    """The unit has it send SIGABRT."""
    with running_daemon(tmp_path, _worker(SOON_S)) as daemon:
        daemon.process.send_signal(signal.SIGABRT)
        assert daemon.process.wait(HANGS_S) == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log
        assert "in run" in daemon.log


def test_p6_an_idle_node_ends_at_once(tmp_path: Path) -> None:
    """Also with a client that keeps its connection and says nothing."""
    with ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(tmp_path, _worker(SOON_S), drain_s=LATE_S))
        client = stack.enter_context(httpx.Client(base_url=daemon.url, timeout=HANGS_S))
        assert client.get("/livez").status_code == httpx.codes.OK
        assert daemon.stop(within_s=HANGS_S) == 0


def test_p6_streams_that_end_in_time_are_whole(tmp_path: Path) -> None:
    """Two hundred of them, all in flight when the order comes."""
    with running_daemon(tmp_path, _worker(0.5), drain_s=HANGS_S) as daemon, ExitStack() as stack:
        clients = [stack.enter_context(_open_stream(daemon)) for _ in range(STREAMS)]
        daemon.process.send_signal(signal.SIGTERM)
        answers = [_rest(client) for client in clients]
        assert daemon.process.wait(HANGS_S) == 0
    assert [answer.count(b"word ") for answer in answers] == [4] * STREAMS
    assert all(b"data: [DONE]\n\n" in answer for answer in answers)


def test_p6_streams_that_do_not_end_in_time_get_an_error_frame(tmp_path: Path) -> None:
    """And no terminator."""
    with running_daemon(tmp_path, _worker(LATE_S), drain_s=3.0) as daemon, ExitStack() as stack:
        clients = [stack.enter_context(_open_stream(daemon)) for _ in range(STREAMS)]
        daemon.process.send_signal(signal.SIGTERM)
        answers = [_rest(client) for client in clients]
        assert daemon.process.wait(HANGS_S) == 0
    assert all(b'"code":"node_stopping"' in answer for answer in answers)
    assert not any(b"[DONE]" in answer for answer in answers)


def test_p6_a_client_that_reads_nothing_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its connection is reset once the time is over."""
    flood = _worker(0.0, pieces=1_000_000)
    with running_daemon(tmp_path, flood, drain_s=3.0) as daemon, _open_stream(daemon):
        assert daemon.stop(within_s=HANGS_S) == 0


def _start(folder: Path, **binds: str) -> subprocess.CompletedProcess[str]:
    """Start a node that is expected not to come up."""
    sections = "".join(f'[{name}]\nbind = ["{bind}"]\n' for name, bind in binds.items())
    config = folder / "taken.toml"
    config.write_text(f'[node]\nstate_dir = "{folder}/other"\n{sections}', encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "cortexd", "--config", config],
        env=os.environ | UNMEASURED,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )


def test_p16_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """With the exit code for what may pass by itself."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ended = _start(tmp_path, data=address, admin="127.0.0.1:0")
    assert ended.returncode == os.EX_TEMPFAIL
    assert address in ended.stderr


def test_p16_the_socket_file_of_a_dead_node_is_taken_over(tmp_path: Path) -> None:
    """But not that of one which lives."""
    path = tmp_path / "admin.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    assert path.is_socket()
    text = _worker(SOON_S)
    with running_daemon(tmp_path, text, admin=f"unix:{path}") as daemon:
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            token = (tmp_path / "state" / "admin-token").read_text(encoding="ascii").strip()
            answer: Any = client.get("/admin/tree", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == httpx.codes.OK
        ended = _start(tmp_path, data="127.0.0.1:0", admin=f"unix:{path}")
        assert ended.returncode == os.EX_TEMPFAIL
        assert str(path) in ended.stderr
        assert daemon.stop() == 0
