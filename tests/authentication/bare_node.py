"""The doors of a node with nothing behind them: whoever gets past a gate is told so.

The routes are those of a node, so that a door that somebody adds is in all tests at once.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import trio
from quart_trio import QuartTrio

from cortexd.config.load import load
from cortexd.domain.client_key import (
    ClientKey,
    ClientKeyId,
    Instant,
    KeyScope,
    digest_of,
    read_key,
    write_key,
)
from cortexd.domain.criticality import Criticality
from cortexd.domain.events import CredentialRejected, Event
from cortexd.domain.secret import Secret
from cortexd.http.admin.routes import admin_routes
from cortexd.http.data_routes import data_routes
from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.quart_app import Route, build_app
from cortexd.policy.client_keys import HeldKey, KeyTable, key_table
from cortexd.policy.login_delay import LoginDelays
from cortexd.policy.rate_limit import LimitSettings
from cortexd.runtime.admin import admin_parts
from cortexd.runtime.application import Application, build_application
from cortexd.runtime.surroundings import Surroundings

TOKEN: Final = "the-admin-token-of-this-node"
PEPPER: Final = Secret("pepper")
NOW_S: Final = 1_800_000_000.0
ADDRESS: Final = "192.0.2.7"

Headers: TypeAlias = Mapping[str, str] | None

CONFIG: Final = """
[node]
state_dir = "{folder}/state"
[[workers]]
name = "actor"
type = "scripted"
"""


def _text(key_id: str, filling: int) -> str:
    return write_key(ClientKeyId(key_id), bytes([filling]) * 32)


CHAT_KEY: Final = _text("chat0000", 1)
PREMIUM_KEY: Final = _text("premium0", 2)
METRICS_KEY: Final = _text("metrics0", 3)
EXPIRED_KEY: Final = _text("expired0", 4)
REVOKED_KEY: Final = _text("revoked0", 5)
UNKNOWN_KEY: Final = _text("unknown0", 6)
FORGED_KEY: Final = _text("chat0000", 7)
"""The id of one that is right, and another secret."""


def key_of(text: str, **more: Any) -> ClientKey:
    """What a node keeps of the key."""
    parts = read_key(text)
    assert parts is not None
    return ClientKey(id=parts.id, digest=digest_of(parts.secret, PEPPER), **more)


KEYS: Final = (
    key_of(CHAT_KEY),
    key_of(PREMIUM_KEY, criticality=Criticality.PREMIUM),
    key_of(METRICS_KEY, scope=KeyScope.METRICS),
    key_of(EXPIRED_KEY, expires_at=Instant(NOW_S - 1)),
    key_of(REVOKED_KEY, revoked_at=Instant(NOW_S - 1)),
)


@attrs.frozen
class Reply:
    """What came back. `reached`: the request that got to the door, if one did."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    body_was_read: bool
    reached: DoorRequest | None = None

    @property
    def code(self) -> str | None:
        """The code of the error, in OpenAI's shape."""
        code: str | None = json.loads(self.body)["error"]["code"]
        return code


