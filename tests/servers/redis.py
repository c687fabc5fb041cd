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

FILL = """
for i = 1, 4000 do
  redis.call('SET', 'filler:' .. i, string.rep('x', 1024), 'EX', 60)
end
"""
LOAD_US = "10000"
"""With this wait before each key, what `FILL` writes takes longer to read than a test waits."""

ANSWERING_WHILE_LOADING = (
    *("--loading-process-events-interval-bytes", "1024", "--rdbcompression", "no"),
    *("--enable-debug-command", "local"),
)
"""It looks for clients once a kilobyte, which is once a filler, and not every other megabyte."""


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

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Killed and started, and busy with reading what it had until the block ends: -LOADING."""
        self.command("eval", FILL, "0")
        self.command("save")
        self.kill()
        self.start("--key-load-delay", LOAD_US)
        try:
            yield
        finally:
            self._end_loading()

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """As `loading`, but connections stay: a replica that is sent all data anew is like that."""
        self.command("eval", FILL, "0")
        self.command("config", "set", "key-load-delay", LOAD_US)
        reload = subprocess.Popen(
            ["redis-cli", "-p", str(self.port), "debug", "reload"], stdout=subprocess.DEVNULL
        )
        while "LOADING" not in self.command("ping"):
            assert reload.poll() is None
        try:
            yield
        finally:
            self._end_loading()
            assert reload.wait(READY_S_MAX) == 0

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

    def _end_loading(self) -> None:
        self.command("config", "set", "key-load-delay", "0")
        # The next start is an empty one again.
        (self.folder / "dump.rdb").unlink()


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
            *("--save", "", "--appendonly", "no", *ANSWERING_WHILE_LOADING, *arguments),
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
