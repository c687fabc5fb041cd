"""What a fake upstream is told to answer, in words that belong to no provider.

A scene is played on every fake alike; how it looks on the wire is the dialect's affair. Tokens are
counted the OpenAI way: cached ones are among the input, reasoning ones among the output.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, unique
from typing import Literal, TypeAlias

import attrs


@attrs.frozen
class Say:
    """Text of the answer, in the pieces that it is streamed in."""

    pieces: tuple[str, ...]


@attrs.frozen
class Think:
    """Reasoning, in pieces. `signature`: the seal on it, where the dialect has one."""

    pieces: tuple[str, ...]
    signature: str = "c2VhbGVk"


@attrs.frozen
class Call:
    """A tool call. Fakes whose provider gives calls no id leave `call_id` out."""

    name: str
    arguments: Mapping[str, object]
    call_id: str = "call_1"


Part: TypeAlias = Say | Think | Call


@unique
class Finish(Enum):
    """Why the answer ends. An answer with calls that ends with STOP ends for their sake."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    STOP_SEQUENCE = "stop_sequence"


@unique
class Trouble(Enum):
    """What an upstream may complain of; the value is the status it mostly comes with.

    The last few are some provider's own: `trouble in dialect.complaints` tells.
    """

    BAD_REQUEST = "400"
    CONTEXT_TOO_LONG = "400 context"
    BAD_KEY = "401"
    FORBIDDEN = "403"
    NO_MODEL = "404"
    TOO_LARGE = "413"
    UNPROCESSABLE = "422"
    RATE_LIMIT = "429"
    QUOTA = "402"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    OVERLOADED = "503"
    TIMEOUT = "504"
    FLEX_CAPACITY = "498 flex"
    INVALID_TOKEN = "498"
    MONTHLY_QUOTA = "429 month"
    SPEND_LIMIT = "429 spend"


@attrs.frozen(kw_only=True)
class Counts:
    """Tokens used."""

    input: int = 11
    output: int = 7
    cached: int = 0
    reasoning: int = 0


@attrs.frozen
class Refusal:
    """An error instead of an answer. A number stands for exactly that status.

    `is_200`: the error's document comes with status 200, as some proxies have it.
    """

    trouble: Trouble | int
    retry_after_s: float | None = None
    is_200: bool = False


How: TypeAlias = Literal["error", "close", "reset", "hang"]
"""Error frame, end of the connection without the body's end, RST, silence."""


@attrs.frozen
class Break:
    """How an answer fails once `after_pieces` pieces of text, reasoning or arguments are sent."""

    after_pieces: int
    how: How
    trouble: Trouble = Trouble.SERVER_ERROR


@attrs.frozen(kw_only=True)
class Scene:
    """One answer. Make it with the class methods; `attrs.evolve` changes a detail.

    `noisy`: between the pieces comes what means nothing in that dialect (pings, comments, empty
    chunks).
    """

    parts: tuple[Part, ...] = ()
    finish: Finish = Finish.STOP
    stop_sequence: str = "END"
    counts: Counts = Counts()
    noisy: bool = False
    refusal: Refusal | None = None
    broken: Break | None = None
    echoes: bool = False

    @classmethod
    def of(
        cls, *parts: Part, finish: Finish = Finish.STOP, counts: Counts | None = None
    ) -> "Scene":
        """An answer of these parts."""
        return cls(parts=parts, finish=finish, counts=counts or Counts())

    @classmethod
    def text(
        cls,
        text: str,
        *,
        pieces: Sequence[str] | None = None,
        finish: Finish = Finish.STOP,
        counts: Counts | None = None,
    ) -> "Scene":
        """A text, streamed in these pieces, or word by word."""
        return cls.of(say(text, pieces), finish=finish, counts=counts)

    @classmethod
    def reasoning(cls, thought: str, text: str, *, counts: Counts | None = None) -> "Scene":
        """A thought, then a text."""
        return cls.of(think(thought), say(text), counts=counts or Counts(reasoning=3))

    @classmethod
    def tool_call(cls, name: str, arguments: Mapping[str, object]) -> "Scene":
        """One call and nothing else."""
        return cls.of(Call(name, arguments))

    @classmethod
    def blocked(cls) -> "Scene":
        """The content filter lets nothing through, not even the question."""
        return cls(finish=Finish.CONTENT_FILTER)

    @classmethod
    def refuse(cls, trouble: Trouble | int, *, retry_after_s: float | None = None) -> "Scene":
        """An error instead of an answer."""
        return cls(refusal=Refusal(trouble, retry_after_s))

    @classmethod
    def error_as_200(cls, trouble: Trouble | int = Trouble.SERVER_ERROR) -> "Scene":
        """The document of an error, with status 200."""
        return cls(refusal=Refusal(trouble, is_200=True))

    @classmethod
    def echo(cls) -> "Scene":
        """What the fake has understood, as JSON text; see `understood.py`."""
        return cls(echoes=True)

    def error_in_stream(
        self, *, after_pieces: int, trouble: Trouble = Trouble.SERVER_ERROR
    ) -> "Scene":
        """The same, but an error comes instead of the rest."""
        return attrs.evolve(self, broken=Break(after_pieces, "error", trouble))

    def cut(self, *, after_pieces: int, reset: bool = False) -> "Scene":
        """The same, but the connection is lost before the rest."""
        return attrs.evolve(self, broken=Break(after_pieces, "reset" if reset else "close"))

    def hang(self, *, after_pieces: int) -> "Scene":
        """The same, but the rest never comes."""
        return attrs.evolve(self, broken=Break(after_pieces, "hang"))

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls among the parts."""
        return tuple(part for part in self.parts if isinstance(part, Call))

    @property
    def said(self) -> str:
        """All text."""
        return "".join("".join(part.pieces) for part in self.parts if isinstance(part, Say))

    @property
    def thought(self) -> str:
        """All reasoning."""
        return "".join("".join(part.pieces) for part in self.parts if isinstance(part, Think))


def say(text: str, pieces: Sequence[str] | None = None) -> Say:
    """A text, in these pieces or word by word."""
    return Say(tuple(pieces) if pieces is not None else words(text))


def think(text: str) -> Think:
    """A thought, word by word."""
    return Think(words(text))


def words(text: str) -> tuple[str, ...]:
    """The words, each with the blanks before it."""
    return tuple(re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text))


def halves(text: str) -> tuple[str, str]:
    """Two pieces: how the JSON of a call's arguments is streamed."""
    middle = len(text) // 2
    return text[:middle], text[middle:]
