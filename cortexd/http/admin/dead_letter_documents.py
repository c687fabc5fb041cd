"""How dead letters look to operators."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from cortexd.domain.dead_letter import DeadLetter, DeadLetterStats, Retry


def stats_document(stats: DeadLetterStats, trouble: str | None) -> dict[str, Any]:
    """The figures; `trouble`: what is wrong with the place where letters are kept."""
    return {
        "total": stats.total,
        "waiting": stats.waiting,
        "bytes": stats.bytes,
        "by_error": dict(stats.by_error),
        "oldest_at": None if stats.oldest_at is None else _moment(stats.oldest_at),
        "dropped": stats.dropped,
        "unreadable": stats.unreadable,
        "trouble": trouble,
    }


def queue_document(stats: DeadLetterStats, trouble: str | None) -> dict[str, Any]:
    """The queue at a glance."""
    return {
        "stats": stats_document(stats, trouble),
        "recent_items": [item_document(letter) for letter in stats.recent],
    }


def item_document(letter: DeadLetter) -> dict[str, Any]:
    """A letter in a list."""
    return {
        "id": letter.id,
        "kept_at": _moment(letter.kept_at),
        "door": letter.door,
        "path": letter.path,
        "model": letter.model,
        "outcome": letter.outcome.value,
        "error": {"kind": letter.error, "message": letter.message},
        "attempts": [{"worker": each.worker, "error": each.error} for each in letter.attempts],
        "key_id": letter.key_id,
        "request_id": letter.request_id,
        "has_body": letter.has_body,
        "bytes": letter.body_bytes,
        "retries": {"count": letter.retries, "last": letter.retried and _retry(letter.retried)},
    }


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A letter with everything."""
    retried = letter.retried
    return {
        **item_document(letter),
        "request": None if letter.body is None else _content(letter.body),
        "retried": retried
        and {
            **_retry(retried),
            "answer": None if retried.answer is None else _content(retried.answer),
            "answer_is_cut": retried.is_cut,
        },
    }


def _retry(retry: Retry) -> dict[str, Any]:
    return {"at": _moment(retry.at), "status": retry.status}


def _content(body: bytes) -> Any:
    """The document that it is, or else its text: it may have been cut, or never have been read."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return body.decode(errors="replace")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
