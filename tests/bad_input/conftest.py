"""A node as clients meet it: a process of its own, and raw bytes to talk to it.

Its limits are so small that a test can reach them.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

HANGS_S: Final = 20.0
"""How long a test waits for anything; a limit for what hangs, not an expectation."""

ECHO_CHARACTERS_MAX: Final = 100
INSIDE: Final = re.compile(
    r"traceback|\bfile \"|\.py\b|site-packages|quart|hypercorn|h11|werkzeug|trio\b|https?://|127\.",
    re.IGNORECASE,
)
"""What an answer to a client never says: how we are built, and where our workers are."""

CONFIG: Final = """
[node]
state_dir = "{folder}/state"
drain_seconds = 1
[data]
bind = ["127.0.0.1:0"]
max_body_bytes = 200_000
header_seconds = 2.0
body_seconds = 1.5
keep_alive_seconds = 1.0
[admin]
bind = ["127.0.0.1:0"]
[[workers]]
name = "actor"
type = "scripted"
script = [{{ say = "all is well" }}]
[[workers]]
name = "recorder"
type = "openai"
base_url = "{recorder}/v1"
api_keys = ["env:RECORDER_KEY"]
"""

CHAT: Final = b'{"model": "actor/scripted", "messages": [{"role": "user", "content": "Hello"}]}'
GOOD: Final = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(CHAT), CHAT)
)


@attrs.frozen
class Reply:
    """One response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def ends_connection(self) -> bool:
        """Whether it says that it is the last one."""
        return self.headers.get("connection") == "close"


@attrs.frozen(eq=False)
class Node:
    """The running daemon."""

    process: subprocess.Popen[str]
    folder: Path
    ports: Mapping[str, int]

    @property
    def log(self) -> str:
        """All log lines so far."""
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def admin_token(self) -> str:
        """What opens the admin listener."""
        return (self.folder / "state" / "admin-token").read_text(encoding="ascii").strip()

    @property
    def open_files(self) -> int:
        """How many file descriptors it holds."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    @property
    def memory_peak_kib(self) -> int:
        """The most memory it has ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0])

    def connect(self, to: str = "clients") -> socket.socket:
        """A new connection to a listener."""
        return socket.create_connection(("127.0.0.1", self.ports[to]), HANGS_S)

    def say(self, *pieces: bytes, to: str = "clients", half_close: bool = False) -> list[Reply]:
        """All that is answered to these bytes until the node ends the connection."""
        return replies_in(self.hear(*pieces, to=to, half_close=half_close))

    def hear(self, *pieces: bytes, to: str = "clients", half_close: bool = False) -> bytes:
        """The same as it comes."""
        with self.connect(to) as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all of it was there; the answer has come all the same
            return _read_to_end(sock)

    def serves(self) -> bool:
        """Whether a good request on a new connection is answered."""
        [reply] = self.say(GOOD)
        return reply.status == 200 and b"all is well" in reply.body


def _read_to_end(sock: socket.socket) -> bytes:
    received = b""
    try:
        while piece := sock.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def replies_in(received: bytes) -> list[Reply]:
    """Each response in what a connection has brought, all of them whole."""
    replies = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        assert end, head
        assert line.startswith("HTTP/1.1 "), line
        pairs = [header.partition(": ") for header in lines]
        headers = {name.lower(): value for name, _, value in pairs}
        assert len(headers) == len(lines), "a header came twice"
        body, received = _body_of(headers, received)
        replies.append(Reply(int(line.split(" ")[1]), headers, body))
    return replies


def _body_of(headers: Mapping[str, str], rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", 0))
        assert len(rest) >= length
        return rest[:length], rest[length:]
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest


class _Recorder(BaseHTTPRequestHandler):
    """An upstream that speaks just enough of OpenAI's dialect, and remembers what it is sent."""

    protocol_version = "HTTP/1.1"
    server: "RecordingServer"

    def do_GET(self) -> None:
        """The models."""
        models = {"object": "list", "data": [{"id": "notes", "object": "model"}]}
        self._answer("application/json", json.dumps(models).encode())

    def do_POST(self) -> None:
        """A completion."""
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        choice = {"index": 0, "delta": {"content": "noted"}, "finish_reason": "stop"}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "notes"}
        event = json.dumps({**chunk, "choices": [choice]}).encode()
        self._answer("text/event-stream", b"data: %b\n\ndata: [DONE]\n\n" % event)

    def _answer(self, media_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class says so
        """Say nothing."""


class RecordingServer(ThreadingHTTPServer):
    """`seen`: the headers of each chat request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recorder)
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture(scope="session")
def recorder() -> Iterator[RecordingServer]:
    """The upstream that remembers."""
    with RecordingServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def node(recorder: RecordingServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all rows; each leaves it as it was."""
    folder = tmp_path_factory.mktemp("bad_input")
    config = folder / "cortexd.toml"
    config.write_text(CONFIG.format(folder=folder, recorder=recorder.url), encoding="utf-8")
    command = [sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", "json"]
    environ = os.environ | {"RECORDER_KEY": "the-worker-key"}
    with (
        (folder / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ
        ) as process,
    ):
        try:
            yield Node(process, folder, _announced_ports(process))
        finally:
            process.kill()


def _announced_ports(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdout
    ports = {}
    for line in process.stdout:
        if match := re.match(r"  (clients|admin) +http://[^:]+:(\d+)", line):
            ports[match[1]] = int(match[2])
        if line.startswith("  curl "):
            return ports
    pytest.fail("the daemon did not start")


@pytest.fixture
def told() -> Any:
    """Checks that an error is one, and gives its message."""

    def check(reply: Reply, sent: bytes) -> str:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", reply.headers["x-request-id"])
        text = reply.body.decode()
        assert not INSIDE.search(text), text
        windows = range(len(reply.body) - ECHO_CHARACTERS_MAX)
        assert not any(reply.body[at : at + ECHO_CHARACTERS_MAX + 1] in sent for at in windows)
        error = reply.document["error"]
        _, path, *_ = *sent.split(b" ", 2), b"", b""
        if path.startswith(b"/api/") and path != b"/api/health":
            assert reply.document == {"error": error}
            return str(error)
        if path.startswith(b"/v1/messages"):
            assert reply.document == {"type": "error", "error": error}
            assert set(error) == {"type", "message"}
        else:
            assert reply.document == {"error": error}
            assert set(error) == {"message", "type", "param", "code"}
        return str(error["message"])

    return check
