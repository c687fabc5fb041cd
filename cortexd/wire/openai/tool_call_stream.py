"""The pieces of tool calls in a streamed answer: which call each one belongs to.

OpenAI numbers the calls and gives id and name with the first piece alone. Compatible servers leave
out the number, send a call whole, repeat id and name, or give the number 0 to each of several
calls.
"""

from typing import Final

import msgspec

from cortexd.domain.answer import AnswerEvent, ToolCallDelta, ToolCallStarted
from cortexd.wire.errors import MalformedStream

ID_BEGINNING_CHARACTERS: Final = 12


class FunctionPiece(msgspec.Struct):
    """What a piece brings of the function's name and arguments."""

    name: str | None = None
    arguments: str | None = None


class CallPiece(msgspec.Struct):
    """One element of a delta's `tool_calls`."""

    index: int | None = None
    id: str | None = None
    function: FunctionPiece | None = None


class ToolCallStream:
    """Puts the calls of one answer in order. `answer_id` makes ids for calls that have none."""

    def __init__(self, answer_id: str) -> None:
        self._answer_id = answer_id
        self._ids: list[str] = []
        self._by_number: dict[int, int] = {}

    def __bool__(self) -> bool:
        """Whether there are any calls."""
        return bool(self._ids)

    def read(self, piece: CallPiece) -> list[AnswerEvent]:
        """What a piece brings.

        Errors: `MalformedStream` for the beginning of a call without a name.
        """
        function = piece.function or FunctionPiece()
        events: list[AnswerEvent] = []
        index = self._find(piece, function)
        if index is None:
            index = len(self._ids)
            events.append(self._start(index, piece, function))
        if function.arguments:
            events.append(ToolCallDelta(index, function.arguments))
        return events

    def _find(self, piece: CallPiece, function: FunctionPiece) -> int | None:
        """The call that a piece goes on with, `None` if it begins one."""
        if piece.index is None:
            if piece.id in self._ids:
                return self._ids.index(piece.id)
            return None if function.name or not self._ids else len(self._ids) - 1
        known = self._by_number.get(piece.index)
        if known is not None and function.name and piece.id not in {None, "", self._ids[known]}:
            return None
        return known

    def _start(self, index: int, piece: CallPiece, function: FunctionPiece) -> ToolCallStarted:
        if not function.name:
            raise MalformedStream("a tool call that begins without the name of a function")
        call_id = piece.id
        if not call_id or call_id in self._ids:
            call_id = f"call_{self._answer_id[:ID_BEGINNING_CHARACTERS]}_{index}"
        self._ids.append(call_id)
        if piece.index is not None:
            self._by_number[piece.index] = index
        return ToolCallStarted(index, call_id, function.name)
