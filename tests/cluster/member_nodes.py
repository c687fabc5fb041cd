"""Real nodes of one cluster that need no model server, and clients that never stop asking them."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.daemon import running_daemon
from tests.operator import Operator, operating, wait_until

LEASE_S = 3.0
BEATS = 6
WORKERS = tuple(f"w{number}" for number in range(9))
CHAT_S_MAX = 20.0
PAUSE_S = 0.05

CONFIG = """
[cluster]
redis_url = "{redis}"
name = "{cluster}"
lease_seconds = {lease}
beat_seconds = {beat:.2f}
"""

SCRIPTED = "".join(f'[[workers]]\nname = "{name}"\ntype = "scripted"\n' for name in WORKERS)


@attrs.frozen(eq=False)
class MemberNode(Operator):
    """A node for its operator and for clients."""

    name: str

    def cluster(self, query: str = "") -> Any:
        """The cluster as it sees it."""
        return self.get(f"/admin/cluster{query}")

    def members(self) -> list[str]:
        """Who is there."""
        return [each["name"] for each in self.cluster()["nodes"]]

    def owners(self) -> dict[str, str | None]:
        """Who sees to each worker."""
        return {each["name"]: each["owner"] for each in self.cluster()["workers"]}

    def active(self) -> dict[str, bool]:
        """The workers it has, and whether they are active."""
        return {each["name"]: each["active"] for each in self.get("/admin/workers")["items"]}

    def logged(self, event: str) -> list[str]:
        """The lines of its log about an event."""
        return [line for line in self.daemon.log.splitlines() if f'"event":"{event}"' in line]


@attrs.define(eq=False)
class Crowd:
    """Clients of a node, and what has become of their chats."""

    url: str
    tokens_max: int | None = None
    served: int = 0
    failed: list[str] = attrs.Factory(list)
    is_over: bool = False

    def chat_on(self) -> None:
        """Chat, one after the other."""
        message = {"role": "user", "content": "go on"}
        body = {"model": "auto", "messages": [message], "max_tokens": self.tokens_max}
        with httpx.Client(timeout=CHAT_S_MAX) as client:
            while not self.is_over:
                try:
                    answer = client.post(f"{self.url}/v1/chat/completions", json=body)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                else:
                    self.served += answer.status_code == 200
                    if answer.status_code != 200:
                        self.failed.append(answer.text)
                time.sleep(PAUSE_S)

    def wait_for_more(self, count: int = 20) -> None:
        """Until so many more have been served."""
        goal = self.served + count
        wait_until(lambda: self.served >= goal or self.failed)


@contextmanager
def chatting(*nodes: MemberNode, tokens_max: int | None = None) -> Iterator[list[Crowd]]:
    """Clients of each of these nodes for the length of the block, of whom none may be failed.

    `tokens_max`: how long an answer they want.
    """
    crowds = [Crowd(node.daemon.url, tokens_max) for node in nodes]
    threads = [threading.Thread(target=crowd.chat_on) for crowd in crowds for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield crowds
        for crowd in crowds:
            crowd.wait_for_more()
    finally:
        for crowd in crowds:
            crowd.is_over = True
        for thread in threads:
            thread.join()
    failed = [crowd.failed for crowd in crowds]
    assert not any(failed), failed


@contextmanager
def running_members(
    folder: Path,
    urls: dict[str, str],
    *,
    cluster: str,
    lease_s: float = LEASE_S,
    workers: str = SCRIPTED,
) -> Iterator[Callable[[str], MemberNode]]:
    """A function that starts a node by its name, and again; `urls`: where Redis is for each.

    `workers`: the text of their `[[workers]]`, and other sections behind.
    """
    with ExitStack() as stack:

        def start(name: str) -> MemberNode:
            config = CONFIG.format(
                redis=urls[name], cluster=cluster, lease=lease_s, beat=lease_s / BEATS
            )
            (folder / name).mkdir(exist_ok=True)
            environ = {"CORTEXD__NODE__NAME": name}
            daemon = stack.enter_context(
                running_daemon(folder / name, config + workers, environ=environ)
            )
            operator = stack.enter_context(operating(daemon))
            return MemberNode(operator.daemon, operator.client, name)

        yield start


def started(start: Callable[[str], MemberNode], *names: str) -> list[MemberNode]:
    """These nodes, when they know each other and have shared out their workers."""
    with ThreadPoolExecutor(len(names)) as pool:
        nodes = list(pool.map(start, names))
    wait_settled(*nodes)
    return nodes


@attrs.define(eq=False)
class Members:
    """The nodes of a cluster, and how to start one of them again."""

    nodes: list[MemberNode]
    start: Callable[[str], MemberNode]

    def revive(self) -> None:
        """Start those again that a test has ended."""
        for place, node in enumerate(self.nodes):
            if node.daemon.process.poll() is not None:
                self.nodes[place] = self.start(node.name)
        wait_settled(*self.nodes)


def wait_settled(*nodes: MemberNode) -> None:
    """Until all of them see the same: each other, one leader, workers that are well and owned."""
    names = sorted(node.name for node in nodes)

    def settled() -> bool:
        views = [node.cluster() for node in nodes]
        owners = [node.owners() for node in nodes]
        return (
            all([each["name"] for each in view["nodes"]] == names for view in views)
            and len({view["leader"] for view in views}) == 1
            and views[0]["leader"] is not None
            and all(each == owners[0] for each in owners)
            and None not in owners[0].values()
            and all(_is_well(each) for view in views for each in view["workers"])
        )

    wait_until(settled)


def _is_well(worker: Mapping[str, Any]) -> bool:
    return not worker["active"] or set(worker["states"].values()) == {"available"}
