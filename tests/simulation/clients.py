"""Simulated clients: what they ask at which door, how they read, and when they have had enough."""

import json
import random
from collections.abc import Mapping, Sequence
from enum import Enum, unique
from typing import Final

import attrs
import httpx
import trio

from cortexd.http.doors.door import Door, DoorRequest
from tests.matrix.doors import DOORS, ClientDoor, Heard
from tests.matrix.doors import Question as DoorQuestion
from tests.simulation.script import Question

STALL_S: Final = 30.0
"""A client that does not read is cut off after so long by the host of the doors."""

WORDS_MAX: Final = 40

CREDENTIAL_MARK: Final = "client-"
"""All credentials of clients begin so; none of them is any server's business."""

CREDENTIALS: Final = 3
CACHE_CONTROLS: Final = (None, None, None, None, "no-cache", "no-store")


@unique
class Kind(Enum):
    """What is asked for."""

    STREAM = "stream"
    WHOLE = "whole"
    EMBED = "embed"
    COUNT = "count"


@attrs.frozen(kw_only=True)
class Errand:
    """One request, and how its client behaves. Times in seconds.

    `leaves_after_s` and `stalls_at` (a number of writes) are `None` for patient clients.
    """

    number: int
    kind: Kind
    door: ClientDoor
    model: str
    question: Question
    credential: str = f"{CREDENTIAL_MARK}1"
    cache_control: str | None = None
    timeout_s: float | None = None
    leaves_after_s: float | None = None
    stalls_at: int | None = None
    pause_s: float = 0.0

    @property
    def request_id(self) -> str:
        """By which it is known in the node's events."""
        return f"sim-{self.number}"

    @property
    def path(self) -> str:
        """Where it goes."""
        if self.kind is Kind.EMBED:
            return "/api/embed" if self.door.name == "ollama" else "/v1/embeddings"
        if self.kind is Kind.COUNT:
            return "/v1/messages/count_tokens"
        return self.door.path

    def request(self) -> DoorRequest:
        """The request as the host would hand it to the door."""
        headers = {
            "content-type": "application/json",
            "x-request-id": self.request_id,
            "authorization": f"Bearer {self.credential}",
            **self.door.headers,
        }
        if self.cache_control is not None:
            headers["cache-control"] = self.cache_control
        if self.timeout_s is not None:
            headers["x-request-timeout"] = f"{self.timeout_s:g}"
        return DoorRequest(
            method="POST", path=self.path, headers=headers, body=json.dumps(self._document).encode()
        )

    @property
    def _document(self) -> dict[str, object]:
        if self.kind is Kind.EMBED:
            return {"model": self.model, "input": [self.question.text]}
        asked = DoorQuestion(
            text=self.question.text,
            has_tools=self.question.has_tools,
            stream=self.kind is Kind.STREAM,
        )
        document = self.door.document(self.model, asked)
        if self.kind is Kind.COUNT:
            return {name: document[name] for name in ("model", "messages")}
        return document

    def __str__(self) -> str:
        habits = [f"{self.kind.value} at {self.door.name} of {self.model!r}: {self.question.text}"]
        habits += ["tools"] * self.question.has_tools
        habits += [self.cache_control] if self.cache_control else []
        for name in ("timeout_s", "leaves_after_s", "stalls_at", "pause_s"):
            value = getattr(self, name)
            if value:
                habits.append(f"{name}={value:.4g}")
        return ", ".join(habits)


