"""What every dialect of a fake upstream has to say; how it says it is in the file of its name."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar

import attrs
import msgspec

from tests.fakes.scene import Finish, Scene, Trouble

T = TypeVar("T")


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of a request in which nothing may stand that the provider does not know."""


class BadRequest(Exception):
    """The provider would refuse this request; the text says why."""


class Endpoint(Enum):
    """What an address is for."""

    CHAT = "chat"
    EMBED = "embed"
    COUNT = "count"
    LIST = "list"


@attrs.frozen
class Received:
    """A request as it came. Header names are in lower case; `document` is the body's JSON.

    `understood`: a chat in neutral words, once it has been found good; see `understood.py`.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    document: Any = None
    endpoint: Endpoint | None = None
    understood: dict[str, Any] | None = None

    def header(self, name: str) -> str:
        """The header, or nothing."""
        return self.headers.get(name, "")


@attrs.frozen
class Complaint:
    """One error as a provider words it. `kind` and `code` are its own labels for it."""

    status: int
    message: str
    kind: str | None = None
    code: str | None = None
    is_html: bool = False


@attrs.frozen(kw_only=True)
class Ask:
    """A chat request that has been found good. `options`: what else shapes the answer's form."""

    model: str
    streams: bool
    understood: dict[str, Any]
    options: frozenset[str] = frozenset()


@attrs.frozen
class Frame:
    """A piece of a stream. `is_piece`: it brings text, reasoning or arguments."""

    data: bytes
    is_piece: bool = False


class Dialect(ABC):
    """How one provider writes."""

    name: ClassVar[str]
    stream_type: ClassVar[str] = "text/event-stream"
    finishes: ClassVar[Mapping[Finish, str]]
    """The reasons for an end that this provider can tell."""
    interlude: ClassVar[bytes]
    """What may come between two pieces and means nothing."""
    complaints: ClassVar[Mapping[Trouble, Complaint]]
    keys: ClassVar[frozenset[str]] = frozenset({"good-key"})
    """The keys that are good unless a test says otherwise; none: no key is wanted."""

    @abstractmethod
    def endpoint(self, method: str, path: str) -> Endpoint | None:
        """What the address is for, if it exists."""

    @abstractmethod
    def key(self, request: Received) -> str | None:
        """The key that came, in the header where this provider looks for it."""

    @abstractmethod
    def read_chat(self, request: Received) -> Ask:
        """The meaning of a chat request. Raises `BadRequest`."""

    @abstractmethod
    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        """The answer as a stream, complete."""

    @abstractmethod
    def whole(self, scene: Scene, ask: Ask) -> object:
        """The answer as a document."""

    @abstractmethod
    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        """The document of an error."""

    @abstractmethod
    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        """An error in the midst of a stream, and all that follows it."""

    @abstractmethod
    def embed(self, request: Received) -> tuple[str, object]:
        """The model asked for, and the document of vectors. Raises `BadRequest`."""

    @abstractmethod
    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        """What stands at an address of the LIST kind."""

    def count(self, request: Received) -> tuple[str, object]:
        """The model asked for, and the document of a count. Raises `BadRequest`."""
        raise BadRequest("this provider counts nothing")

    def headers(self) -> dict[str, str]:
        """What comes with every answer."""
        return {}

    def error_headers(
        self, complaint: Complaint, *, retry_after_s: float | None = None
    ) -> dict[str, str]:
        """What comes with an error."""
        return {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}

    def complaint(self, trouble: Trouble | int) -> Complaint:
        """The words for a trouble; a bare status has those of the trouble nearest to it."""
        if isinstance(trouble, Trouble):
            return self.complaints[trouble]
        for known in self.complaints.values():
            if known.status == trouble:
                return known
        near = next((t for t in self.complaints if t.value == str(trouble)), Trouble.SERVER_ERROR)
        return attrs.evolve(self.complaints[near], status=trouble)

    def bad_request(self, message: str) -> Complaint:
        """The refusal of a request that this provider would refuse."""
        return attrs.evolve(self.complaints[Trouble.BAD_REQUEST], message=message)


def decode(body: bytes, kind: type[T]) -> T:
    """The request as the provider knows it; `BadRequest` tells the path of what is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as exc:
        raise BadRequest(str(exc)) from exc


def bearer(request: Received) -> str | None:
    """The key in an `Authorization: Bearer` header."""
    scheme, _, key = request.header("authorization").partition(" ")
    return key if scheme == "Bearer" and key else None


def vectors(texts: list[str], *, dimensions: int | None) -> list[list[float]]:
    """A vector for each text, the same whenever it is asked for."""
    length = dimensions or 4
    return [[round(0.01 * (len(text) + place), 4) for place in range(length)] for text in texts]


def dump(document: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(document)


def event(document: object, *, name: str | None = None, newline: bytes = b"\n") -> bytes:
    """One server-sent event."""
    head = b"" if name is None else b"event: " + name.encode() + newline
    return head + b"data: " + dump(document) + newline + newline
