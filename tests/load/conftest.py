"""Nodes under load, with what can be seen of them from outside: files, memory, slots, log."""

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from tests.daemon import Daemon, running_daemon

HANGS_S: Final = 60.0
"""A limit for what hangs, not an expectation."""

FILES_MIN: Final = 8192
"""A thousand streams are four sockets each, half of them in the node, half in this process."""

PROBED_ONCE: Final = "[health]\ninterval_seconds = 3600\n"
"""Probes make connections of their own, which would disturb the count."""


@attrs.frozen
class Figures:
    """What a node holds at a moment; memory in bytes."""

    files: int
    threads: int
    memory: int
    memory_peak: int


@attrs.frozen(eq=False)
class Node:
    """A running daemon."""

    daemon: Daemon

    @property
    def port(self) -> int:
        """Where clients chat."""
        return int(self.daemon.url.rpartition(":")[2])

    def figures(self) -> Figures:
        """Count all of it."""
        process = Path(f"/proc/{self.daemon.process.pid}")
        lines = (process / "status").read_text(encoding="ascii").splitlines()
        status = {name: value for name, _, value in (line.partition(":") for line in lines)}
        return Figures(
            files=len(os.listdir(process / "fd")),  # noqa: PTH208  only their number is wanted
            threads=int(status["Threads"]),
            memory=int(status["VmRSS"].split()[0]) * 1024,
            memory_peak=int(status["VmHWM"].split()[0]) * 1024,
        )

    def forget_memory_peak(self) -> None:
        """Have the peak begin anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.daemon.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def loads(self) -> dict[str, tuple[int, int]]:
        """The requests that each worker answers, and those that wait for it; and all of them."""
        document = self.daemon.admin("/admin/dashboard")
        workers = {
            each["name"]: (each["in_flight"], each["queued"]) for each in document["workers"]
        }
        return workers | {"node": (document["pools"]["in_flight"], 0)}

    def is_idle(self) -> bool:
        """Whether there is no request in it."""
        return set(self.loads().values()) == {(0, 0)}

    def tasks(self) -> int:
        """How many tasks its loop runs."""
        return int(self.daemon.admin("/admin/dashboard")["performance"]["tasks"])

    def tree(self) -> list[tuple[str, str, int]]:
        """The supervision tree: what runs, and as which incarnation."""
        return list(_flat(self.daemon.admin("/admin/tree")))

    def outcomes(self) -> dict[str, list[str]]:
        """How the exchanges have ended, by the id of their requests."""
        ended: dict[str, list[str]] = {}
        for line in self.daemon.log.splitlines():
            entry = json.loads(line)
            if entry["event"] == "exchange ended":
                ended.setdefault(entry["request_id"], []).append(entry["outcome"])
        return ended

    def failures(self) -> list[Any]:
        """What the log has of errors, and of restarts."""
        entries = [json.loads(line) for line in self.daemon.log.splitlines()]
        return [entry for entry in entries if entry["level"] not in {"debug", "info"}]

    def wait(self, until: Callable[[], object]) -> None:
        """Look again and again."""
        end = time.monotonic() + HANGS_S
        while not until():
            assert time.monotonic() < end, (self.loads(), self.figures(), self._summary())
            time.sleep(0.2)

    def _summary(self) -> Counter[str]:
        return Counter(outcome for ended in self.outcomes().values() for outcome in ended)


@pytest.fixture(scope="session", autouse=True)
def many_files() -> Iterator[None]:
    """Let this process, and the nodes that it starts, open files enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A negative one means that there is no limit.
    assert hard < 0 or hard >= FILES_MIN, f"{FILES_MIN} files are needed: raise `ulimit -Hn`"
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MIN, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def start_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Node]]:
    """Starts nodes from the text of their `[[workers]]`, each found well; ends them at the end."""
    with ExitStack() as stack:

        def start(workers: str) -> Node:
            folder = tmp_path_factory.mktemp("load")
            node = Node(stack.enter_context(running_daemon(folder, PROBED_ONCE + workers)))
            node.wait(lambda: _all_available(node.daemon))
            return node

        yield start


def _flat(node: Any) -> Iterator[tuple[str, str, int]]:
    yield node["path"], node["state"], node["incarnation"]
    for child in node["children"]:
        yield from _flat(child)


def _all_available(daemon: Daemon) -> bool:
    workers = daemon.admin("/admin/dashboard")["workers"]
    return all(worker["status"] == "available" for worker in workers)
