"""A Redis of the tests' own: a private port and folder, nothing kept, stopped in the end."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

READY_S_MAX = 20.0


@attrs.define(eq=False)
class RedisServer:
    """A running `redis-server` that can be killed, frozen and started again on its port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As by SIGKILL; what it had is gone."""
        self.process.kill()
        self.process.wait()

    def start(self, *arguments: str) -> None:
        """Again, empty, on the same port; `arguments` such as `--maxmemory 1mb`."""
        self.process = _started(self.port, self.folder, arguments)

    def freeze(self) -> None:
        """Let it neither answer nor refuse anything."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """What `redis-cli` says to a command."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words],
            capture_output=True,
            check=True,
            text=True,
            timeout=READY_S_MAX,
        )
        return done.stdout.strip()


@contextmanager
def running_redis(folder: Path, *arguments: str) -> Iterator[RedisServer]:
    """A server for the length of the block."""
    port = free_port()
    server = RedisServer(port, folder, _started(port, folder, arguments))
    try:
        yield server
    finally:
        server.thaw()
        server.kill()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _started(port: int, folder: Path, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: requirements/debian installs it"
    process = subprocess.Popen(
        [
            *(program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", *arguments),
        ],
        stdout=subprocess.DEVNULL,
    )
    limit = time.monotonic() + READY_S_MAX
    while time.monotonic() < limit and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process
    process.kill()
    raise AssertionError(f"redis-server did not start on port {port}")
