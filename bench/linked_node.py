"""A node that shares over a Redis of its own, and what each of them tells of the other."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from bench.pairs import TALKER, Client, NotMeasured, Seconds, new_texts
from tests.daemon import running_daemon
from tests.operator import Operator, operating
from tests.servers.redis import RedisServer, running_redis

NOTICED_S_MAX: Final = 20.0

REQUESTS_PER_MINUTE: Final = 1_000_000
"""A limit that is asked about and never reached."""

CONFIG: Final = """
[cache]
enabled = true
[cluster]
redis_url = "{url}"
"""

_LOOKS: Final = ("l2_misses", "l2_failed")


@attrs.frozen(eq=False)
class LinkedNode:
    """A cluster of one node: it, its Redis, its operator and its client."""

    redis: RedisServer
    operator: Operator
    client: Client

    def looks(self) -> dict[str, int]:
        """For how many requests Redis was looked into, by what that brought."""
        document = self.operator.get("/admin/cache")
        return {name: document[name] for name in _LOOKS}

    def scripts(self) -> int:
        """How many scripts its Redis has run (https://redis.io/docs/latest/commands/info/)."""
        return self._told("commandstats", r"^cmdstat_evalsha:calls=(\d+)")

    def connections(self) -> int:
        """How many its Redis has taken."""
        return self._told("stats", r"^total_connections_received:(\d+)")

    def _told(self, section: str, pattern: str) -> int:
        found = re.search(pattern, self.redis.command("info", section), re.MULTILINE)
        return int(found[1]) if found else 0

    def is_linked(self) -> bool:
        """Whether the node asks its Redis at all."""
        return bool(self._cluster()["redis"]["up"])

    def is_member(self) -> bool:
        """Whether it is all that a node of a cluster can be."""
        return self.is_linked() and self._cluster()["state"] == "member"

    def _cluster(self) -> Any:
        return self.operator.get("/admin/cluster")

    def ask_until(self, satisfied: Callable[[], bool], what: str) -> Seconds:
        """For how many seconds each answer until then has taken to come. Raises `NotMeasured`."""
        times: list[float] = []
        give_up_at = time.monotonic() + NOTICED_S_MAX
        while not satisfied():
            if time.monotonic() > give_up_at:
                raise NotMeasured(f"not {what} within {NOTICED_S_MAX:g} s")
            times.append(self.client.ask())
        return times


@contextmanager
def running_linked_node(folder: Path) -> Iterator[LinkedNode]:
    """One that is a member of a cluster, with a key that has a limit; until the block ends."""
    folder.mkdir()
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(folder))
        node = stack.enter_context(running_daemon(folder, TALKER + CONFIG.format(url=redis.url)))
        node.wait_available("talker")
        operator = stack.enter_context(operating(node))
        made = operator.ask("POST", "/admin/keys", {"requests_per_minute": REQUESTS_PER_MINUTE})
        client = Client(node, made.json()["key"], new_texts())
        linked = LinkedNode(redis, operator, stack.enter_context(closing(client)))
        linked.ask_until(linked.is_member, "a member")
        yield linked
