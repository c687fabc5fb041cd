"""What the upstream of these tests does with a request: the request says so itself."""

import json
import re
from typing import Final

import attrs

_TEXT: Final = re.compile(rb"plan:([0-9a-f]+)")
_PIECE: Final = re.compile(rb"p(\d+);")


@attrs.frozen(kw_only=True)
class Plan:
    """An answer of numbered pieces.

    `name`: no other request has it. `asked_bytes`: how much longer the question is. `gap_s`: from
    one piece to the next. `padding_bytes`: what is added to each piece. `held_after`: so many
    pieces, then silence until the client leaves. `crowd`: behind the first piece, wait until so
    many requests have been asked. `flood`: which of the endless answers it is. `is_patient`: what
    makes it endless comes when the test has set `is_seen` of its record.
    """

    name: str
    asked_bytes: int = 0
    pieces: int = 3
    gap_s: float = 0.0
    padding_bytes: int = 0
    held_after: int | None = None
    crowd: int = 0
    flood: str | None = None
    is_patient: bool = False

    @property
    def text(self) -> str:
        """The plan as a question; nothing in it has to be escaped in JSON."""
        return f"plan:{json.dumps(attrs.asdict(self)).encode().hex()} {'?' * self.asked_bytes}"

    def piece(self, index: int) -> str:
        """The text of one piece: no two are the same."""
        return f"p{index};" + "x" * self.padding_bytes


def plan_in(request: bytes) -> Plan:
    """The plan that a request brings."""
    match = _TEXT.search(request)
    assert match, request
    return Plan(**json.loads(bytes.fromhex(match[1].decode())))


def pieces_in(body: bytes | bytearray) -> list[int]:
    """The numbers of the pieces in an answer, in their order, whatever its dialect."""
    return [int(number) for number in _PIECE.findall(body)]
