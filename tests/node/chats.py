"""Chats with a real node that go on while a test does something to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import httpx

from tests.operator import HANGS_S

HANGING_CHAT_S = 60.0


@attrs.define(eq=False)
class Chat:
    """A streamed chat in a thread of its own."""

    text: str = ""
    is_whole: bool = False
    worker: str | None = None
    failure: str | None = None
    begun: threading.Event = attrs.Factory(threading.Event)
    ended: threading.Event = attrs.Factory(threading.Event)

    def run(self, url: str, model: str) -> None:
        """Chat to the end, whichever it is."""
        body = {
            "model": model,
            "stream": True,
            "messages": [{"role": "user", "content": "go on"}],
        }
        try:
            with httpx.stream(
                "POST", f"{url}/v1/chat/completions", json=body, timeout=HANGING_CHAT_S
            ) as answer:
                self.worker = answer.headers.get("x-cortexd-worker")
                for line in answer.iter_lines():
                    self._take(line)
        except httpx.HTTPError as error:
            self.failure = repr(error)
        finally:
            self.begun.set()
            self.ended.set()

    def _take(self, line: str) -> None:
        if line == "data: [DONE]":
            self.is_whole = True
        elif line.startswith("data: "):
            chunk: Any = json.loads(line.removeprefix("data: "))
            if "error" in chunk:
                self.failure = line
            for choice in chunk.get("choices", ()):
                self.text += choice["delta"].get("content") or ""
            if self.text:
                self.begun.set()


@contextmanager
def chatting(url: str, *, count: int, model: str = "auto") -> Iterator[list[Chat]]:
    """So many chats that have begun; the block's end waits for theirs."""
    chats = [Chat() for _ in range(count)]
    threads = [threading.Thread(target=chat.run, args=(url, model)) for chat in chats]
    for thread in threads:
        thread.start()
    try:
        for chat in chats:
            assert chat.begun.wait(HANGS_S)
        yield chats
    finally:
        for thread in threads:
            thread.join(HANGING_CHAT_S)
