"""What can go wrong with a server, and how an answer looks when it has."""

import random
from collections.abc import Iterator
from enum import Enum, unique
from typing import Final

import attrs

from tests.fakes.scene import Trouble
from tests.fakes.server import Reply
from tests.simulation.network import Arrival, End

FIRST_S: Final = (0.05, 1.0)
PIECE_S: Final = (0.0, 0.2)
SLOW_PIECE_S: Final = (2.0, 6.0)
IDLE_S: Final = (1.0, 10.0)
"""After so long a server closes a connection that nobody uses; the node does so after 4 s."""

GARBAGE_BYTES: Final = 40


@unique
class Connecting(Enum):
    """What becomes of those who connect."""

    WORKS = "works"
    REFUSED = "refused"
    HANGS = "hangs"


@unique
class Fault(Enum):
    """What happens to one request."""

    TROUBLE = "an error's status"
    ERROR_AS_200 = "an error with status 200"
    ERROR_FRAME = "an error in the stream"
    DEAF = "the request is not read"
    SILENT = "no answer"
    CLOSE = "closed at some byte"
    RESET = "reset at some byte"
    STALL = "silence from some byte on"
    GARBAGE = "garbage from some byte on"
    SLOW = "slow, but whole"


TROUBLES: Final = (
    Trouble.SERVER_ERROR,
    Trouble.BAD_GATEWAY,
    Trouble.OVERLOADED,
    Trouble.TIMEOUT,
    Trouble.RATE_LIMIT,
)
"""What a server complains of through no fault of the client's, or of a key."""

KEY_TROUBLES: Final = (Trouble.BAD_KEY, Trouble.RATE_LIMIT, Trouble.QUOTA)


@attrs.frozen
class Condition:
    """How a server is doing: how connecting goes, and how many requests meet with which faults."""

    connecting: Connecting = Connecting.WORKS
    share: float = 0.0
    faults: tuple[Fault, ...] = tuple(Fault)

    def draw(self, chance: random.Random) -> Fault | None:
        """What happens to the next request."""
        return chance.choice(self.faults) if chance.random() < self.share else None

    def __str__(self) -> str:
        if self.connecting is not Connecting.WORKS:
            return f"connecting {self.connecting.value}"
        if self.share == 0.0:
            return "well"
        return f"{self.share:.0%} of: {', '.join(fault.name for fault in self.faults)}"


WELL: Final = Condition()


def draw_condition(chance: random.Random) -> Condition:
    """Some illness."""
    connecting = chance.choices(list(Connecting), (8, 1, 1))[0]
    if connecting is not Connecting.WORKS:
        return Condition(connecting)
    faults = tuple(chance.sample(list(Fault), chance.randint(1, len(Fault))))
    return Condition(share=chance.choice((0.1, 0.3, 0.6, 1.0)), faults=faults)


def timetable(reply: Reply, fault: Fault | None, chance: random.Random) -> list[Arrival]:
    """When which bytes of the reply arrive, and what becomes of the connection."""
    if fault is Fault.SILENT:
        return []
    pieces = list(_split(_on_the_wire(reply), chance))
    ending = End.CLOSE
    if fault in {Fault.CLOSE, Fault.RESET, Fault.STALL, Fault.GARBAGE}:
        pieces = list(_until(pieces, chance.randrange(sum(map(len, pieces)))))
        if fault is Fault.GARBAGE:
            pieces.append(chance.randbytes(GARBAGE_BYTES))
        if fault is Fault.RESET:
            ending = End.RESET
    at = chance.uniform(*FIRST_S)
    arrivals = []
    for piece in pieces:
        arrivals.append(Arrival(at, piece))
        at += chance.uniform(*(SLOW_PIECE_S if fault is Fault.SLOW else PIECE_S))
    if fault is not Fault.STALL:
        is_idle = fault in {None, Fault.SLOW}
        arrivals.append(Arrival(at + (chance.uniform(*IDLE_S) if is_idle else 0.0), ending))
    return arrivals


def _on_the_wire(reply: Reply) -> list[bytes]:
    """The reply as HTTP: the head, a piece to a chunk, and the end."""
    head = [f"HTTP/1.1 {reply.status} X", *(f"{k}: {v}" for k, v in reply.headers.items())]
    if not reply.is_streamed:
        head.append(f"content-length: {sum(map(len, reply.pieces))}")
        return ["\r\n".join([*head, "", ""]).encode(), *reply.pieces]
    head.append("transfer-encoding: chunked")
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in reply.pieces if piece]
    return ["\r\n".join([*head, "", ""]).encode(), *chunks, b"0\r\n\r\n"]


def _split(pieces: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """The same bytes, some of the pieces cut in two at any place."""
    for piece in pieces:
        middle = chance.randrange(len(piece)) if piece and chance.random() < 0.2 else 0
        if middle:
            yield piece[:middle]
        if piece:
            yield piece[middle:]


def _until(pieces: list[bytes], length: int) -> Iterator[bytes]:
    """The first `length` bytes."""
    for piece in pieces:
        if length <= 0:
            return
        yield piece[:length]
        length -= len(piece)
