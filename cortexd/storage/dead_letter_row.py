"""How a dead letter stands in its table: the columns without what may be large, and their order."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.dead_letter import DeadLetter, FailedAttempt, Retry
from cortexd.domain.ids import DeadLetterId, RequestId, WorkerName
from cortexd.domain.outcome import Outcome

_TEXTS: Final = (
    *("id", "request_id", "door", "path", "model", "outcome", "error", "message", "attempts"),
    "key_id",
)
_NUMBERS: Final = (
    *("kept_at", "body_bytes", "has_body", "retries", "retried_at", "retried_status"),
    "answer_is_cut",
)

# Texts as bytes: of one that is no UTF-8, `sqlite3` gives an error in place of all rows.
COLUMNS: Final = ", ".join((*(f"CAST({name} AS BLOB)" for name in _TEXTS), *_NUMBERS))

_ATTEMPTS: Final = msgspec.json.Decoder(list[tuple[WorkerName, str]])

MOMENT_S_MAX: Final = 253_402_300_799.0
"""The end of the year 9999: what is later has no date that an operator could be shown."""


def read_letter(row: Sequence[Any]) -> DeadLetter | None:
    """The letter that a row is, without its contents; `None` where it cannot be read.

    It is damaged, or of a newer cortexd; the others are good all the same.
    """
    try:
        return _read(row)
    except (TypeError, ValueError):
        return None


def _read(row: Sequence[Any]) -> DeadLetter:
    texts: Sequence[Any] = [
        None if text is None else str(text, "utf-8") for text in row[: len(_TEXTS)]
    ]
    identity, request_id, door, path, model, outcome, error, message, attempts, key_id = texts
    kept_at, body_bytes, has_body, retries, retried_at, retried_status, is_cut = row[len(_TEXTS) :]
    retried = None
    if retried_at is not None:
        retried = Retry(at=_moment(retried_at), status=int(retried_status), is_cut=bool(is_cut))
    return DeadLetter(
        id=DeadLetterId(identity),
        kept_at=_moment(kept_at),
        request_id=RequestId(request_id),
        door=door,
        path=path,
        model=model,
        outcome=Outcome(outcome),
        error=error,
        message=message,
        attempts=tuple(FailedAttempt(worker, why) for worker, why in _ATTEMPTS.decode(attempts)),
        key_id=None if key_id is None else ClientKeyId(key_id),
        body_bytes=body_bytes,
        has_body=bool(has_body),
        retries=retries,
        retried=retried,
    )


def _moment(seconds: float) -> float:
    if not 0.0 <= seconds <= MOMENT_S_MAX:
        raise ValueError(seconds)
    return seconds
