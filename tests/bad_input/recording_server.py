"""An upstream that remembers what it is sent, so that a test can say what never got there."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Recorder(BaseHTTPRequestHandler):
    """An upstream that speaks just enough of OpenAI's dialect, and remembers what it is sent."""

    protocol_version = "HTTP/1.1"
    server: "RecordingServer"

    def do_GET(self) -> None:
        """The models."""
        self.server.fetched.append(self.path)
        data = [{"id": name, "object": "model"} for name in ("notes", "forgetful")]
        self._answer(200, "application/json", {"object": "list", "data": data})

    def do_POST(self) -> None:
        """A completion."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(body)
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        if json.loads(body)["model"] == "forgetful":
            error = {"message": "too long for me", "code": "context_length_exceeded"}
            self._answer(400, "application/json", {"error": error})
            return
        choice = {"index": 0, "delta": {"content": "noted"}, "finish_reason": "stop"}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "notes"}
        event = json.dumps({**chunk, "choices": [choice]}).encode()
        self._answer(200, "text/event-stream", b"data: %b\n\ndata: [DONE]\n\n" % event)

    def _answer(self, status: int, media_type: str, content: object) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class says so
        """Say nothing."""


class RecordingServer(ThreadingHTTPServer):
    """`seen`: the headers of each chat request; `asked`: its body. `fetched`: what was got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recorder)
        self.seen: list[dict[str, str]] = []
        self.asked: list[bytes] = []
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"
