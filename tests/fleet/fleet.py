"""A fleet for tests: real agents, a real node, and model servers that take their time."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
import httpx

from tests.daemon import UNMEASURED, Daemon, running_daemon
from tests.operator import Operator, operating, wait_until

SIGNING_KEY: Final = "a-key-for-tests-that-is-long-enough-for-a-fleet"
KEY_VARIABLE: Final = "FLEET_SIGNING_KEY"
STATUS_S: Final = 1.0
MODEL: Final = "m"

STOP_S_MAX: Final = 30.0


@attrs.define(eq=False)
class ModelServer:
    """Speaks OpenAI's dialect. While `gate` is shut, streams pause after their first word."""

    url: str
    gate: threading.Event = attrs.Factory(threading.Event)
    chats: int = 0
    begun: threading.Event = attrs.Factory(threading.Event)


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """One on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        """A new one for each connection."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            self._answer({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            shown.chats += 1
            if not body.get("stream"):
                message = {"role": "assistant", "content": "whole"}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self._answer({"id": "x", "object": "chat.completion", "choices": [choice]})
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self._piece({"role": "assistant", "content": "first "}, None)
            shown.begun.set()
            shown.gate.wait(STOP_S_MAX)
            self._piece({"content": "last"}, None)
            self._piece({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def _piece(self, delta: dict[str, str], reason: str | None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            chunk = {"id": "x", "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def _answer(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown = ModelServer(f"http://127.0.0.1:{server.server_address[1]}/v1")
    shown.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield shown
    finally:
        shown.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Broker(Protocol):
    """What an agent has to know of one."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...


@attrs.define(eq=False)
class AgentProcess:
    """A running `cortex-agent`."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        text = (self.folder / "log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S_MAX)


def agent_toml(
    name: str, broker_url: str, workers: dict[str, str], *, status_s: float = STATUS_S
) -> str:
    """A configuration; `workers`: their addresses by their names."""
    tables = "".join(
        f'[[workers]]\nname = "{worker}"\ntype = "openai"\nbase_url = "{url}"\n'
        f'models = ["{MODEL}"]\n'
        for worker, url in workers.items()
    )
    return (
        f'[agent]\nname = "{name}"\namqp_url = "{broker_url}"\n'
        f'signing_key = "env:{KEY_VARIABLE}"\nstatus_seconds = {status_s}\n'
        f'state_dir = "state-of-{name}"\n{tables}'
    )


@contextmanager
def running_agent(
    folder: Path, broker: Broker, name: str, workers: dict[str, str]
) -> Iterator[AgentProcess]:
    """An agent until the block ends; then it is killed, if it still runs."""
    folder = folder / name
    folder.mkdir(exist_ok=True)
    config = folder / "agent.toml"
    config.write_text(agent_toml(name, broker.url, workers), encoding="utf-8")
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cortexd.agent", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=folder,
            env=os.environ | UNMEASURED | {KEY_VARIABLE: SIGNING_KEY},
        )
    try:
        yield AgentProcess(name, folder, process)
    finally:
        process.kill()
        process.wait()


NODE: Final = """
[health]
interval_seconds = 5
[alerts]
pending_seconds = 0
resolve_seconds = 0
[fleet]
amqp_url = "{url}"
signing_key = "env:{variable}"
command_seconds = 25  # a broker that starts again takes its time on a busy machine
"""


@attrs.frozen(eq=False)
class FleetNode:
    """A node with a fleet, and its operator."""

    daemon: Daemon
    operator: Operator

    @property
    def fleet(self) -> Any:
        """The document."""
        return self.operator.get("/admin/fleet")

    def agent(self, name: str) -> Any:
        """One of its agents; `None` if it is not known."""
        return next((each for each in self.fleet["agents"] if each["name"] == name), None)

    def state(self, name: str) -> str | None:
        """How the node sees an agent."""
        found = self.agent(name)
        return None if found is None else str(found["state"])

    def status(self, worker: str) -> str | None:
        """How the node sees a worker; `None` if it has none of that name."""
        answer = self.operator.ask("GET", f"/admin/workers/{worker}")
        return str(answer.json()["status"]) if answer.status_code == 200 else None

    def wait_available(self, worker: str) -> None:
        """Until chats can go there."""
        wait_until(lambda: self.status(worker) == "available")

    def tell(self, agent: str, verb: str, worker: str | None = None) -> httpx.Response:
        """Give a command."""
        wish = {} if worker is None else {"worker": worker}
        return self.operator.ask("POST", f"/admin/fleet/agents/{agent}/{verb}", wish)

    @contextmanager
    def telling(self, agent: str, verb: str) -> Iterator[Callable[[], tuple[int, Any]]]:
        """Give a command whose answer is read later: its status and its document."""
        client = self.operator.client
        url = client.base_url
        connection = HTTPConnection(url.host, url.port or 80, timeout=STOP_S_MAX)
        headers = {
            "authorization": client.headers["authorization"],
            "content-type": "application/json",
        }

        def answer() -> tuple[int, Any]:
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        try:
            connection.request("POST", f"/admin/fleet/agents/{agent}/{verb}", "{}", headers)
            yield answer
        finally:
            connection.close()

    def chat(self, model: str, *, stream: bool = False) -> httpx.Response:
        """A chat, whole."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        return httpx.post(f"{self.daemon.url}/v1/chat/completions", json=body, timeout=STOP_S_MAX)


@contextmanager
def fleet_node(
    folder: Path, broker_url: str, *, name: str, more: str = "", **settings: Any
) -> Iterator[FleetNode]:
    """A node until the block ends."""
    text = more + NODE.format(url=broker_url, variable=KEY_VARIABLE)
    environ = {KEY_VARIABLE: SIGNING_KEY, "CORTEXD__NODE__NAME": name, "CORTEXD__WORKERS": "[]"}
    with (
        running_daemon(folder, text, environ=environ, **settings) as daemon,
        operating(daemon) as operator,
    ):
        yield FleetNode(daemon, operator)
