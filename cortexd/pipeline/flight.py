"""One upstream call for all who ask the same thing at the same time.

As long as the request that began it is alone, the flight's own task writes to its client: a piece
costs no switch of tasks. With the first that joins, the flight only keeps a record, and the task of
each request reads it at the pace of its own client: a slow one holds up nobody.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final

import attrs
import trio

from cortexd.domain.answer import AnswerEvent, Batch, Finished
from cortexd.domain.cache_use import CacheUse
from cortexd.domain.errors import CortexError, NodeStopping, WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.pipeline.exchange import ChatService, Exchange
from cortexd.policy.answer_record import AnswerRecord
from cortexd.ports import Downstream

RECORD_BYTES_MAX: Final = 1024 * 1024
"""What is longer is neither kept for later nor shared with anybody who comes late."""

SHARED_RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
"""What a worker that does not find an end may say to several."""

JOIN_S_MAX: Final = 0.1
"""How long one who joins waits for a slow client that is being written to."""

END_S_MAX: Final = 1.0
"""How long the last one who leaves waits for the upstream call to end."""

READ_EVENTS_MAX: Final = 64
"""How many events one who lags behind writes at once."""


@attrs.define(eq=False)
class _Participant:
    """A request that the flight is for. `position`: how much of the record it has had."""

    exchange: Exchange
    deadline: float
    position: int = 0
    is_writing: bool = False


class Flight(Downstream):
    """An upstream call and those it is for. Its `exchange` is what the inner layers see.

    `fingerprint`: the key of the request. `is_joinable`: others may still join.
    """

    def __init__(self, leader: Exchange, fingerprint: bytes) -> None:
        first = _Participant(leader, trio.current_effective_deadline())
        self.fingerprint = fingerprint
        self.is_joinable = True
        self.exchange = attrs.evolve(leader, downstream=self)
        self._participants = [first]
        # The only participant, while the flight itself writes to its client.
        self._alone: _Participant | None = first
        self._is_writing = False
        self._has_callers = False
        self._scope = trio.CancelScope(deadline=first.deadline)
        self._changes = trio.lowlevel.ParkingLot()
        self._record = AnswerRecord()
        self._keeps_record = True
        self._failure: Exception | None = None
        self._trace: TracebackType | None = None
        self._is_over = self._is_whole = False

    @property
    def record(self) -> Sequence[AnswerEvent]:
        """What has been said so far; nothing, once it was too much to keep."""
        return self._record.events

    @property
    def size_bytes(self) -> int:
        """How much of it there is, about."""
        return self._record.size_bytes

    @property
    def is_writing(self) -> bool:
        """Whether it is waiting for the one client there is."""
        return self._is_writing

    def account(self, use: CacheUse) -> None:
        """Say where the answer comes from, of whoever it is accounted to; before it begins."""
        # Those who join later, or have, know that it is another's.
        if self._participants:
            self._participants[0].exchange.cache = use

    async def run(self, inner: ChatService, keep: Callable[["Flight"], object]) -> None:
        """Carry the answer to all; `keep` is called once it is whole, before anybody has left.

        Whatever goes wrong is raised in the tasks of those the flight is for, never here.
        """
        try:
            with self._scope:
                await inner(self.exchange)
                keep(self)
                self._is_whole = True
        except Exception as error:  # noqa: BLE001  raised again in each participant's own task
            self._failure, self._trace = error, error.__traceback__
        finally:
            self._is_over = True
            self._close()

    async def lead(self) -> None:
        """Wait until the exchange that began the flight is answered.

        Errors: what the inner layers have raised. Cancellation: ends the flight within END_S_MAX,
        unless others have joined it.
        """
        await self._attend(self._participants[0])

    async def follow(self, exchange: Exchange) -> None:
        """Let the flight answer this exchange, too; at once after `let_in`. Otherwise as `lead`."""
        participant = _Participant(exchange, trio.current_effective_deadline())
        self._participants.append(participant)
        self._scope.deadline = max(self._scope.deadline, participant.deadline)
        self._share()
        exchange.trail = self.exchange.trail
        await self._attend(participant)

    async def let_in(self) -> bool:
        """Whether another exchange may join; waits a moment where a client is being written to.

        A flight that has not let somebody in is not joinable any more.
        """
        with trio.move_on_after(JOIN_S_MAX):
            while self.is_joinable and self._is_writing:
                self._has_callers = True
                await self._changes.park()
        if self._is_writing:
            self._close()
        return self.is_joinable

    async def send(self, events: Batch) -> None:
        """Write a batch to the one client there is, or put it on record for several.

        Errors: `WorkerFailed` from the one client's door, or for an answer without end.
        """
        if self._alone is None:
            self._record_for_all(events)
            return
        exchange = self._alone.exchange
        if exchange.first_sent_at is None:
            exchange.first_sent_at = trio.current_time()
        self._is_writing = True
        try:
            await exchange.downstream.send(events)
            if self._keeps_record:
                self._record_for_later(events)
        finally:
            self._is_writing = False
            if self._has_callers:
                self._share()

    @property
    def is_sent(self) -> bool:
        """Whether all of them have all of it."""
        return all(each.exchange.downstream.is_sent for each in self._participants)

    def start_over(self) -> bool:
        """Forget what was said, if no client has seen any of it."""
        # Each is asked: who has forgotten it reads it again, whatever the others say.
        refusals = [each for each in self._participants if not _start_over(each)]
        if not refusals:
            self._record, self._keeps_record = AnswerRecord(), True
        self._changes.unpark_all()
        return not refusals

    def _share(self) -> None:
        """From here on everybody reads the record."""
        if self._alone is not None:
            self._alone.position = len(self._record)
            self._alone = None
        # Only they wait for this: a wake-up of all for each of a crowd would cost its square.
        if self._has_callers:
            self._has_callers = False
            self._changes.unpark_all()

    def _close(self) -> None:
        """From here on nobody else joins."""
        self.is_joinable = self._has_callers = False
        self._changes.unpark_all()

    async def _attend(self, participant: _Participant) -> None:
        try:
            while True:
                if participant.position < len(self._record) and participant is not self._alone:
                    await self._read_on(participant)
                elif self._is_over:
                    break
                else:
                    await self._changes.park()
        finally:
            await self._leave(participant)
        if isinstance(self._failure, CortexError):
            # Each gets its own: an exception that is raised carries the trace of where it was.
            raise attrs.evolve(self._failure) from self._failure  # type: ignore[misc]  # all of them are attrs classes
        if self._failure is not None:
            raise self._failure.with_traceback(self._trace)
        if not self._is_whole:
            # Cut short together with us; or else with the node.
            await trio.lowlevel.checkpoint()
            raise NodeStopping("this node is stopping; the answer ends here")

    async def _read_on(self, participant: _Participant) -> None:
        """Write the next part of the record to the participant's client."""
        start, exchange = participant.position, participant.exchange
        batch = tuple(self._record.events[start : start + READ_EVENTS_MAX])
        participant.position += len(batch)
        if exchange.first_sent_at is None:
            exchange.first_sent_at = trio.current_time()
        participant.is_writing = True
        try:
            await exchange.downstream.send(batch)
        finally:
            participant.is_writing = False

    async def _leave(self, participant: _Participant) -> None:
        """Go on without this one; without anybody, end, and see to it that it has ended."""
        self._participants.remove(participant)
        if self._is_over:
            return
        if self._participants:
            if participant.exchange.cache is CacheUse.MISS:
                # The answer is to somebody's account, whoever stays to the end.
                self._participants[0].exchange.cache = CacheUse.MISS
            if participant.deadline >= self._scope.deadline:
                self._scope.deadline = max(each.deadline for each in self._participants)
            return
        # Not a word more to a client whose own task goes on without us.
        self._alone = None
        self._close()
        self._scope.cancel()
        with trio.move_on_after(END_S_MAX, shield=True):
            while not self._is_over:
                await self._changes.park()

    def _record_for_later(self, events: Batch) -> None:
        """Keep what the one client there is has had, for who may come yet."""
        record = self._record
        record.add(events)
        if record.is_scattered:
            record.coalesce(len(record))
        if record.size_bytes > RECORD_BYTES_MAX:
            self._record, self._keeps_record = AnswerRecord(), False
            self._close()

    def _record_for_all(self, events: Batch) -> None:
        """Keep what all are going to read."""
        record = self._record
        record.add(events)
        if record.size_bytes > SHARED_RECORD_BYTES_MAX and not isinstance(events[-1], Finished):
            raise self._endless()
        if record.is_scattered and self._participants:
            saved = record.coalesce(min(each.position for each in self._participants))
            for each in self._participants:
                each.position -= saved
        self._changes.unpark_all()

    def _endless(self) -> WorkerFailed:
        worker = self.exchange.worker or WorkerName("unknown")
        detail = f"an answer of more than {SHARED_RECORD_BYTES_MAX} bytes"
        return WorkerFailed(worker, FailureKind.SERVER_ERROR, detail)


def _start_over(participant: _Participant) -> bool:
    if participant.is_writing or not participant.exchange.downstream.start_over():
        return False
    participant.position, participant.exchange.first_sent_at = 0, None
    return True
