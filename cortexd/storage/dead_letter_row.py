"""How a dead letter stands in its table: the columns without what may be large, and their order."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cortexd.domain.client_key import ClientKeyId
from cortexd.domain.dead_letter import DeadLetter, FailedAttempt, Retry
from cortexd.domain.ids import DeadLetterId, RequestId, WorkerName
from cortexd.domain.outcome import Outcome
from cortexd.storage.damage import FileUnfit

COLUMNS: Final = (
    "id, kept_at, request_id, door, path, model, outcome, error, message, attempts, key_id,"
    " body_bytes, has_body, retries, retried_at, retried_status, answer_is_cut"
)


def read_letter(row: Sequence[Any]) -> DeadLetter:
    """The letter that a row is, without its contents. Raises `FileUnfit` where it is none."""
    try:
        return _read(row)
    except (TypeError, ValueError) as error:
        raise FileUnfit("a letter in it is damaged") from error


def _read(row: Sequence[Any]) -> DeadLetter:
    (
        identity,
        kept_at,
        request_id,
        door,
        path,
        model,
        outcome,
        error,
        message,
        attempts,
        key_id,
        body_bytes,
        has_body,
        retries,
        retried_at,
        retried_status,
        answer_is_cut,
    ) = row
    retried = None
    if retried_at is not None:
        retried = Retry(at=retried_at, status=retried_status, is_cut=bool(answer_is_cut))
    return DeadLetter(
        id=DeadLetterId(identity),
        kept_at=kept_at,
        request_id=RequestId(request_id),
        door=door,
        path=path,
        model=model,
        outcome=Outcome(outcome),
        error=error,
        message=message,
        attempts=tuple(
            FailedAttempt(WorkerName(worker), why) for worker, why in msgspec.json.decode(attempts)
        ),
        key_id=None if key_id is None else ClientKeyId(key_id),
        body_bytes=body_bytes,
        has_body=bool(has_body),
        retries=retries,
        retried=retried,
    )
