import json

import pytest

from cortexd.domain.failure import FailureKind
from cortexd.wire.failed_answer import FailedAnswer
from cortexd.wire.gemini.failures import decode_error

GOOGLE = "type.googleapis.com/google.rpc."


def _reason(reason: str) -> dict[str, object]:
    return {"@type": f"{GOOGLE}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def _quota(*ids: str) -> dict[str, object]:
    violations = [{"quotaMetric": "m", "quotaId": one, "quotaValue": "20"} for one in ids]
    return {"@type": f"{GOOGLE}QuotaFailure", "violations": violations}


def _retry(delay: str) -> dict[str, object]:
    return {"@type": f"{GOOGLE}RetryInfo", "retryDelay": delay}


def _body(*details: object, code: int = 0, message: str = "m", status: str = "X") -> bytes:
    error = {"code": code, "message": message, "status": status, "details": details}
    return json.dumps({"error": error}).encode()


PER_MINUTE = _quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
PER_DAY = _quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, _body(), "REFUSED"),
        (400, _body(_reason("API_KEY_INVALID")), "BAD_KEY"),
        (400, _body(message="API key not valid. Please pass a valid one."), "BAD_KEY"),
        (400, _body(status="FAILED_PRECONDITION"), "BAD_KEY"),
        (400, _body(_reason("API_KEY_SERVICE_BLOCKED")), "REFUSED"),
        (401, _body(), "BAD_KEY"),
        (402, _body(), "QUOTA_EXHAUSTED"),
        (403, _body(_reason("API_KEY_INVALID")), "BAD_KEY"),
        (404, _body(), "REFUSED"),
        (413, _body(), "REFUSED"),
        (429, _body(), "RATE_LIMITED"),
        (429, _body(PER_MINUTE), "RATE_LIMITED"),
        (429, _body(PER_DAY), "QUOTA_EXHAUSTED"),
        (429, _body(_quota("A", "TokensPerDay"), _retry("3s")), "QUOTA_EXHAUSTED"),
        (499, _body(), "SERVER_ERROR"),
        (500, _body(), "SERVER_ERROR"),
        (502, b"<html>", "SERVER_ERROR"),
        (503, _body(status="UNAVAILABLE"), "OVERLOADED"),
        (504, _body(), "SERVER_ERROR"),
        (504, b"", "SERVER_ERROR"),
        (200, b"{}", "SERVER_ERROR"),
        (200, b"[]", "SERVER_ERROR"),
    ],
)
def test_each_error_answer_has_a_kind(status: int, body: bytes, kind: str) -> None:
    """Status and details together give the kind that the resilience rules are written for."""
    error = decode_error(FailedAnswer(status, {}, body))
    assert (error.kind, error.status) == (FailureKind[kind], status)


@pytest.mark.parametrize("form", ["%s", "[%s]", '[%s, {"error": {}}]'])
def test_an_error_with_status_200(form: str) -> None:
    """A server that speaks no SSE puts it into a list, and the status into the error."""
    body = form.encode() % _body(code=503, message="busy")
    error = decode_error(FailedAnswer(200, {}, body))
    assert (error.kind, error.status, error.told) == (FailureKind.OVERLOADED, 503, "busy")


@pytest.mark.parametrize(
    ("details", "wait_s"),
    [
        ((), None),
        ((PER_MINUTE, _retry("12s")), 12.0),
        ((_retry("1.5s"), PER_MINUTE), 1.5),
        ((_retry("0.000000001s"),), 1e-9),
        ((_retry("soon"),), None),
        ((_retry("-3s"),), None),
        ((_retry("9" * 400 + "s"),), None),
        ((_retry("2s"), _retry("later"), _retry("12s")), 12.0),
        ((PER_MINUTE, _retry("90s")), 90.0),
        ((PER_DAY, _retry("12s")), None),
        ((PER_DAY, _retry("60s")), None),
        ((PER_DAY, _retry("34074.8s")), 34074.8),
    ],
)
def test_the_wait_is_told(details: tuple[object, ...], wait_s: float | None) -> None:
    """The latest that the body tells; of a daily quota, none that can be that of a minute."""
    error = decode_error(FailedAnswer(429, {}, _body(*details)))
    assert error.retry_after_s == wait_s


def test_the_message_is_told_and_bounded() -> None:
    """However long the upstream talks, 500 characters of it are kept."""
    error = decode_error(FailedAnswer(400, {}, _body(message="x" * 10_000)))
    assert error.detail == error.told == "x" * 500
