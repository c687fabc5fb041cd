"""What has been said of an answer so far, in as few pieces as those allow who have yet to read it.

Sizes are estimates that err on the large side.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from cortexd.domain.answer import (
    AnswerEvent,
    Batch,
    Embedded,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
)

PIECE_CHARACTERS: Final = 4096
"""How long the pieces are that neighbouring pieces of text are joined to."""

COALESCE_EVERY: Final = 256
"""How many pieces come together before they are joined."""

_EVENT_BYTES: Final = 120
_PROBABILITY_BYTES: Final = 200
_NUMBER_BYTES: Final = 32


class AnswerRecord:
    """The events of an answer in their order. `size_bytes`: how much memory they take, about."""

    def __init__(self) -> None:
        self.events: list[AnswerEvent] = []
        self.size_bytes = 0
        self._coalesced = 0
        self._coalesce_at = COALESCE_EVERY

    def __len__(self) -> int:
        return len(self.events)

    def add(self, events: Batch) -> None:
        """Put a batch on record."""
        self.events += events
        for event in events:
            self.size_bytes += kept_bytes(event)

    @property
    def is_scattered(self) -> bool:
        """Whether so many pieces have come that it is time to join them."""
        return len(self.events) >= self._coalesce_at

    def coalesce(self, read: int) -> int:
        """Join the pieces among the first `read`, which everybody has had; by how many they shrink.

        Each piece is looked at once, however often this is called.
        """
        saved = 0
        if read > self._coalesced:
            loose = self.events[self._coalesced : read]
            pieces = coalesced(loose)
            self.events[self._coalesced : read] = pieces
            self._coalesced += len(pieces)
            saved = len(loose) - len(pieces)
            self.size_bytes -= saved * _EVENT_BYTES
        self._coalesce_at = len(self.events) + COALESCE_EVERY
        return saved


def kept_bytes(event: AnswerEvent) -> int:
    """How much memory an event takes, about."""
    # Most of them are this one, and a pattern takes longer to match than a type to compare.
    if isinstance(event, TextDelta):
        size = _EVENT_BYTES + _text_bytes(event.text)
        return size + sum(map(_probability_bytes, event.logprobs)) if event.logprobs else size
    match event:
        case RefusalDelta(text) | ReasoningDelta(text) | ToolCallDelta(_, text):
            return _EVENT_BYTES + _text_bytes(text)
        case Embedded(vectors):
            return _EVENT_BYTES + _NUMBER_BYTES * sum(map(len, vectors))
        case _:
            return _EVENT_BYTES


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


def _probability_bytes(logprob: TokenLogprob) -> int:
    return _PROBABILITY_BYTES * (1 + len(logprob.alternatives))


def coalesced(events: Sequence[AnswerEvent]) -> list[AnswerEvent]:
    """The same answer in fewer pieces: plain text, thoughts and arguments that follow each other.

    Tokens with probabilities stay as they are, and so does the end of a thought with its seal.
    """
    joined: list[AnswerEvent] = []
    for text_of, run in groupby(events, _text_of):
        match text_of:
            case None:
                joined += run
            case int(index):
                arguments = [event.arguments for event in run if isinstance(event, ToolCallDelta)]
                joined += [ToolCallDelta(index, piece) for piece in _pieces(arguments)]
            case kind:
                texts = [event.text for event in run if isinstance(event, kind)]
                joined += [kind(piece) for piece in _pieces(texts)]
    return joined


def _text_of(event: AnswerEvent) -> type[TextDelta | ReasoningDelta] | int | None:
    """What a piece of joinable text is of: the answer, a thought, or the call of this index."""
    if isinstance(event, TextDelta):
        return None if event.logprobs else TextDelta
    if isinstance(event, ReasoningDelta):
        return ReasoningDelta if event.signature is None else None
    return event.index if isinstance(event, ToolCallDelta) else None


def _pieces(texts: Sequence[str]) -> Iterator[str]:
    text = "".join(texts)
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield text[start : start + PIECE_CHARACTERS]
