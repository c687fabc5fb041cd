"""The way to Redis: short calls that never hold anybody up, and a breaker for when it is gone.

Rules of this file: a call ends within its limit (in ticks: see `loop_ticks.py`), and at once while
the link is down; no exception of the library gets out. `run` connects, and finds out when Redis is
back.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import trio
from anyio import BrokenResourceError, ClosedResourceError
from coredis import Redis
from coredis.exceptions import ConnectionError as Disconnected
from coredis.exceptions import NoScriptError, RedisError
from coredis.retry import NoRetryPolicy

from cortexd.cluster.loop_ticks import LoopTicks
from cortexd.cluster.lua_script import LuaScript
from cortexd.domain.errors import SharedStoreFailed
from cortexd.domain.events import ClusterLinkChanged, Emit
from cortexd.domain.server_url import ServerUrl

CALL_S_MAX: Final = 0.05
LATE_IN_A_ROW_MAX: Final = 3
"""So many calls may be late, one after the other, before nobody is made to wait any more."""

CONNECT_S_MAX: Final = 2.0
WAIT_S_FIRST: Final = 0.2
WAIT_S_MAX: Final = 2.0
"""The waits between attempts to connect double from the first of these to the second."""

CONNECTIONS_MAX: Final = 4
"""Calls share connections: a second one is opened only while the first is being lost."""

REFUSAL_TOLD_S: Final = 60.0
PORT: Final = 6379

LOST: Final = (Disconnected, BrokenResourceError, ClosedResourceError, RuntimeError)
"""What a call meets whose connection ends: coredis lets out what its own buffers say meanwhile, and
a bare `RuntimeError` is what its pool says while it is being closed."""

Client: TypeAlias = "Redis[bytes]"
T = TypeVar("T")


class RedisLink:
    """One Redis, for the rest of the node; it outlives the incarnations of `run`."""

    def __init__(
        self, url: ServerUrl, *, client_name: str, chance: random.Random, emit: Emit
    ) -> None:
        self._url = url
        self._client_name = client_name
        self._chance = chance
        self._emit = emit
        self._client: Client | None = None
        self._suspicion = trio.Event()
        self._ticks = LoopTicks()
        self._late_in_a_row = 0
        self._down_because = "it has not been reached yet"
        self._refused: tuple[float, str] | None = None
        self._was_told_up: bool | None = None

    @property
    def is_up(self) -> bool:
        """Whether calls are tried at all."""
        return self._client is not None

    def trouble(self, now: float) -> str | None:
        """What is wrong with it, if anything: it is down, or has refused something lately."""
        if self._client is None:
            return self._down_because
        if self._refused is not None and now < self._refused[0] + REFUSAL_TOLD_S:
            return self._refused[1]
        return None

    async def call(
        self, command: Callable[[Client], Awaitable[T]], *, limit_s: float = CALL_S_MAX
    ) -> T:
        """Do one command, or a few, within the limit.

        Errors: `SharedStoreFailed`, at once while the link is down.
        Cancellation: what was sent may be done or not; the link stays usable.
        """
        client = self._client
        if client is None:
            raise SharedStoreFailed(self._down_because)
        with self._ticks.limit(limit_s):
            try:
                value = await command(client)
            except LOST as error:
                self._suspect(client, f"the connection is lost: {error!r}")
                raise SharedStoreFailed(self._down_because) from error
            except RedisError as error:
                refusal = f"refused: {error}"
                self._refused = (trio.current_time(), refusal)
                raise SharedStoreFailed(refusal) from error
            self._late_in_a_row = 0
            return value
        self._late_in_a_row += 1
        late = f"no answer within {limit_s:g} s"
        if self._late_in_a_row >= LATE_IN_A_ROW_MAX:
            self._suspect(client, late)
        raise SharedStoreFailed(late)

    async def run_script(
        self,
        script: LuaScript,
        keys: Sequence[str],
        arguments: Sequence[str | int | float | bytes] = (),
        *,
        limit_s: float = CALL_S_MAX,
    ) -> Any:
        """Have Redis run a script; it is sent along only where Redis does not know it yet.

        Errors and cancellation: as `call`.
        """

        async def run(client: Client) -> Any:
            try:
                return await client.evalsha(script.digest, list(keys), list(arguments))
            except NoScriptError:
                return await client.eval(script.text, list(keys), list(arguments))

        return await self.call(run, limit_s=limit_s)

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ticks.run)
            await self._keep_connected()

    async def _keep_connected(self) -> None:
        wait_s = WAIT_S_FIRST
        while True:
            if await self._serve():
                wait_s = WAIT_S_FIRST
            await trio.sleep(wait_s * self._chance.uniform(0.8, 1.2))
            wait_s = min(2 * wait_s, WAIT_S_MAX)

    async def _serve(self) -> bool:
        """Have the link up until it is suspected; whether it came up at all."""
        was_up = False
        try:
            async with self._new_client() as client:
                with trio.fail_after(CONNECT_S_MAX):
                    await client.ping()
                was_up = True
                self._up(client)
                try:
                    await self._suspicion.wait()
                finally:
                    self._client = None
        except* (RedisError, OSError) as errors:
            self._down_because = f"it cannot be reached: {_first(errors)}"
        except* trio.TooSlowError:
            self._down_because = f"it does not answer within {CONNECT_S_MAX:g} s"
        self._tell(is_up=False, reason=self._down_because)
        return was_up

    def _up(self, client: Client) -> None:
        self._client = client
        self._suspicion = trio.Event()
        self._late_in_a_row = 0
        self._tell(is_up=True, reason=None)

    def _tell(self, *, is_up: bool, reason: str | None) -> None:
        """Tell of a change, and of how it is in the first place."""
        if is_up is not self._was_told_up:
            self._was_told_up = is_up
            self._emit(ClusterLinkChanged(is_up=is_up, reason=reason))

    def _suspect(self, client: Client, reason: str) -> None:
        """Make nobody wait any more; a call of an earlier connection says nothing of this one."""
        if client is self._client:
            self._client = None
            self._down_because = reason
            self._suspicion.set()

    def _new_client(self) -> Client:
        url = self._url
        return Redis(
            url.host,
            url.port or PORT,
            db=int(url.path or 0),
            username=url.username,
            password=None if url.password is None else url.password.reveal(),
            ssl=url.scheme == "rediss",
            # Otherwise any certificate would do that some authority has given to anybody.
            ssl_check_hostname=True,
            client_name=self._client_name,
            connect_timeout=CONNECT_S_MAX,
            max_connections=CONNECTIONS_MAX,
            retry_policy=NoRetryPolicy(),
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    """What the first of them says, with what the library says was the cause."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = [str(error)]
    while (cause := error.__cause__) is not None:
        error = cause
        if str(error) and str(error) != said[-1]:
            said.append(str(error))
    return ": ".join(said)
