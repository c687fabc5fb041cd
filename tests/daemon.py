"""A real node: the daemon as a process of its own, on ports of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

UNMEASURED = {"COVERAGE_PROCESS_CONFIG": ""}
"""The environment of a process that is killed in the end: what is measured there would be lost."""

READY_S_MAX = 60.0
"""How long a test waits for a node; a limit for what hangs, not an expectation."""

HEAD = """
[node]
state_dir = "{folder}/state"
drain_seconds = {drain_s}
[data]
bind = ["127.0.0.1:{port}"]
{data}
[admin]
bind = ["{admin}"]
[embedded]
threads = 1  # tests run side by side: threads that want all processors wait for each other
"""

PLAIN = {
    "[cache]": "enabled = false\n",
    "[degradation]": "enabled = false\n",
    "[breaker]": "enabled = false\n",
    "[retry]": "budget_ratio = 0.0\nbudget_floor_per_second = 0.0\n",
}
"""What makes each request an event of its own, by section."""


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

    def read_announcement(self) -> None:
        """Wait until it says that it is ready."""
        for line in self.process.stdout or ():
            self.announced += line
            if line.startswith("  curl "):
                return
        raise AssertionError(f"the daemon did not start: {self.log}")

    def wait_available(self, worker: str) -> None:
        """Wait until the health monitor has found this worker well."""
        give_up_at = time.monotonic() + READY_S_MAX
        while time.monotonic() < give_up_at:
            health = httpx.get(f"{self.url}/api/health", timeout=10).json()
            if health["workers"][worker] == "available":
                return
            time.sleep(0.1)
        raise AssertionError(f"the worker {worker!r} is not available: {self.log}")

    def _address(self, kind: str) -> str:
        match = re.search(rf"^  {kind} +(http://\S+)", self.announced, re.MULTILINE)
        assert match, self.announced
        return match[1]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in path.read_text(encoding="ascii").split()]


def head(
    folder: Path,
    *,
    drain_s: float = 0.0,
    data: str = "",
    port: int = 0,
    admin: str = "127.0.0.1:0",
) -> str:
    """How a configuration begins; see `running_daemon`."""
    return HEAD.format(folder=folder, drain_s=drain_s, data=data, port=port, admin=admin)


@contextmanager
def running_daemon(
    folder: Path,
    workers: str,
    *,
    data: str = "",
    port: int = 0,
    admin: str = "127.0.0.1:0",
    drain_s: float = 5.0,
    environ: dict[str, str] | None = None,
    measured: bool = False,
    log_format: str = "json",
    stderr: int | None = None,
) -> Iterator[Daemon]:
    """A node until the block ends, from the text of its `[[workers]]`, and other sections behind.

    Without those sections, a request has no memory: it is not answered out of the cache, nor waits
    for a worker to recover, nor suffers from what others have found wrong with a worker.
    `data`: more lines for the section of that name. `port`: where clients chat, if not
    anywhere; `admin`: where operators look. `measured`: whether its coverage counts; it is
    slower then, and is stopped in the end and not just killed. `stderr`: the descriptor that its
    log goes to instead of the file.
    """
    config = folder / "cortexd.toml"
    begin = head(folder, drain_s=drain_s, data=data, port=port, admin=admin)
    plain = "".join(
        f"{section}\n{keys}" for section, keys in PLAIN.items() if section not in workers
    )
    config.write_text(begin + plain + workers, encoding="utf-8")
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", log_format],
            stdout=subprocess.PIPE,
            stderr=log if stderr is None else stderr,
            text=True,
            env=os.environ | ({} if measured else UNMEASURED) | (environ or {}),
        )
    daemon = Daemon(process, "", folder)
    try:
        daemon.read_announcement()
        yield daemon
        if measured and process.poll() is None:
            daemon.stop()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