@attrs.define(eq=False)
class MemoryResponder:
    """Keeps what a door sends, at the pace of its client."""

    errand: Errand
    status: int | None = None
    headers: Sequence[tuple[str, str]] = ()
    body: bytearray = attrs.Factory(bytearray)
    is_finished: bool = False
    misuse: str | None = None
    writes: int = 0

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Take the head."""
        await trio.lowlevel.checkpoint()
        if self.status is not None:
            self.misuse = "started twice"
        self.status, self.headers = status, headers

    async def send(self, data: bytes) -> None:
        """Take a piece, in time or never."""
        if self.status is None or self.is_finished:
            self.misuse = "a piece outside of a body"
        self.writes += 1
        if self.errand.stalls_at is not None and self.writes > self.errand.stalls_at:
            await trio.sleep_forever()
        await trio.sleep(self.errand.pause_s)
        self.body += data

    async def finish(self) -> None:
        """Take the end."""
        await trio.lowlevel.checkpoint()
        if self.status is None or self.is_finished:
            self.misuse = "finished twice, or before it began"
        self.is_finished = True

    def heard(self) -> Heard:
        """What the client makes of it."""
        heard = Heard(
            status=self.status or 0,
            headers=httpx.Headers(list(self.headers)),
            body=bytes(self.body),
        )
        if self.errand.kind in {Kind.EMBED, Kind.COUNT} and self.status == 200:
            heard.is_ended = self.is_finished
        elif self.status != 200:
            self.errand.door.hear_error(heard, json.loads(self.body))
        elif self.errand.kind is Kind.STREAM:
            self.errand.door.hear_stream(heard)
        else:
            self.errand.door.hear_document(heard, json.loads(self.body))
        return heard


@attrs.frozen
class Visit:
    """How an errand went. `left_at`: when its client gave up; `over_at`: when the door let go."""

    errand: Errand
    responder: MemoryResponder
    left_at: float | None
    over_at: float


async def run_errand(errand: Errand, doors: Mapping[tuple[str, str], Door]) -> Visit:
    """Ask, and read the answer as far as the client cares to."""
    responder = MemoryResponder(errand)
    left_at: float | None = None
    has_left = False

    async def leave() -> None:
        # Not by a deadline: the node could see it coming.
        nonlocal left_at
        if errand.leaves_after_s is not None:
            await trio.sleep(errand.leaves_after_s)
            left_at = trio.current_time()
            asking.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        with trio.CancelScope() as asking:
            await doors["POST", errand.path].answer(errand.request(), responder)
        has_left = asking.cancelled_caught
        nursery.cancel_scope.cancel()
    return Visit(errand, responder, left_at if has_left else None, trio.current_time())


def draw_errand(
    number: int, chance: random.Random, *, models: Sequence[str], embedding_models: Sequence[str]
) -> Errand:
    """Any errand."""
    kind = chance.choices(list(Kind), (60, 25, 10 if embedding_models else 0, 5))[0]
    door = chance.choice(DOORS)
    if kind is Kind.EMBED:
        door = chance.choice([each for each in DOORS if each.name != "anthropic"])
    elif kind is Kind.COUNT:
        door = next(each for each in DOORS if each.name == "anthropic")
    # Some ask what others have asked before, or are just asking.
    asked = number if chance.random() < 0.85 else chance.randint(max(0, number - 5), number)
    leaves_after_s = 10 ** chance.uniform(-3, 1.5) if chance.random() < 0.25 else None
    stalls_at = None
    if leaves_after_s is None and chance.random() < 0.05:
        stalls_at, leaves_after_s = chance.randint(0, 10), STALL_S
    return Errand(
        number=number,
        kind=kind,
        door=door,
        model=chance.choice(embedding_models if kind is Kind.EMBED else models),
        question=question_of(asked),
        credential=f"{CREDENTIAL_MARK}{chance.randint(1, CREDENTIALS)}",
        cache_control=chance.choice(CACHE_CONTROLS),
        timeout_s=round(10 ** chance.uniform(0, 2), 1) if chance.random() < 0.15 else None,
        leaves_after_s=leaves_after_s,
        stalls_at=stalls_at,
        pause_s=chance.choice((0.0, 0.0, 0.0, 0.05, 0.5)),
    )


def question_of(number: int) -> Question:
    """The question of this number, whoever asks it."""
    return Question(
        number=number,
        words=number * 7 % WORDS_MAX + 1,
        thinks=number % 11 == 3,
        has_tools=number % 7 == 5,
    )
