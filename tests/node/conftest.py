"""Real nodes: the daemon as a process of its own, on ports of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import httpx
import pytest

READY_S_MAX = 60.0
"""How long a test waits for a node; a limit for what hangs, not an expectation."""

HEAD = """
[node]
state_dir = "{folder}/state"
drain_seconds = {drain_s}
[data]
bind = ["127.0.0.1:0"]
[admin]
bind = ["127.0.0.1:0"]
"""


@attrs.define(eq=False)
class Daemon:
    """A running `cortexd`, ready, with what it has announced."""

    process: subprocess.Popen[str]
    announced: str
    folder: Path

    @property
    def url(self) -> str:
        """Where clients chat."""
        return self._address("clients")

    @property
    def admin_url(self) -> str:
        """Where operators look."""
        return self._address("admin")

    @property
    def log(self) -> str:
        """All log lines so far."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def admin(self, path: str) -> Any:
        """A document of the admin listener."""
        token = (self.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
        answer = httpx.get(
            self.admin_url + path, headers={"authorization": f"Bearer {token}"}, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def descendants(self) -> list[int]:
        """The processes it has started, and theirs."""
        found, new = [], [self.process.pid]
        while new:
            children = [child for pid in new for child in _children(pid)]
            found += children
            new = children
        return found

    def stop(self, *, within_s: float = READY_S_MAX) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def _address(self, kind: str) -> str:
        match = re.search(rf"^  {kind} +(http://\S+)", self.announced, re.MULTILINE)
        assert match, self.announced
        return match[1]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in path.read_text(encoding="ascii").split()]


StartDaemon: TypeAlias = Callable[..., Daemon]


@pytest.fixture(scope="module")
def start_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartDaemon]:
    """Starts nodes from the text of their `[[workers]]`; ends them after the module."""
    started: list[Daemon] = []

    def start(
        workers: str, *, drain_s: float = 5.0, environ: dict[str, str] | None = None
    ) -> Daemon:
        folder = tmp_path_factory.mktemp("node")
        config = folder / "cortexd.toml"
        config.write_text(HEAD.format(folder=folder, drain_s=drain_s) + workers, encoding="utf-8")
        with (folder / "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", "json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | (environ or {}),
            )
        daemon = Daemon(process, "", folder)
        started.append(daemon)
        assert process.stdout
        for line in process.stdout:
            daemon.announced += line
            if line.startswith("  curl "):
                return daemon
        pytest.fail(f"the daemon did not start: {daemon.log}")

    yield start
    for daemon in started:
        daemon.process.kill()
        daemon.process.wait()
        if daemon.process.stdout:
            daemon.process.stdout.close()
