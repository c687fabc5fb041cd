"""Clients that chat all the time, over all doors, and look at each answer that they get."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, cycle
from typing import Final

import attrs
import httpx

from tests.matrix.doors import DOORS, ClientDoor, Heard, Question

ANSWER_S_MAX: Final = 120.0
PAUSE_S: Final = 0.15
TOKENS_MAX: Final = 12
ANY: Final = ("auto",)

HONEST: Final = frozenset({429, 502, 503, 504})
"""The statuses of an error that is not the client's."""


@attrs.frozen
class Chat:
    """One that is over. `number`: how many were begun before it. `door`: its name."""

    number: int
    door: str
    stream: bool
    heard: Heard

    @property
    def is_answered(self) -> bool:
        """Whether there is a whole answer, and not an error."""
        return self.heard.error is None

    @property
    def worker(self) -> str | None:
        """Who was asked last."""
        return self._header("worker")

    @property
    def level(self) -> str:
        """How far the node had fallen."""
        return self._header("degradation") or "healthy"

    @property
    def letter(self) -> str | None:
        """The dead letter that is left of it."""
        return self._header("dead-letter")

    def check(self) -> None:
        """It is whole, or says in its dialect that it is not."""
        heard = self.heard
        if self.is_answered:
            assert (heard.status, heard.is_ended, bool(heard.finish)) == (200, True, True), heard
            assert heard.text.strip(), heard
        else:
            assert heard.error, heard
            assert not heard.is_ended, heard
            # A stream that has begun has its status already.
            assert heard.status in HONEST | ({200} if self.stream else set()), heard

    def _header(self, name: str) -> str | None:
        value: str | None = self.heard.headers.get(f"x-cortexd-{name}")
        return value


@attrs.frozen(eq=False)
class Audience:
    """Those who chat with a node. `chats`: the ones that are over, in the order of their ends."""

    url: str
    chats: list[Chat] = attrs.Factory(list)
    _client: httpx.Client = attrs.Factory(lambda: httpx.Client(timeout=ANSWER_S_MAX))
    _numbers: "count[int]" = attrs.Factory(count)

    def ask(self, door: ClientDoor, *, model: str = "auto", stream: bool = False) -> Chat:
        """One chat to its end, by a client that nobody has seen before."""
        number = next(self._numbers)
        question = Question(text=f"question {number}", max_tokens=TOKENS_MAX, stream=stream)
        response = self._client.post(
            self.url + door.path,
            json=door.document(model, question),
            headers={**door.headers, "authorization": f"Bearer client-{number}"},
        )
        chat = Chat(number, door.name, stream, door.hear(response, question))
        chat.check()
        self.chats.append(chat)
        return chat

    def chat_on(
        self, door: ClientDoor, models: Sequence[str], over: threading.Event, *, stream: bool
    ) -> None:
        """Chat until it is over, with one model after the other."""
        for model in cycle(models):
            if over.wait(PAUSE_S):
                return
            self.ask(door, model=model, stream=stream)

    def begun_from_now_on(self) -> Callable[[], list[Chat]]:
        """Gives, at any later time, those that were begun after this and are over."""
        first = next(self._numbers)
        return lambda: [chat for chat in self.chats if chat.number > first]

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def answered_by(chats: Sequence[Chat], worker: str) -> set[str]:
    """The doors over which this worker has answered."""
    return {chat.door for chat in chats if chat.is_answered and chat.worker == worker}


@contextmanager
def chatting(url: str, models: Sequence[str]) -> Iterator[Audience]:
    """Three clients at each door until the block ends.

    Two take whoever answers, one of which streams; the third insists on these models, in turn.
    Errors: what any of them has found wrong with an answer.
    """
    audience, over = Audience(url), threading.Event()
    habits = ((ANY, True), (ANY, False), (models, True))
    with ThreadPoolExecutor(len(habits) * len(DOORS)) as pool:
        try:
            clients = [
                pool.submit(audience.chat_on, door, asked, over, stream=stream)
                for door in DOORS
                for asked, stream in habits
            ]
            yield audience
        finally:
            over.set()
        for client in clients:
            client.result(ANSWER_S_MAX)
    audience.close()
