"""An operator of a real node: what it asks of the admin listener, and how it edits the file."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import httpx

from tests.daemon import Daemon

HANGS_S = 20.0
"""A limit for what hangs: how long things really take depends on the machine."""


@attrs.frozen
class ServerSentEvent:
    """One event of a stream. `number` is its id, where it has one."""

    number: int | None
    kind: str
    data: Any


@attrs.frozen(eq=False)
class Operator:
    """Holds the admin token of a node."""

    daemon: Daemon
    client: httpx.Client

    def ask(self, method: str, path: str, document: Any = None) -> httpx.Response:
        """One request; `document` becomes its JSON body."""
        return self.client.request(method, path, json=document)

    def get(self, path: str) -> Any:
        """A document that has to be there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def worker(self, name: str) -> Any:
        """How a worker is."""
        return self.get(f"/admin/workers/{name}")

    def edit(self, old: str, new: str) -> None:
        """Replace a part of the configuration file."""
        path = self.daemon.folder / "cortexd.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text, text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @contextmanager
    def events(self, query: str = "", *, after: int | None = None) -> Iterator[Any]:
        """The stream of events, as an iterator."""
        headers = {} if after is None else {"last-event-id": str(after)}
        with self.client.stream("GET", f"/admin/events{query}", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[ServerSentEvent]:
    """The events in the lines of a stream. Fails where none comes, though the stream goes on."""
    fields: dict[str, str] = {}
    give_up_at = time.monotonic() + HANGS_S
    for line in lines:
        if line.startswith(":"):
            # These comments keep coming, so that no read would ever run into the client's limit.
            assert time.monotonic() < give_up_at, f"no event within {HANGS_S:g} s"
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            number = int(fields["id"]) if "id" in fields else None
            yield ServerSentEvent(number, fields["event"], json.loads(fields["data"]))
            fields, give_up_at = {}, time.monotonic() + HANGS_S


@contextmanager
def operating(daemon: Daemon) -> Iterator[Operator]:
    """An operator of that node."""
    token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=daemon.admin_url, headers=headers, timeout=HANGS_S) as client:
        yield Operator(daemon, client)


def wait_until(satisfied: Callable[[], Any]) -> Any:
    """Ask again and again, and return the first answer that is not false."""
    give_up_at = time.monotonic() + HANGS_S
    while not (answer := satisfied()):
        assert time.monotonic() < give_up_at, f"not within {HANGS_S:g} s"
        time.sleep(0.05)
    return answer
