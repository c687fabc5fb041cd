"""The line to the broker, on the Trio side: kept up for as long as it runs.

The loop of asyncio lives inside `run` and nowhere else. Others hand over what is to be sent, and
are told what came, by values that know nothing of it. What was sent when the line broke is sent
again with the same id: whoever gets it twice knows.
"""

import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

import attrs
import structlog
import trio
import trio_asyncio  # type: ignore[import-untyped]  # it has no types
from aio_pika.abc import AbstractIncomingMessage

from cortexd.domain.fleet import (
    Command,
    FleetMessage,
    LineStanding,
    MessageId,
    Received,
    Status,
)
from cortexd.domain.fleet_errors import LineDown, MessageUndeliverable
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl
from cortexd.fleet.envelope import EVERYBODY, MessageRejected, Sealed, seal, terms, unseal
from cortexd.fleet.failures import LineFailed, MessageRefused
from cortexd.fleet.session import PREFETCH, Session, sealed_of
from cortexd.fleet.topology import COMMANDS, REGISTER, STATUS, TO_ALL, Topology

WAITING_MAX: Final = 1000
"""So many messages may wait to be sent."""

DELIVERIES_MAX: Final = 5
"""So often is a message offered to someone who fails over it, before it is a dead letter."""

OFFER_AGAIN_S: Final = 0.2

WAIT_S_MIN: Final = 0.4
WAIT_S_MAX: Final = 3.0
"""How long the next attempt is waited for at most, at first and after many; at least half of it."""

HOPELESS_S: Final = (1.5, 3.0)
"""The same where an attempt will not help before somebody acts."""

WATCH_S: Final = 0.1

CLOSE_S_MAX: Final = 5.0
"""How long an end may take. A session sees to it itself, and is sooner done; see there."""

Take: TypeAlias = Callable[[Received], Awaitable[None]]
"""Does what a message wants; raises if it could not be done now."""

log = structlog.get_logger("cortexd")


@attrs.frozen(kw_only=True)
class LineParts:
    """What a line is made of.

    `name`: who we are to those who send us something. `take`: see `Take`. `on_change`: called when
    the line has come up or gone down, is blocked or no longer. `on_reject`: called with the queue
    and the reason when something came that cannot be used. Neither of these two waits.
    `is_untaken`: which of the errors of `take` mean that it may be tried again.
    `pulse_s`: how often the broker is asked whether it is there, and whether it takes anything.
    """

    url: ServerUrl
    key: Secret
    name: str
    topology: Topology
    take: Take
    on_change: Callable[[LineStanding], None]
    on_reject: Callable[[str, str], None]
    pulse_s: float
    is_untaken: tuple[type[Exception], ...]
    chance: random.Random
    wall_clock: Callable[[], float] = time.time


@attrs.define(eq=False)
class _Outgoing:
    """A message that waits to be taken over by the broker."""

    sealed: Sealed
    exchange: str
    key: str
    done: trio.Event = attrs.Factory(trio.Event)
    problem: str | None = None


