"""Keeps dead letters as fast as it can, and says the id of each once it is acknowledged.

    python -m tests.faults.storage_writer PATH [CLIENTS]   begins at once
    python -m tests.faults.storage_writer --breed          forks one for each line `PATH` it reads

A fork has everything imported already, so that a hundred of them can be killed in seconds. It says
its process id first.
"""

import os
import sys
from itertools import count
from pathlib import Path
from typing import Final

import trio

from cortexd.domain.dead_letter import DeadLetter, DeadLetterLimits, dead_letter_id
from cortexd.domain.errors import StorageFailed
from cortexd.domain.ids import RequestId
from cortexd.domain.outcome import Outcome
from cortexd.storage import database_file
from cortexd.storage.database import Database
from cortexd.storage.database_file import FileLimits
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters

CLIENTS: Final = 16
BODY_BYTES: Final = 20_000
"""So much that the log is brought home to the database all the time."""

BALLAST_BYTES: Final = 1024 * 1024
LIMITS: Final = DeadLetterLimits(entries_max=10**6, bytes_max=10**10, age_s_max=10**9)


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


async def _write(path: Path, clients: int) -> None:
    # A disk that failed once is looked at again at once.
    database_file.RETRY_S = 0.05  # type: ignore[misc]  # for this process alone
    database = Database(path, MIGRATIONS, limits=FileLimits(ballast_bytes=BALLAST_BYTES))
    store, numbers = SqliteDeadLetters(database, LIMITS), count(os.getpid() << 32)
    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(_client, store, numbers)


async def _client(store: SqliteDeadLetters, numbers: "count[int]") -> None:
    while True:
        letter = _letter(next(numbers))
        try:
            await store.keep(letter)
        except StorageFailed as error:
            _say(f"failed {error.message}")
            await trio.sleep(0.02)
        else:
            _say(letter.id)


def _letter(number: int) -> DeadLetter:
    body = number.to_bytes(8, "big") * (BODY_BYTES // 8)
    return DeadLetter(
        id=dead_letter_id(number / 1000, number),
        kept_at=float(number),
        request_id=RequestId(f"r-{number}"),
        door="openai",
        path="/v1/chat/completions",
        model=None,
        outcome=Outcome.FAILED,
        error="server_error",
        message="as told",
        attempts=(),
        key_id=None,
        body_bytes=len(body),
        has_body=True,
        body=body,
    )


def _breed() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _say(f"pid {os.getpid()}")
            trio.run(_write, Path(line.strip()), CLIENTS)
        os.waitpid(pid, 0)
        _say("dead")


if __name__ == "__main__":
    if sys.argv[1] == "--breed":
        _breed()
    else:
        trio.run(_write, Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CLIENTS)
