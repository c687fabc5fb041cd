import json

import pytest
from openai.types.shared import ErrorObject

from cortexd.domain.errors import (
    CortexError,
    DeadlineExceeded,
    NodeStopping,
    NoWorkerAvailable,
    RequestRefused,
    WorkerFailed,
)
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.http.error_responses import (
    describe,
    error_response,
    ollama_error,
    openai_error,
)

W = WorkerName("w")


def _failed(
    kind: str, *, retry_after_s: float | None = None, status: int | None = None
) -> WorkerFailed:
    return WorkerFailed(W, FailureKind[kind], "http://10.0.0.1 said sk-1", retry_after_s, status)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "headers"),
    [
        (RequestRefused("m"), 400, "invalid_request_error", None, {}),
        (RequestRefused("m", code="c", status=404), 404, "invalid_request_error", "c", {}),
        (RequestRefused("m", status=413), 413, "invalid_request_error", None, {}),
        (RequestRefused("m", status=401), 401, "authentication_error", None, {}),
        (RequestRefused("m", status=403), 403, "permission_error", None, {}),
        (RequestRefused("m", status=429), 429, "rate_limit_error", None, {"retry-after": "5"}),
        (_failed("REFUSED"), 400, "invalid_request_error", "refused_by_worker", {}),
        (_failed("REFUSED", status=404), 404, "invalid_request_error", "refused_by_worker", {}),
        (_failed("REFUSED", status=405), 400, "invalid_request_error", "refused_by_worker", {}),
        (
            _failed("UNREACHABLE"),
            502,
            "server_error",
            "upstream_unreachable",
            {"x-should-retry": "false"},
        ),
        (
            _failed("TIMED_OUT"),
            504,
            "server_error",
            "upstream_timeout",
            {"x-should-retry": "false"},
        ),
        (
            _failed("SERVER_ERROR"),
            502,
            "server_error",
            "bad_upstream_response",
            {"x-should-retry": "false"},
        ),
        (
            _failed("OVERLOADED", retry_after_s=1.2),
            503,
            "overloaded_error",
            "upstream_overloaded",
            {"retry-after": "2", "x-should-retry": "false"},
        ),
        (
            _failed("RATE_LIMITED", retry_after_s=0.0),
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
            {"retry-after": "1"},
        ),
        (
            _failed("QUOTA_EXHAUSTED"),
            503,
            "overloaded_error",
            "no_healthy_key",
            {"retry-after": "5", "x-should-retry": "false"},
        ),
        (
            _failed("BAD_KEY", status=401),
            503,
            "overloaded_error",
            "no_healthy_key",
            {"retry-after": "5", "x-should-retry": "false"},
        ),
        (
            NoWorkerAvailable("m", 30.0),
            503,
            "overloaded_error",
            "no_worker_available",
            {"retry-after": "30"},
        ),
        (
            DeadlineExceeded("m"),
            504,
            "server_error",
            "deadline_exceeded",
            {"x-should-retry": "false"},
        ),
        (NodeStopping("m"), 503, "overloaded_error", "node_stopping", {"retry-after": "5"}),
    ],
)
def test_the_table(
    error: CortexError, status: int, kind: str, code: str | None, headers: dict[str, str]
) -> None:
    """Each error has one status, type and code; 429 and 503 always say when to come again."""
    answer = describe(error)
    shown = json.loads(openai_error(error))["error"]
    assert (answer.status, shown["type"], shown["code"]) == (status, kind, code)
    assert dict(answer.headers) == headers


class Unforeseen(CortexError):
    """An error that the table does not know yet."""

    message = "m"


def test_an_error_that_the_table_does_not_know() -> None:
    """It is the node's own fault."""
    shown = json.loads(openai_error(Unforeseen()))["error"]
    assert describe(Unforeseen()).status == 500
    assert (shown["type"], shown["code"]) == ("server_error", "internal_error")


@pytest.mark.parametrize("kind", FailureKind)
def test_no_failure_blames_the_key_of_the_client(kind: FailureKind) -> None:
    """A rejected key is ours: no failure of a worker is told as 401 or 403."""
    assert describe(WorkerFailed(W, kind, "", None, 401)).status not in {401, 403}
    assert describe(WorkerFailed(W, kind, "", None, 403)).status not in {401, 403}


def test_nothing_of_the_upstream_shows() -> None:
    """Neither its address nor what it said reaches the client, in any dialect."""
    for render in (openai_error, ollama_error):
        assert b"10.0.0.1" not in render(_failed("SERVER_ERROR"))
        assert b"sk-1" not in render(_failed("SERVER_ERROR"))


def test_openai_s_shape() -> None:
    """The official client's error object has exactly these four members."""
    body = json.loads(openai_error(RequestRefused("m", "messages[3].role", "c")))
    assert body == {
        "error": {
            "message": "m",
            "type": "invalid_request_error",
            "param": "messages[3].role",
            "code": "c",
        }
    }
    ErrorObject.model_validate(body["error"], strict=True)


def test_ollama_s_shape() -> None:
    """The error is a bare text."""
    assert ollama_error(RequestRefused("m", "p", "c")) == b'{"error":"m"}'


def test_an_echo_is_short_and_printable() -> None:
    """Whoever raised the error, controls are escaped, and message and param are cut."""
    refusal = RequestRefused("\x1b[0m\r\n" + "x" * 5000, "\x1b" + "y" * 5000)
    error = json.loads(openai_error(refusal))["error"]
    assert error["message"].startswith("\\x1b[0m\\r\\nxxx")
    assert len(error["message"]) == 1000
    assert error["param"].startswith("\\x1byyy")
    assert len(error["param"]) == 100


def test_a_whole_answer() -> None:
    """The response carries its length, its type and the headers it was given."""
    answer = error_response(
        RequestRefused("m", status=413), render=ollama_error, headers=[("x-request-id", "r")]
    )
    assert answer.status == 413
    assert dict(answer.headers) == {
        "content-type": "application/json",
        "content-length": str(len(answer.body)),
        "x-request-id": "r",
    }