class Line:
    """The port `FleetLine`. It outlives the task that keeps it up."""

    def __init__(self, parts: LineParts) -> None:
        self._parts = parts
        self._standing = LineStanding()
        self._waiting: deque[_Outgoing] = deque()
        self._has_work = trio.Event()

    @property
    def standing(self) -> LineStanding:
        """As in the port."""
        return self._standing

    async def publish(
        self, message: FleetMessage, *, to: str | None, id_: MessageId, life_s: float
    ) -> None:
        """As in the port."""
        if len(self._waiting) >= WAITING_MAX:
            raise LineDown("too many messages wait for the broker")
        audience = EVERYBODY if to is None else to
        when = terms(audience, sent_at=self._parts.wall_clock(), life_s=life_s)
        sealed = seal(message, id_, when, self._parts.key)
        outgoing = _Outgoing(sealed, *_way(message, to))
        self._waiting.append(outgoing)
        self._has_work.set()
        try:
            with trio.move_on_after(life_s):
                await outgoing.done.wait()
        finally:
            self._forget(outgoing)
        if not outgoing.done.is_set():
            raise LineDown(self._standing.failure or "the broker takes nothing now")
        if outgoing.problem is not None:
            raise MessageUndeliverable(outgoing.problem)

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        longest_s = WAIT_S_MIN
        for library in ("aio_pika", "aiormq"):
            # What they have to say of each attempt is said once, by us.
            logging.getLogger(library).setLevel(logging.CRITICAL)
        try:
            async with trio_asyncio.open_loop() as loop:
                loop.set_exception_handler(_log_complaint)
                while True:
                    failure, was_up = await self._hold_one()
                    longest_s = WAIT_S_MIN if was_up else min(WAIT_S_MAX, 2 * longest_s)
                    span_s = HOPELESS_S if failure.is_hopeless else (longest_s / 2, longest_s)
                    await trio.sleep(self._parts.chance.uniform(*span_s))
        finally:
            self._fell(LineFailed("the line is not being kept up"))

    async def _hold_one(self) -> tuple[LineFailed, bool]:
        """Use one connection until it fails; whether it ever carried."""
        send, receive = trio.open_memory_channel[tuple[str, AbstractIncomingMessage]](4 * PREFETCH)

        def deliver(queue: str, message: AbstractIncomingMessage) -> None:
            # The broker sends no more than was agreed upon; what is refused comes again.
            with suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                send.send_nowait((queue, message))

        parts = self._parts
        session = Session(parts.url, parts.topology, deliver, pulse_s=parts.pulse_s)
        was_up = False
        try:
            await _asyncio(session.open)
            was_up = True
            self._stand(_up(session))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, session, receive)
                nursery.start_soon(self._send, session)
                await self._watch(session)
                nursery.cancel_scope.cancel()
        except LineFailed as failure:
            session.fail(failure)
        finally:
            self._fell(session.failure or LineFailed("the line is not being kept up"))
            with trio.move_on_after(CLOSE_S_MAX, shield=True):
                await _asyncio(session.close)
        return session.failure or LineFailed("closed"), was_up

    async def _watch(self, session: Session) -> None:
        """Say how the line stands, until it fails."""
        pulses = 0
        while session.failure is None:
            await trio.sleep(WATCH_S)
            now = trio.current_time()
            standing = self._standing
            if session.is_blocked:
                # Nothing is proved meanwhile, and agents have to come back afterwards.
                standing = attrs.evolve(
                    standing, is_blocked=True, proved_at=None, steady_since=None
                )
            elif session.pulses != pulses:
                pulses = session.pulses
                standing = LineStanding(
                    is_up=True, proved_at=now, steady_since=standing.steady_since or now
                )
            self._stand(standing)

    async def _send(self, session: Session) -> None:
        """Send what waits, one after the other, as long as the broker takes it."""
        while True:
            while not self._waiting:
                self._has_work = trio.Event()
                await self._has_work.wait()
            outgoing = self._waiting[0]
            if session.is_blocked:
                await trio.sleep(WATCH_S)
                continue
            try:
                await _asyncio(
                    partial(session.publish, exchange=outgoing.exchange, key=outgoing.key),
                    outgoing.sealed,
                )
            except MessageRefused as refused:
                outgoing.problem = str(refused)
                await self._bury(session, outgoing)
            except LineFailed as failure:
                if not session.is_blocked:
                    session.fail(failure)
                    return
                continue
            self._forget(outgoing)
            outgoing.done.set()

    def _forget(self, outgoing: _Outgoing) -> None:
        # Whoever sends it and whoever waits for it may be done with it first.
        with suppress(ValueError):
            self._waiting.remove(outgoing)

    async def _bury(self, session: Session, outgoing: _Outgoing) -> None:
        """Keep what nobody would take; that nobody has asked to be there is no news."""
        if outgoing.key != TO_ALL and outgoing.exchange == COMMANDS:
            with suppress(LineFailed, MessageRefused):
                await _asyncio(session.bury, outgoing.sealed, outgoing.problem)

    async def _read(
        self,
        session: Session,
        receive: "trio.MemoryReceiveChannel[tuple[str, AbstractIncomingMessage]]",
    ) -> None:
        async for queue, message in receive:
            try:
                await self._handle(session, queue, message)
                await _asyncio(session.settle, message)
            except LineFailed as failure:
                if not session.is_blocked:
                    session.fail(failure)
                    return

    async def _handle(self, session: Session, queue: str, message: AbstractIncomingMessage) -> None:
        parts, sealed = self._parts, sealed_of(message)
        try:
            received = unseal(sealed, audience=parts.name, now=parts.wall_clock(), key=parts.key)
        except MessageRejected as rejected:
            await self._reject(session, queue, sealed, str(rejected))
            return
        for attempt in range(DELIVERIES_MAX):
            if attempt:
                await trio.sleep(OFFER_AGAIN_S)
            try:
                await parts.take(received)
            except parts.is_untaken:
                continue
            return
        reason = f"who had to take it failed {DELIVERIES_MAX} times"
        await self._reject(session, queue, sealed, reason)

    async def _reject(self, session: Session, queue: str, sealed: Sealed, reason: str) -> None:
        self._parts.on_reject(queue, reason)
        with suppress(MessageRefused):
            await _asyncio(session.bury, sealed, reason)

    def _fell(self, failure: LineFailed) -> None:
        self._stand(LineStanding(failure=str(failure), is_hopeless=failure.is_hopeless))

    def _stand(self, standing: LineStanding) -> None:
        before, self._standing = self._standing, standing
        was, now = ((each.is_up, each.is_blocked, each.failure) for each in (before, standing))
        if was != now:
            self._parts.on_change(standing)


def _up(session: Session) -> LineStanding:
    now = trio.current_time()
    return LineStanding(is_up=True, is_blocked=session.is_blocked, proved_at=now, steady_since=now)


def _way(message: FleetMessage, to: str | None) -> tuple[str, str]:
    """The exchange and the routing key of a message."""
    if isinstance(message, Command):
        return COMMANDS, TO_ALL if to is None else to
    return (STATUS if isinstance(message, Status) else REGISTER), ""


async def _asyncio(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Call something of asyncio, which sees to it itself that it ends in time."""
    return await trio_asyncio.aio_as_trio(work)(*arguments)


def _log_complaint(_loop: object, context: dict[str, Any]) -> None:
    """What happens in tasks that were left behind concerns nobody but those who look for it."""
    error = context.get("exception")
    log.debug("the broker's library complains", reason=repr(error or context.get("message")))
