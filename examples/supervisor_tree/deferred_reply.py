#!/usr/bin/env python3
"""A slow answer that blocks nobody: the handler returns at once, a helper task replies later.

Whoever asks for what is being fetched already waits for the same fetch.
"""

# ruff: noqa: T201  # printing is what an example does

import trio

from supervisor_tree import Actor, ChildSpec, Name, Reply, Supervisor, open_tree, whereis


class Library(Actor):
    """Fetches pages, each once."""

    def __init__(self) -> None:
        self._pages: dict[str, str] = {}
        self._waiting: dict[str, list[Reply[str]]] = {}
        self._fetches = 0

    async def page(self, reply: Reply[str], title: str) -> None:
        """Answer at once if the page is there; otherwise remember who asked."""
        if title in self._pages:
            reply.send(self._pages[title])
        elif title in self._waiting:
            self._waiting[title].append(reply)
        else:
            self._waiting[title] = [reply]
            # The nursery is the actor's own: a crash in there is a crash of the actor, and all
            # who wait get ActorDied.
            self.nursery.start_soon(self._fetch, title)

    async def status(self) -> str:
        """Say what is going on; this never waits for a fetch."""
        waiting = sum(map(len, self._waiting.values()))
        return f"{waiting} waiting, {self._fetches} fetched"

    async def _fetch(self, title: str) -> None:
        await trio.sleep(0.5)
        # A helper runs beside the handlers, never within one: state is whole wherever they await.
        self._pages[title] = f"all about {title}"
        self._fetches += 1
        for reply in self._waiting.pop(title):
            reply.send(self._pages[title])


LIBRARY = Name[Library]("library")


async def read(reader: str, title: str, answers: list[str]) -> None:
    """Ask for a page and wait for it."""
    page = await whereis(LIBRARY).call_deferred(Library.page, title)
    answers.append(f"{reader} reads {page}")


async def main() -> None:
    """Three readers, two of them after the same page."""
    async with open_tree(Supervisor(ChildSpec("library", Library, name=LIBRARY))):
        answers: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, "ada", "looms", answers)
            nursery.start_soon(read, "bob", "looms", answers)
            nursery.start_soon(read, "eve", "locks", answers)
            await trio.sleep(0.1)
            print(await whereis(LIBRARY).call(Library.status))
        print(*sorted(answers), sep="\n")
        print(await whereis(LIBRARY).call(Library.status))


trio.run(main)
