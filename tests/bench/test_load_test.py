"""The load test as a command: a few users, a few seconds, real nodes, the real k6."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.daemon import UNMEASURED
from tests.operator import wait_until

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

HANGS_S = 120.0
BRIEF = ("--users", "3", "--ramp", "0.5", "--hold", "2")
QUICK = ("--first-token", "0.05", "--words", "3", "--sample", "1")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.load", *arguments]


def _ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments),
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
        env=os.environ | UNMEASURED,
    )


def test_a_few_users_are_borne_by_two_nodes() -> None:
    """The verdict, what each node has seen, and who used how much of the machine."""
    done = _ask(*BRIEF, *QUICK)
    assert done.stderr == ""
    assert "\n0 without an answer, 0 refused, 0 not whole\n" in done.stdout
    # How fast they were is up to the machine, and to what else it has to do.
    slow = "CROSSED" in done.stdout
    verdict = "FAILED: it does not bear 3 users" if slow else "PASSED: it bears 3 users"
    assert (done.returncode, done.stdout.splitlines()[-1]) == (int(slow), verdict)
    counts = [int(n) for n in re.findall(r"^node-\d +(\d+) ", done.stdout, re.MULTILINE)]
    (chats,) = re.findall(r"(\d+) chats", done.stdout)
    assert len(counts) == 2
    assert sum(counts) == int(chats) > 0
    assert re.search(r"cores, with all users there: k6 \d", done.stdout)


class HalfAnswers(BaseHTTPRequestHandler):
    """Streams without their end, documents without a reason: for those who have the key."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Be well."""
        self._answer(b"{}")

    def do_POST(self) -> None:
        """Leave out what matters."""
        if self.headers["authorization"] != "Bearer the-key":
            self.send_error(401)
            return
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        cut_off = b'data: {"choices": [{"delta": {"content": "[DONE]"}}]}\n\n'
        document = b'{"choices": [{"message": {"content": "a"}, "finish_reason": null}]}'
        self._answer(cut_off if asked["stream"] else document)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def half_answering() -> Iterator[str]:
    """Where such a system is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), HalfAnswers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_chats_that_are_not_whole_are_errors(half_answering: str) -> None:
    """However fast they come, and with whatever status."""
    done = _ask(*BRIEF, "--url", half_answering, "--key", "the-key")
    assert (done.returncode, done.stderr) == (1, "")
    (chats,) = re.findall(r"(\d+) chats", done.stdout)
    assert f"0 refused, {chats} not whole" in done.stdout
    assert done.stdout.splitlines()[-1] == "FAILED: it does not bear 3 users"


def test_a_system_that_is_not_there() -> None:
    """It is said before a single user comes."""
    done = _ask(*BRIEF, "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "FAILED: http://127.0.0.1:9 does not chat" in done.stderr


def _programs_of(folder: Path) -> list[str]:
    """The programs that were started with something in the folder, by their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # one that has just ended
            if str(folder).encode() in (process / "environ").read_bytes():
                command = (process / "cmdline").read_bytes().split(b"\0")
                found.append(Path(command[0].decode()).name)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the name of a Unix socket in it must fit into 107 bytes."""
    with TemporaryDirectory(prefix="load-") as name:
        yield Path(name)


def test_an_interrupted_test_leaves_nothing_behind(folder: Path) -> None:
    """Neither k6 nor a node nor a file."""
    with subprocess.Popen(
        _command("--users", "2", "--nodes", "1", "--hold", "600", *QUICK),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | UNMEASURED | {"TMPDIR": str(folder)},
    ) as process:
        wait_until(lambda: process.poll() is not None or "k6" in _programs_of(folder))
        process.send_signal(signal.SIGTERM)
        try:
            _, said = process.communicate(timeout=HANGS_S)
        finally:
            process.kill()
    assert (process.returncode, said.strip()) == (130, "interrupted")
    assert _programs_of(folder) == []
    assert list(folder.iterdir()) == []
