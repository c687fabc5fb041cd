import json

import pytest

from cortexd.domain.failure import FailureKind
from cortexd.wire.cohere.failures import decode_error
from cortexd.wire.failed_answer import FailedAnswer

PER_MINUTE = "You are using a Trial key, which is limited to 20 API calls / minute."
PER_MONTH = "You are using a Trial key, which is limited to 1000 API calls / month."


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "too many tokens", "REFUSED"),
        (401, "invalid api token", "BAD_KEY"),
        (402, "add a payment method", "QUOTA_EXHAUSTED"),
        (403, "m", "BAD_KEY"),
        (404, "model 'm1' not found", "REFUSED"),
        (422, "m", "REFUSED"),
        (429, "m", "RATE_LIMITED"),
        (429, PER_MINUTE, "RATE_LIMITED"),
        (429, PER_MONTH, "QUOTA_EXHAUSTED"),
        (429, "production keys are limited to 9 calls a month", "RATE_LIMITED"),
        (400, PER_MONTH, "REFUSED"),
        (498, "invalid token", "BAD_KEY"),
        (499, "m", "SERVER_ERROR"),
        (500, "m", "SERVER_ERROR"),
        (501, "m", "SERVER_ERROR"),
        (503, "m", "OVERLOADED"),
        (504, "m", "SERVER_ERROR"),
        (200, "m", "SERVER_ERROR"),
    ],
)
def test_each_error_answer_has_a_kind(status: int, message: str, kind: str) -> None:
    """The status gives the kind, and the message tells a month from a minute."""
    body = json.dumps({"id": "i", "message": message}).encode()
    error = decode_error(FailedAnswer(status, {}, body))
    assert (error.kind, error.status) == (FailureKind[kind], status)
    assert error.detail == error.told == message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(498, "BAD_KEY"), (502, "SERVER_ERROR"), (504, "SERVER_ERROR"), (400, "REFUSED")],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"message":7}', b"[" * 100_000])
def test_a_body_that_is_no_error(status: int, kind: str, body: bytes) -> None:
    """The status alone gives the kind, and nothing is told to the client."""
    error = decode_error(FailedAnswer(status, {}, body))
    assert (error.kind, error.told) == (FailureKind[kind], None)


def test_the_message_is_bounded() -> None:
    """However long the upstream talks, 500 characters of it are kept."""
    body = json.dumps({"message": "x" * 10_000}).encode()
    assert decode_error(FailedAnswer(500, {}, body)).detail == "x" * 500
