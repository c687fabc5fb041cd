"""The sinks of a real node, all of which can get stuck: then nobody takes what it has to tell."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from tests.daemon import Daemon
from tests.dashboard.visitor import token_of
from tests.fakes.smtp import MailSink, running_mail_server
from tests.fakes.webhook import SILENT, WebhookSink, running_webhook

ALL: Final = frozenset({"log", "hook", "mail", "dead_letters.db", "metrics.db"})
"""The sinks, as `Sinks.stuck_ones` calls them."""

ALARM: Final = """
[alerts]
memory_bytes_max = 1048576  # none can do with so little
pending_seconds = 0
cooldown_seconds = 1
"""
"""There is an alert at all times, and people are told of it each second."""

CHANNELS: Final = """
[[alerts.channels]]
name = "hook"
type = "webhook"
url = "env:ALERT_WEBHOOK"
[[alerts.channels]]
name = "mail"
type = "email"
host = "127.0.0.1"
port = {port}
tls = "off"
sender = "cortexd@example.org"
to = ["ops@example.org"]
"""

PIPE_BYTES: Final = 4096
TINY_BUFFER_BYTES: Final = 4096
MANY: Final = 10_000

LOCKS: Final = """
import sqlite3, sys
connections = [sqlite3.connect(path, isolation_level=None) for path in sys.argv[1:]]
for connection in connections:
    connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@attrs.frozen(eq=False)
class LogPipe:
    """Takes a log, with room for a page. `writing`: the end for the node."""

    reading: int
    writing: int
    # A process of its own, which takes no time from whoever asks the node.
    _reader: subprocess.Popen[bytes] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    @_reader.default
    def _new_reader(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["cat"], stdin=self.reading, stdout=subprocess.DEVNULL)

    def stop_reading(self) -> None:
        """Leave in it whatever comes."""
        self._reader.send_signal(signal.SIGSTOP)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another line."""
        waiting = bytearray(4)
        fcntl.ioctl(self.reading, termios.FIONREAD, waiting)
        return int.from_bytes(waiting, sys.byteorder) > PIPE_BYTES * 3 // 4

    def close(self) -> None:
        """Read no more, whatever comes; the node has gone."""
        with self._reader:
            self._reader.kill()
        os.close(self.writing)
        os.close(self.reading)


@attrs.frozen(eq=False)
class Sinks:
    """Where a node tells of itself. All are well until they are `stuck`."""

    log: LogPipe
    webhook: WebhookSink
    mail: MailSink

    @property
    def sections(self) -> str:
        """The end of the configuration of a node that tells them all there is."""
        return ALARM + CHANNELS.format(port=self.mail.port)

    @property
    def environ(self) -> dict[str, str]:
        """What that configuration takes from the environment."""
        return {"ALERT_WEBHOOK": self.webhook.url}

    @contextmanager
    def stuck(self, node: Daemon) -> Iterator[None]:
        """Until the block ends: the databases are locked, and nobody reads, takes or answers."""
        self.log.stop_reading()
        self.webhook.replies = [SILENT] * MANY
        self.mail.refusals = {"MAIL": "451 not now"}
        with _locked((node.folder / "state").glob("*.db")), _deaf_watcher(node):
            yield

    def stuck_ones(self, node: Daemon) -> set[str]:
        """Those that are seen to be."""
        alerts = node.admin("/admin/alerts")
        failures = {each["name"]: each["failure"] for each in alerts["channels"]}
        troubled = {each["target"] for each in alerts["items"] if each["state"] == "firing"}
        return (
            {name for name, failure in failures.items() if failure}
            | {target for target in troubled if target.endswith(".db")}
            | ({"log"} if self.log.is_full else set())
        )


@contextmanager
def working_sinks() -> Iterator[Sinks]:
    """Sinks that are well, until the block ends."""
    with ExitStack() as stack:
        log = LogPipe(*os.pipe())
        stack.callback(log.close)
        webhook = stack.enter_context(running_webhook())
        yield Sinks(log, webhook, stack.enter_context(running_mail_server(MailSink())))


@contextmanager
def _locked(paths: Iterator[Path]) -> Iterator[None]:
    """Another process has the files to itself."""
    command = [sys.executable, "-c", LOCKS, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"locked\n"
            yield
        finally:
            process.kill()


@contextmanager
def _deaf_watcher(node: Daemon) -> Iterator[None]:
    """Somebody asks for the stream of events, and does not read it."""
    address: Any = urlsplit(node.admin_url)
    with socket.socket() as watcher:
        watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY_BUFFER_BYTES)
        watcher.connect((address.hostname, address.port))
        lines = ("GET /admin/events HTTP/1.1", "host: x", f"authorization: Bearer {token_of(node)}")
        watcher.sendall("\r\n".join((*lines, "", "")).encode())
        yield
