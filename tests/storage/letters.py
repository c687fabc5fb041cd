"""Dead letters to be kept, and where."""

from pathlib import Path
from typing import Any

import attrs

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.dead_letter import (
    DeadLetter,
    DeadLetterLimits,
    FailedAttempt,
    dead_letter_id,
)
from cortexd.domain.events import Event
from cortexd.domain.ids import RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.storage.database import Database
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters

NOW_S = 1_800_000_000.0
PLENTY = DeadLetterLimits(entries_max=1000, bytes_max=10**8, age_s_max=86_400.0)


def a_letter(number: int = 0, **changes: Any) -> DeadLetter:
    """One that was kept at this second."""
    body = changes.get("body", b'{"n": 1}')
    letter = DeadLetter(
        id=dead_letter_id(NOW_S + number, 0),
        kept_at=NOW_S + number,
        request_id=RequestId(f"r-{number}"),
        door="openai",
        path="/v1/chat/completions",
        model="m",
        outcome=Outcome.FAILED,
        error="server_error",
        message="it broke",
        attempts=(FailedAttempt(WorkerName("a"), "broke"), FailedAttempt(WorkerName("b"), "gone")),
        key_id=ClientKeyId("abcd1234"),
        body_bytes=8,
        has_body=body is not None,
        body=body,
    )
    return attrs.evolve(letter, **changes)


class Shop:
    """Opens stores over one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = []
        self.database = Database(path, MIGRATIONS, emit=self.events.append)

    def store(self, **limits: Any) -> SqliteDeadLetters:
        """With these limits."""
        return SqliteDeadLetters(self.database, attrs.evolve(PLENTY, **limits))
