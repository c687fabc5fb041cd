"""What operators can do about requests that failed for good: look, try again, throw away."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from cortexd.actors.published import Published
from cortexd.domain.dead_letter import DeadLetter, DeadLetterStats
from cortexd.domain.errors import RequestRefused
from cortexd.domain.events import DeadLetterRetried, Emit
from cortexd.domain.ids import DeadLetterId
from cortexd.http.admin.dead_letter_documents import item_document, letter_document
from cortexd.http.admin.operation import read_fields, read_limit, read_query
from cortexd.http.dead_letter_retry import DeadLetterRunner
from cortexd.http.doors.door import DoorRequest
from cortexd.ports import DeadLetterStore

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200

RETRIES_MAX: Final = 4
"""So many run at once: whoever retries a whole queue must not be what breaks the workers again."""

AGE_S_MAX: Final = 1e9


class DeadLettersAdmin:
    """Handlers for `Operation`. Errors: `RequestRefused`, and `StorageFailed` as a 503.

    `wall_clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        store: DeadLetterStore,
        stats: Published[DeadLetterStats],
        runner: DeadLetterRunner,
        emit: Emit,
        wall_clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._stats = stats
        self._runner = runner
        self._emit = emit
        self._wall_clock = wall_clock
        self._retrying: set[DeadLetterId] = set()

    async def list(self, request: DoorRequest) -> tuple[int, Any]:
        """A page of them, newest first; so many of all are on none, being `unreadable`."""
        asked = read_query(request, "limit", "cursor", "error")
        limit = read_limit(asked, default=LIMIT_DEFAULT, most=LIMIT_MAX)
        cursor = asked.get("cursor")
        letters, total = await self._store.list_page(
            limit + 1,
            before=None if cursor is None else DeadLetterId(cursor),
            error=asked.get("error"),
        )
        page = letters[:limit]
        return 200, {
            "items": [item_document(letter) for letter in page],
            "total": total,
            "unreadable": self._stats.value.unreadable,
            "next_cursor": page[-1].id if len(letters) > limit else None,
        }

    async def show(self, request: DoorRequest) -> tuple[int, Any]:
        """One, with the request and the answer of its last retry."""
        return 200, letter_document(await self._find(request))

    async def retry(self, request: DoorRequest) -> tuple[int, Any]:
        """Run the request again, and keep the answer on the item.

        Cancellation, as when the operator leaves: the item is as it was.
        """
        letter = await self._find(request)
        with self._marked(letter.id):
            retry = await self._runner.run(letter)
            if not await self._store.retried(letter.id, retry):
                raise _not_found()
        self._emit(DeadLetterRetried(dead_letter=letter.id, status=retry.status))
        return 200, letter_document(await self._find(request))

    async def delete(self, request: DoorRequest) -> tuple[int, Any]:
        """Throw one away."""
        letter = DeadLetterId(request.params["id"])
        if letter in self._retrying:
            raise _being_retried()
        if not await self._store.delete(letter):
            raise _not_found()
        return 200, {"deleted": True}

    async def purge(self, request: DoorRequest) -> tuple[int, Any]:
        """Throw away all, or those of a certain age; not those that are being retried."""
        fields = read_fields(request)
        fields.only({"older_than_seconds"}, {})
        age_s = fields.number("older_than_seconds", low=0.0, high=AGE_S_MAX)
        kept_before = math.inf if age_s is None else self._wall_clock() - age_s
        purged = await self._store.purge(kept_before=kept_before, sparing=self._retrying)
        return 200, {"purged": purged}

    async def _find(self, request: DoorRequest) -> DeadLetter:
        letter = await self._store.find(DeadLetterId(request.params["id"]))
        if letter is None:
            raise _not_found()
        return letter

    @contextmanager
    def _marked(self, letter: DeadLetterId) -> Iterator[None]:
        if letter in self._retrying:
            raise _being_retried()
        if len(self._retrying) >= RETRIES_MAX:
            raise RequestRefused(
                f"{RETRIES_MAX} dead letters are being retried; wait for one of them to end",
                code="too_many_retries",
                status=429,
            )
        self._retrying.add(letter)
        try:
            yield
        finally:
            self._retrying.discard(letter)


def _not_found() -> RequestRefused:
    return RequestRefused("there is no such dead letter", code="not_found", status=404)


def _being_retried() -> RequestRefused:
    return RequestRefused(
        "this dead letter is being retried; wait for that to end", code="being_retried", status=409
    )
