"""The webhook's notifier against a real server."""

import re
import socket
import ssl
from collections.abc import Iterator

import pytest
import trio
import trustme

from cortexd.domain.alert import NotificationFailed
from cortexd.domain.secret import Secret
from cortexd.observability.notifiers.webhook import WebhookNotifier
from tests.fakes.alerts import digest
from tests.fakes.webhook import HANGING, PATH, WebhookSink, refusing, running_webhook

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 20.0

DIGEST = digest()


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """One that takes all."""
    with running_webhook() as running:
        yield running


def _notifier(url: str, tls: ssl.SSLContext | None = None) -> WebhookNotifier:
    return WebhookNotifier(Secret(url), node="node-1", tls=tls or ssl.create_default_context())


async def _failure(notifier: WebhookNotifier) -> NotificationFailed:
    with trio.fail_after(HANGS_S), pytest.raises(NotificationFailed) as caught:
        await notifier.send(DIGEST)
    return caught.value


async def test_a_message_is_posted_as_slack_wants_it(sink: WebhookSink) -> None:
    """JSON with a text, to the whole of the address."""
    with trio.fail_after(HANGS_S):
        await _notifier(sink.url).send(DIGEST)
    request = sink.posts.get_nowait()
    assert (request.method, request.path) == ("POST", PATH)
    assert request.header("content-type") == "application/json"
    assert request.header("user-agent") == "cortexd"
    assert b"worker groq keeps failing" in request.body


async def test_no_proxy_of_the_environment_is_asked(
    sink: WebhookSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is for that server alone."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with trio.fail_after(HANGS_S):
        await _notifier(sink.url).send(DIGEST)
    assert sink.posts.qsize() == 1


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(400, True), (403, True), (404, True), (410, True), (429, False), (500, False), (503, False)],
)
async def test_a_refusal_is_final_or_not_by_its_status(
    sink: WebhookSink, status: int, is_final: object
) -> None:
    """What the server is to blame for, or the rate, may go better later."""
    sink.replies = [refusing(status)]
    failure = await _failure(_notifier(sink.url))
    assert (failure.message, failure.is_final) == (f"answered with status {status}", is_final)


async def test_no_redirect_is_followed(sink: WebhookSink) -> None:
    """Or what is in the address could go anywhere."""
    with running_webhook() as elsewhere:
        sink.replies = [refusing(307, location=elsewhere.url)]
        failure = await _failure(_notifier(sink.url))
        assert elsewhere.posts.empty()
    assert (failure.message, failure.is_final) == ("answered with status 307", True)


async def test_a_server_that_is_not_there() -> None:
    """It may be there later; what went wrong is told without the address."""
    with running_webhook() as gone:
        pass
    failure = await _failure(_notifier(gone.url))
    assert (failure.message, failure.is_final) == ("no answer: ConnectError", False)


async def test_a_server_that_breaks_off(sink: WebhookSink) -> None:
    """In the midst of its head."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    async def break_off() -> None:
        connection, _ = await trio.to_thread.run_sync(listener.accept)
        connection.close()

    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(break_off)
            failure = await _failure(_notifier(f"http://127.0.0.1:{port}{PATH}"))
    assert failure.message.startswith("no answer: ")
    assert not failure.is_final


async def test_a_body_that_hangs_is_not_waited_for(sink: WebhookSink) -> None:
    """The status says it all."""
    sink.replies = [HANGING]
    with trio.fail_after(HANGS_S):
        await _notifier(sink.url).send(DIGEST)


async def test_a_server_that_hangs_is_left_when_time_is_up() -> None:
    """The caller's limit ends it, and no connection stays behind."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with trio.fail_after(HANGS_S):
            with trio.move_on_after(0.3) as limit:
                await _notifier(f"http://127.0.0.1:{port}{PATH}").send(DIGEST)
            assert limit.cancelled_caught
            connection, _ = await trio.to_thread.run_sync(listener.accept)
            connection.settimeout(HANGS_S)
            with connection:
                while await trio.to_thread.run_sync(connection.recv, 65536):
                    pass


async def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    """Verification is never switched off; one that the authority vouches for is taken."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    posts: list[bytes] = []

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            received = await stream.receive_some(65536)
            if received:
                posts.append(bytes(received))
                await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except trio.BrokenResourceError:
            pass
        await trio.aclose_forcefully(stream)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    listeners = [trio.SSLListener(listener, server)]
    url = f"https://127.0.0.1:{port}{PATH}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        failure = await _failure(_notifier(url))
        assert failure.message == "no answer: its TLS certificate is refused"
        assert posts == []
        with trio.fail_after(HANGS_S):
            await _notifier(url, trusting).send(DIGEST)
        assert re.match(rb"POST /services/", posts[0])
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("status", [404, 500])
async def test_no_error_shows_the_address(sink: WebhookSink, status: int) -> None:
    """Neither its words nor what it came from."""
    sink.replies = [refusing(status)]
    failure = await _failure(_notifier(sink.url))
    assert "sEcReT" not in repr(failure) + str(failure) + str(failure.__cause__)
    refused = await _failure(_notifier("http://[sEcReT"))
    assert "sEcReT" not in repr(refused) + str(refused) + str(refused.__cause__)
    assert refused.__suppress_context__
