"""The mail's notifier against a real server that speaks SMTP."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import attrs
import pytest
import trio
import trustme

from cortexd.domain.alert import NotificationFailed
from cortexd.domain.alert_channel import MailTls
from cortexd.domain.secret import Secret
from cortexd.observability.notifiers.mail import EmailNotifier, Envelope, MailServer, _Session
from tests.fakes.alerts import digest
from tests.fakes.smtp import MAIL_S_MAX, MailSink, running_mail_server

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

HANGS_S = 20.0
PASSWORD = "cAnArY-password"
ENVELOPE = Envelope(sender="cortexd@example.org", to=("ops@example.org", "boss@example.org"))
DIGEST = digest()


@attrs.define(eq=False)
class Rig:
    """A server, and who trusts it."""

    sink: MailSink
    trusting: ssl.SSLContext

    def notifier(self, tls: MailTls, *, trusts: bool = True, logs_in: bool = True) -> EmailNotifier:
        """One for this server."""
        server = MailServer(
            host="127.0.0.1",
            port=self.sink.port,
            tls=tls,
            username="cortexd" if logs_in else None,
            password=Secret(PASSWORD) if logs_in else None,
        )
        context = self.trusting if trusts else ssl.create_default_context()
        return EmailNotifier(server, ENVELOPE, node="node-1", tls=context)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for the server."""
    return trustme.CA()


@pytest.fixture
def rig(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A server that can encrypt; from the start if the test says so."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    at_once = getattr(request, "param", False)
    sink = MailSink(tls=server, is_encrypted_from_start=at_once)
    with ExitStack() as stack:
        stack.enter_context(running_mail_server(sink))
        yield Rig(sink, trusting)


async def _send(notifier: EmailNotifier) -> None:
    with trio.fail_after(HANGS_S):
        await notifier.send(DIGEST)


async def _failure(notifier: EmailNotifier) -> NotificationFailed:
    with pytest.raises(NotificationFailed) as caught:
        await _send(notifier)
    shown = repr(caught.value) + str(caught.value) + str(caught.value.__cause__)
    assert PASSWORD not in shown
    return caught.value


@pytest.mark.parametrize(
    ("rig", "tls"), [(False, MailTls.STARTTLS), (True, MailTls.TLS)], indirect=["rig"]
)
async def test_mail_is_handed_in_encrypted_and_by_name(rig: Rig, tls: MailTls) -> None:
    """To all recipients, with the words of the alert."""
    await _send(rig.notifier(tls))
    mail = rig.sink.next_mail()
    assert mail.was_encrypted
    assert mail.login == ("cortexd", PASSWORD)
    assert (mail.sender, mail.to) == (ENVELOPE.sender, ENVELOPE.to)
    assert mail.message["Subject"] == "cortexd node-1: warning: breaker_open (groq)"
    assert "worker groq keeps failing: see to its server" in str(mail.message.get_payload())


async def test_mail_without_encryption_and_name(rig: Rig) -> None:
    """As to a server on the same machine."""
    await _send(rig.notifier(MailTls.OFF, logs_in=False))
    mail = rig.sink.next_mail()
    assert (mail.was_encrypted, mail.login) == (False, None)


@pytest.mark.parametrize(
    ("rig", "tls"), [(False, MailTls.STARTTLS), (True, MailTls.TLS)], indirect=["rig"]
)
async def test_a_server_that_nobody_vouches_for_gets_nothing(rig: Rig, tls: MailTls) -> None:
    """Neither mail nor password."""
    failure = await _failure(rig.notifier(tls, trusts=False))
    assert failure.message == "no mail was taken: its TLS certificate is refused"
    assert rig.sink.mails.empty()


async def test_a_server_that_cannot_encrypt_gets_nothing(rig: Rig) -> None:
    """Nobody in between can talk us out of it."""
    rig.sink.tls = None
    failure = await _failure(rig.notifier(MailTls.STARTTLS))
    assert failure.message == "the server offers no STARTTLS, or no way to log in"
    assert failure.is_final
    assert rig.sink.mails.empty()


@pytest.mark.parametrize(
    ("command", "answer", "words", "is_final"),
    [
        ("AUTH", "535 wrong password", "the server answers with 535", True),
        ("AUTH", "454 try later", "the server answers with 454", False),
        ("MAIL", "451 try later", "the server answers with 451", False),
        ("RCPT", "550 who?", "the server refuses the recipients with 550", True),
        ("RCPT", "450 greylisted", "the server refuses the recipients with 450", False),
        ("DATA", "554 no", "the server answers with 554", True),
        ("CONNECT", "421 too busy", "the server answers with 421", False),
    ],
)
async def test_a_refusal_is_final_or_not_by_its_code(
    rig: Rig, command: str, answer: str, words: str, is_final: object
) -> None:
    """The first digit says it."""
    rig.sink.refusals = {command: answer}
    failure = await _failure(rig.notifier(MailTls.STARTTLS))
    assert (failure.message, failure.is_final) == (words, is_final)
    assert rig.sink.mails.empty()


async def test_what_goes_wrong_once_the_mail_was_taken_does_not_count(rig: Rig) -> None:
    """Or it would be sent twice."""
    rig.sink.refusals = {"QUIT": "500 no"}
    await _send(rig.notifier(MailTls.STARTTLS))
    assert rig.sink.mails.qsize() == 1


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "DATA"])
async def test_a_server_that_hangs_is_left_when_time_is_up(rig: Rig, command: str) -> None:
    """The caller's limit ends it; the connection is cut, and so the thread ends as well."""
    rig.sink.hangs_at = command
    notifier = rig.notifier(MailTls.OFF, logs_in=False)
    with trio.fail_after(HANGS_S):
        with trio.move_on_after(0.5) as limit:
            await notifier.send(DIGEST)
        assert limit.cancelled_caught
        assert rig.sink.left.get(timeout=MAIL_S_MAX) == command
        # The one thread is free again for the next message.
        rig.sink.hangs_at = ""
        await notifier.send(DIGEST)
    assert rig.sink.mails.qsize() == 1


async def test_a_server_that_is_not_there(rig: Rig) -> None:
    """It may be there later."""
    with running_mail_server(MailSink()) as gone:
        pass
    rig.sink.port = gone.port
    failure = await _failure(rig.notifier(MailTls.OFF, logs_in=False))
    assert failure.message == "no mail was taken: ConnectionRefusedError"
    assert not failure.is_final


async def test_the_loop_goes_on_while_mail_is_handed_in(rig: Rig) -> None:
    """The library waits in a thread of its own."""
    rig.sink.hangs_at = "EHLO"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.notifier(MailTls.OFF, logs_in=False).send, DIGEST)
        for _ in range(20):
            await trio.sleep(0.01)
        assert rig.sink.left.empty(), "it has not given up yet"
        nursery.cancel_scope.cancel()
    assert rig.sink.left.get(timeout=MAIL_S_MAX) == "EHLO"


class _Leaving:
    """A client that lets go of its connection while somebody looks at it."""

    def __init__(self, sock: socket.socket) -> None:
        self._seen = [None, sock]

    @property
    def sock(self) -> socket.socket | None:
        """The connection, once."""
        return self._seen.pop() if len(self._seen) > 1 else None


def test_a_connection_may_go_while_it_is_cut() -> None:
    """The thread that has it ends at the same moment; that is no error of the channel."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        session = _Session(
            MailServer(host="127.0.0.1", port=25, tls=MailTls.OFF), ssl.create_default_context()
        )
        session._client = cast("Any", _Leaving(ours))
        session.cut()
        assert theirs.recv(1) == b""
