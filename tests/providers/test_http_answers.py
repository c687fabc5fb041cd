"""What adapters make of the answers that HTTP servers give, good and bad."""

from typing import TYPE_CHECKING

import pytest

from cortexd.domain.answer import AnswerEvent, Finished, FinishReason, TextDelta
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.usage import Usage

if TYPE_CHECKING:
    from tests.providers.conftest import Bench, Upstream

pytestmark = pytest.mark.real_time

HELLO_WORLD = [
    TextDelta("Hello"),
    TextDelta(" world"),
    Finished(FinishReason.STOP, Usage(3, 2)),
]


async def test_whole_answer(bench: "Bench") -> None:
    """A good stream comes through piece by piece, and its last event says that it is whole."""
    bench.serve_good()

    assert await bench.ask() == HELLO_WORLD
    assert "authorization: Bearer sk-test" in bench.upstream.received[0].head
    assert "accept-encoding: identity" in bench.upstream.received[0].head
    assert b'"m1"' in bench.upstream.received[0].body


async def test_connection_is_used_again(bench: "Bench") -> None:
    """After a whole answer the connection waits for the next request."""
    bench.serve_good()

    for _ in range(3):
        await bench.ask()

    assert bench.upstream.opened == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.REFUSED),
        (401, FailureKind.BAD_KEY),
        (404, FailureKind.REFUSED),
        (429, FailureKind.RATE_LIMITED),
        (500, FailureKind.SERVER_ERROR),
        (503, FailureKind.OVERLOADED),
    ],
)
async def test_error_status(bench: "Bench", status: int, kind: FailureKind) -> None:
    """A status has its kind of failure; the server's own words go into the detail."""
    bench.respond(
        status,
        "application/json",
        bench.dialect.error_body,
        "retry-after: 3",
    )

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert (kind, 3.0) == (caught.value.kind, caught.value.retry_after_s)
    assert "it broke" in caught.value.detail
    # What is wrong with the request is the client's business, and nothing else is.
    assert ("it broke" in caught.value.message) == (kind is FailureKind.REFUSED)
    assert caught.value.status == (status if kind is FailureKind.REFUSED else None)


@pytest.mark.parametrize("location", ["absolute", "relative"])
async def test_redirect_is_a_failure(bench: "Bench", elsewhere: "Upstream", location: str) -> None:
    """A redirect is not followed, so the key is sent to nobody else."""
    target = {"absolute": f"{elsewhere.base_url}/", "relative": "/other"}[location]
    bench.respond(307, "text/plain", b"", f"location: {target}")

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert [bench.dialect.chat_path] == [request.path for request in bench.upstream.received]
    assert not elsewhere.received


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"error": {"message": "no memory", "type": "server_error"}}'),
        ("application/json", b'{"ok": true}'),
        ("text/html", b"<html><body>Welcome to the proxy</body></html>"),
        ("text/html", b"<p>" + b"x" * 1_000_000),
        ("application/json", b""),
        ("application/octet-stream", bytes(range(256)) * 16),
    ],
    ids=["error", "other-json", "html", "much-html", "nothing", "bytes"],
)
async def test_success_that_is_no_stream(bench: "Bench", media_type: str, body: bytes) -> None:
    """A 200 with anything else in it is a failure of the server."""
    bench.respond(200, media_type, body)

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.SERVER_ERROR
    assert len(caught.value.detail) < 1000


async def test_compressed_stream_is_a_failure(bench: "Bench") -> None:
    """An encoding that was not asked for is named as the cause."""
    bench.respond(
        200,
        bench.dialect.media_type,
        b"\x1f\x8b\x08",
        "content-encoding: gzip",
    )

    with pytest.raises(WorkerFailed, check=lambda failure: "'gzip'" in failure.detail):
        await bench.ask()


@pytest.mark.parametrize("ending", ["ended", "close", "reset"])
async def test_truncated_stream(bench: "Bench", ending: str) -> None:
    """An answer that stops before its end is a failure, however politely it stops."""
    if ending == "ended":
        bench.stream(bench.dialect.first)
    else:
        bench.stream(bench.dialect.first, then="reset" if ending == "reset" else "close")

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.SERVER_ERROR


@pytest.mark.parametrize("what", ["error_in_stream", "garbage", "invalid-utf8", "huge-line"])
async def test_stream_that_goes_wrong(bench: "Bench", what: str) -> None:
    """What was good is given out; then comes the failure, and the connection is closed."""
    bad = {
        "error_in_stream": bench.dialect.error_in_stream,
        "garbage": b"data: {nonsense\n\n",
        "invalid-utf8": bench.dialect.first.replace(b"Hello", b"\xff\xfe"),
        "huge-line": b"data: " + b"x" * 3_000_000,
    }[what]
    bench.stream(bench.dialect.first, bad, then="hold")
    events: list[AnswerEvent] = []

    async def read() -> None:
        async with bench.worker.open_chat(bench.question, model="m1") as stream:
            async for batch in stream:
                events.extend(batch)

    with pytest.raises(WorkerFailed) as caught:
        await read()

    assert [TextDelta("Hello")] == events
    assert caught.value.kind is FailureKind.SERVER_ERROR
    await bench.upstream.wait_no_connections()


async def test_answer_that_is_no_http(bench: "Bench") -> None:
    """Another protocol on the port is a failure of the server."""
    bench.send(b"220 mail.example ESMTP\r\n\r\n", then="close")

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.SERVER_ERROR


async def test_reset_before_the_first_byte(bench: "Bench") -> None:
    """A connection that breaks before there is an answer is an unreachable bench.worker."""
    bench.send(then="reset")

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert caught.value.kind is FailureKind.UNREACHABLE


async def test_a_page_of_html_is_not_told_to_the_client(bench: "Bench") -> None:
    """A refusal in no known form has no sentence for the client, only a detail for the log."""
    bench.respond(404, "text/html", b"<html>nginx at 10.0.0.7</html>")

    with pytest.raises(WorkerFailed) as caught:
        await bench.ask()

    assert "10.0.0.7" in caught.value.detail
    assert "10.0.0.7" not in caught.value.message