@attrs.define
class Behind:
    """Stands in the place of all doors."""

    reached: DoorRequest | None = None

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Say that the gate was open."""
        self.reached = request
        await respond.start(204, [])
        await respond.finish()


@attrs.frozen(eq=False)
class Host:
    """A listener behind whose gates nothing is but `Behind`."""

    app: QuartTrio
    behind: Behind

    @classmethod
    def of(cls, routes: Sequence[Route], *, is_admin: bool) -> "Host":
        """The listener with these routes."""
        behind = Behind()
        stubs = [attrs.evolve(route, door=behind) for route in routes]
        return cls(hosted(stubs, is_admin=is_admin), behind)

    async def ask(self, method: str, path: str, headers: Headers = None, **more: Any) -> Reply:
        """One request."""
        self.behind.reached = None
        reply = await ask_app(self.app, method, path, headers, **more)
        return attrs.evolve(reply, reached=self.behind.reached)


@attrs.define(eq=False)
class Node:
    """Both listeners, without sockets. `now` is the time on both clocks, in seconds."""

    app: Application
    events: list[Event]
    clock: list[float]
    data_hosts: dict[bool, Host] = attrs.Factory(dict)
    admin_host: Host | None = None

    def use(self, table: KeyTable) -> None:
        """Have the gates go by this table."""
        self.app.client_keys.actor.table.publish(table)

    @property
    def keys(self) -> list[HeldKey]:
        """All keys of the table."""
        return list(self.app.client_keys.actor.table.value.keys.values())

    def table(
        self,
        keys: Sequence[ClientKey],
        *,
        limits: LimitSettings | None = None,
        is_complete: bool = True,
    ) -> KeyTable:
        """A table of these keys."""
        return key_table(
            keys, limits or LimitSettings(), KeyTable(), last_used_at={}, is_complete=is_complete
        )

    @property
    def admin_routes(self) -> tuple[Route, ...]:
        """All endpoints for operators."""
        return admin_routes(admin_parts(self.app), Secret(TOKEN))

    def data_routes(self, *, always: bool = False) -> tuple[Route, ...]:
        """All endpoints for clients."""
        return data_routes(self.app.doors, self.app.client_keys.client_gate(always=always))

    @property
    def rejections(self) -> list[CredentialRejected]:
        """The failed attempts that were reported."""
        return [event for event in self.events if isinstance(event, CredentialRejected)]

    def forgive(self) -> None:
        """Forget all failed attempts, as if they were long ago."""
        self.app.client_keys.attempts.delays = LoginDelays()

    def log_in(self) -> tuple[str, str]:
        """A session: its cookie, and its second token."""
        cookie, session = self.app.client_keys.sessions.open(self.clock[0])
        return cookie, session.csrf_token

    async def ask_data(
        self, method: str, path: str, headers: Headers = None, *, always: bool = False, **more: Any
    ) -> Reply:
        """One request to the listener for clients. `always`: as if it could be reached by all."""
        if always not in self.data_hosts:
            self.data_hosts[always] = Host.of(self.data_routes(always=always), is_admin=False)
        return await self.data_hosts[always].ask(method, path, headers, **more)

    async def ask_admin(
        self, method: str, path: str, headers: Headers = None, **more: Any
    ) -> Reply:
        """One request to the listener for operators."""
        if self.admin_host is None:
            self.admin_host = Host.of(self.admin_routes, is_admin=True)
        return await self.admin_host.ask(method, path, headers, **more)


def hosted(routes: Sequence[Route], *, is_admin: bool) -> QuartTrio:
    """The application that serves the routes."""
    return build_app(routes, max_body_bytes=10_000, body_seconds=5.0, own_origin_only=is_admin)


async def ask_app(
    app: QuartTrio,
    method: str,
    path: str,
    headers: Headers = None,
    *,
    client: str = ADDRESS,
    body: bytes = b"{}",
) -> Reply:
    """One request, as any ASGI host would put it."""
    sent: list[Any] = []
    reads = 0

    async def receive() -> Any:
        nonlocal reads
        reads += 1
        if reads > 1:
            await trio.sleep_forever()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    own = {"host": "node.test:4001", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in own.items()],
        "client": (client, 1234),
        "server": ("127.0.0.1", 4001),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]  # a dict, as ASGI has it
    [start, *pieces] = sent
    return Reply(
        status=start["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(piece.get("body", b"") for piece in pieces),
        body_was_read=reads > 0,
    )


def bare_node(folder: Path) -> Node:
    """A node with keys of every kind, and no actor that runs."""
    path = folder / "cortexd.toml"
    path.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    events: list[Event] = []
    clock = [NOW_S]
    around = Surroundings(
        emit=events.append, clock=lambda: clock[0], wall_clock=lambda: clock[0], pepper=PEPPER
    )
    node = Node(build_application(load(path, {}), around), events, clock)
    node.use(node.table(KEYS))
    return node
