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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import attrs
import pytest

from tests.bad_input.recording_server import RecordingServer
from tests.daemon import UNMEASURED

HANGS_S: Final = 20.0
"""How long a test waits for anything; a limit for what hangs, not an expectation."""

ECHO_CHARACTERS_MAX: Final = 100
INSIDE: Final = re.compile(
    r"traceback|\bfile \"|\.py\b|site-packages|quart|hypercorn|h11|werkzeug|trio\b|https?://\w|127\.",
    re.IGNORECASE,
)
"""What an answer to a client never says: how we are built, and where our workers are."""

CONFIG: Final = """
[node]
state_dir = "{folder}/state"
drain_seconds = 1
[data]
bind = ["127.0.0.1:0"]
max_body_bytes = {body_bytes_max}
header_seconds = 2.0
body_seconds = {body_seconds}
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

PACER: Final = """
[[workers]]
name = "pacer"
type = "scripted"
script = [{ repeat = 100_000, steps = [{ say = "on", split = "words", every = 0.002 }] }]
"""

HELLO: Final = [{"role": "user", "content": "Hello"}]
MODEL: Final = "actor/scripted"
DOCUMENTS: Final[Mapping[str, dict[str, object]]] = {
    "/v1/chat/completions": {"model": MODEL, "messages": HELLO},
    "/v1/embeddings": {"model": MODEL, "input": "Hello"},
    "/v1/messages": {"model": MODEL, "messages": HELLO, "max_tokens": 99},
    "/v1/messages/count_tokens": {"model": MODEL, "messages": HELLO},
    "/api/chat": {"model": MODEL, "messages": HELLO, "stream": False},
    "/api/generate": {"model": MODEL, "prompt": "Hello", "stream": False},
    "/api/embed": {"model": MODEL, "input": "Hello"},
    "/api/show": {"model": MODEL},
}
"""A good request of each endpoint."""

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


@attrs.frozen
class Endpoint:
    """Where a request is posted to, and a good one."""

    path: str
    document: Mapping[str, object]

    @property
    def speaks_openai(self) -> bool:
        """Whether its errors have codes, and name the field at fault."""
        return self.path in {"/v1/chat/completions", "/v1/embeddings"}

    @property
    def body(self) -> bytes:
        """The good request."""
        return json.dumps(self.document).encode()

    def having(self, raw: bytes) -> bytes:
        """The good request with more members, as they are to be sent."""
        return self.body[:-1] + b", " + raw + b"}"


@attrs.frozen
class Refusal:
    """What a client reads that asked for what it cannot have."""

    message: str
    param: str | None = None
    code: str | None = None
    has_codes: bool = False

    def names(self, path: str) -> bool:
        """Whether it says which field is at fault."""
        return self.message.startswith(f"{path} ") and self.param in {path, None}

    def is_for(self, code: str) -> bool:
        """Whether it has this code, where the dialect has room for one."""
        return self.code == (code if self.has_codes else None)


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

    def post(self, path: str, *bodies: bytes) -> list[Reply]:
        """The answers to these bodies, sent one behind the other on one connection."""
        head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n".encode()
        requests = [head + b"Content-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies]
        requests[-1] = requests[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        return self.say(*requests)

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
    limits = {"body_bytes_max": 200_000, "body_seconds": 1.5}
    with _running(CONFIG.format(folder=folder, recorder=recorder.url, **limits), folder) as node:
        yield node


@pytest.fixture(scope="session")
def roomy_node(
    recorder: RecordingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """One that takes bodies as large as a node does by default, and has a worker with no end."""
    folder = tmp_path_factory.mktemp("bad_input_roomy")
    limits = {"body_bytes_max": 32 * 1024 * 1024, "body_seconds": HANGS_S}
    config = CONFIG.format(folder=folder, recorder=recorder.url, **limits)
    with _running(config + PACER, folder) as node:
        yield node


@contextmanager
def _running(config: str, folder: Path) -> Iterator[Node]:
    path = folder / "cortexd.toml"
    path.write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "cortexd", "--config", str(path), "--log-format", "json"]
    environ = os.environ | UNMEASURED | {"RECORDER_KEY": "the-worker-key"}
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


def _own_words(text: str, sent: bytes) -> str:
    """What is left of `text` without what it quotes of what was sent."""
    return re.sub(r"'([^']+)'", lambda quote: "" if quote[1].encode() in sent else quote[0], text)


@pytest.fixture
def told() -> Any:
    """Checks that an error is one, and gives its message."""

    def check(reply: Reply, sent: bytes) -> str:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", reply.headers["x-request-id"])
        text = _own_words(reply.body.decode(), sent)
        assert not INSIDE.search(text), text
        windows = range(len(reply.body) - ECHO_CHARACTERS_MAX)
        assert not any(reply.body[at : at + ECHO_CHARACTERS_MAX + 1] in sent for at in windows)
        error = reply.document["error"]
        _, target, *_ = *sent.split(b" ", 2), b"", b""
        path = unquote_to_bytes(target.partition(b"?")[0])
        if path.startswith(b"/api/") and path != b"/api/health":
            assert reply.document == {"error": error}
            return str(error)
        if path == b"/v1/messages" or path.startswith(b"/v1/messages/"):
            assert reply.document == {"type": "error", "error": error}
            assert set(error) == {"type", "message"}
        else:
            assert reply.document == {"error": error}
            assert set(error) == {"message", "type", "param", "code"}
        return str(error["message"])

    return check


@pytest.fixture(scope="session")
def documents() -> Mapping[str, dict[str, object]]:
    """A good request of each endpoint, by its path."""
    return DOCUMENTS


@pytest.fixture(params=DOCUMENTS)
def endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """Each endpoint that takes a body."""
    return Endpoint(request.param, DOCUMENTS[request.param])


@pytest.fixture
def refusal(told: Callable[[Reply, bytes], str]) -> Callable[[Reply, str, bytes], Refusal]:
    """What an answer refuses, which must be an error in the dialect of the path."""

    def read(reply: Reply, path: str, body: bytes) -> Refusal:
        message = told(reply, b"POST %b " % path.encode() + body)
        error = reply.document["error"]
        if not isinstance(error, dict) or "code" not in error:
            return Refusal(message)
        return Refusal(message, error["param"], error["code"], has_codes=True)

    return read


@pytest.fixture
def refused(node: Node, refusal: Callable[[Reply, str, bytes], Refusal]) -> Any:
    """Posts a body that must get the status, and gives what it is told."""

    def post(path: str, body: bytes | Mapping[str, object], status: int = 400) -> Refusal:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        [reply] = node.post(path, raw)
        assert reply.status == status, (reply.status, reply.body[:500])
        return refusal(reply, path, raw)

    return post
