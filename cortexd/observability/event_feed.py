"""The latest events for those who watch, numbered, so that a reader can go on where it stopped.

Rules of this file: whoever emits pays for putting an event into a ring and for nothing else; a
reader holds nothing here, so one that is slow, or has stopped reading, costs nothing. What it could
not read in time it is told of by `Reading.missed`.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, get_args

import attrs
import msgspec
import trio

from cortexd.domain.events import AttemptEnded, Event, ExchangeEnded
from cortexd.observability.event_documents import event_document, event_kind
from cortexd.ports import FeedEntry, Reading

ENTRIES_MAX: Final = 1000
BYTES_MAX: Final = 4 * 1024 * 1024

_ENTRY_BYTES: Final = 1000
"""What an entry is taken to hold besides the texts that come from elsewhere."""

_UNTOLD: Final = frozenset({AttemptEnded})
"""The account of its exchange has it, too."""

_KINDS: Final[Mapping[type[Any], str]] = {
    kind: event_kind(kind) for kind in get_args(Event) if kind not in _UNTOLD
}

_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


@attrs.define(eq=False)
class _Kept:
    """`about`: an event, or the fields of one, until somebody has read it."""

    number: int
    at: float
    kind: str
    about: Any
    size_bytes: int
    entry: FeedEntry | None = None

    def read(self) -> FeedEntry:
        """The entry, written once for all readers."""
        if self.entry is None:
            fields = self.about if isinstance(self.about, dict) else event_document(self.about)
            at = datetime.fromtimestamp(self.at, UTC).isoformat()
            data = _encode({"at": at, **fields})
            self.entry = FeedEntry(number=self.number, kind=self.kind, data=data)
        return self.entry


class EventFeed:
    """A sink of events. `wall_clock` gives seconds since the epoch; `more_kinds`: besides events.

    Numbers grow from one run of the node to the next, so that none of them means two events.
    """

    def __init__(
        self, wall_clock: Callable[[], float], *, more_kinds: Collection[str] = ()
    ) -> None:
        self._wall_clock = wall_clock
        self._ring: deque[_Kept] = deque()
        self._size_bytes = 0
        self._first_ever = self._next = int(wall_clock() * 1000)
        self._arrival = trio.Event()
        self._is_awaited = False
        self.kinds = frozenset({*_KINDS.values(), *more_kinds})
        self.is_closed = False

    def observe(self, event: Event) -> None:
        """Take in an event."""
        kind = _KINDS.get(type(event))
        if kind is None:
            return
        texts = 0
        if type(event) is ExchangeEnded:
            texts = len(event.model or "") + sum(map(len, event.failures))
        self._keep(kind, event, texts)

    def add(self, kind: str, fields: dict[str, Any]) -> None:
        """Take in what is no event of the gateway; `fields` are of JSON types."""
        self._keep(kind, fields, sum(len(v) for v in fields.values() if isinstance(v, str)))

    @property
    def latest(self) -> int:
        """The number of the latest entry; of none, before there is one."""
        return self._next - 1

    def read(self, after: int, *, entries_max: int) -> Reading:
        """The entries behind that number, the oldest ones first."""
        oldest = self._ring[0].number if self._ring else self._next
        is_known = self._first_ever - 1 <= after < self._next
        start = max(after + 1, oldest) if is_known else oldest
        missed = start - after - 1 if is_known else None
        kept = islice(self._ring, start - oldest, start - oldest + entries_max)
        return Reading(missed=missed, entries=tuple(each.read() for each in kept))

    async def wait_beyond(self, number: int) -> None:
        """Until there is an entry behind that number, or the feed has closed.

        The caller sets the limit.
        """
        await trio.lowlevel.checkpoint()
        while self.latest <= number and not self.is_closed:
            self._is_awaited = True
            await self._arrival.wait()

    def close(self) -> None:
        """Let the readers go: nobody is to wait here while the node stops."""
        self.is_closed = True
        self._arrival.set()

    def _keep(self, kind: str, about: object, text_characters: int) -> None:
        kept = _Kept(self._next, self._wall_clock(), kind, about, _ENTRY_BYTES + text_characters)
        self._next += 1
        self._ring.append(kept)
        self._size_bytes += kept.size_bytes
        while len(self._ring) > ENTRIES_MAX or self._size_bytes > BYTES_MAX:
            self._size_bytes -= self._ring.popleft().size_bytes
        if self._is_awaited:
            self._is_awaited = False
            self._arrival.set()
            self._arrival = trio.Event()
