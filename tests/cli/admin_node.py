"""A small server that answers like a node's admin listener."""

import json
import socket
import socketserver
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import attrs


@attrs.define
class FakeNode:
    """What the server answers, what it was asked, and the bodies of what it was told to do."""

    url: str = ""
    token: str = "right"
    answers: dict[str, tuple[int, bytes]] = attrs.Factory(dict)
    asked: list[str] = attrs.Factory(list)
    orders: list[Any] = attrs.Factory(list)

    def say(self, path: str, document: object, status: int = 200) -> None:
        """Answer so from now on."""
        self.answers[path] = (status, json.dumps(document).encode())


class UnixServer(HTTPServer):
    """On a Unix socket."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)


def handler(node: FakeNode) -> type[BaseHTTPRequestHandler]:
    """What answers for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Do as told."""
            node.orders.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.do_GET()

        def do_GET(self) -> None:
            """Say what there is to say."""
            node.asked.append(self.path)
            status, body = node.answers.get(self.path, (404, b"{}"))
            if self.headers["authorization"] != f"Bearer {node.token}":
                status, body = 401, b"{}"
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
