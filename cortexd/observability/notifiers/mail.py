"""Alerts by mail: one message over SMTP, in a thread, since the library waits for each answer.

Rules of this file: no error quotes what the server says, which may quote a credential; the thread
ends soon after its message is given up, because its connection is cut.
"""

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

import attrs
import trio

from cortexd.domain.alert import AlertDigest, NotificationFailed
from cortexd.domain.alert_channel import MailTls
from cortexd.domain.secret import Secret
from cortexd.observability.notifiers.wording import headline, losses, sentence
from cortexd.ports import Notifier

ANSWER_S_MAX: Final = 10.0
"""How long the server may take for each of its answers."""

_FINAL: Final = range(500, 600)
"""Replies that would be the same the next time (RFC 5321, section 4.2.1)."""


_READY: Final = 220


@attrs.frozen(kw_only=True)
class MailServer:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    tls: MailTls
    username: str | None = None
    password: Secret | None = None


@attrs.frozen(kw_only=True)
class Envelope:
    """From whom, and to whom."""

    sender: str
    to: tuple[str, ...]


class EmailNotifier(Notifier):
    """Hands in each message over a connection of its own, one at a time."""

    send_s_max = 30.0

    def __init__(
        self,
        server: MailServer,
        envelope: Envelope,
        *,
        node: str,
        tls: ssl.SSLContext,
    ) -> None:
        self._server = server
        self._envelope = envelope
        self._node = node
        self._tls = tls
        # One thread: the next message waits for one that is stuck, at most until its own limit.
        self._limiter = trio.CapacityLimiter(1)

    async def send(self, digest: AlertDigest) -> None:
        """Hand the message in."""
        message = mail(digest, self._envelope, self._node)
        session = _Session(self._server, self._tls)
        try:
            await trio.to_thread.run_sync(
                session.hand_in, message, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            session.cut()


def mail(digest: AlertDigest, envelope: Envelope, node: str) -> EmailMessage:
    """The message as people read it."""
    message = EmailMessage()
    # A line break would be another header.
    message["Subject"] = " ".join(headline(digest, node).split())
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.to)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="cortexd.invalid")
    # Programs that answer when somebody is on holiday leave it alone (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    sentences = [
        sentence(notice, age_s) for notice, age_s in zip(digest.notices, digest.ages_s, strict=True)
    ]
    lost = losses(digest)
    message.set_content("\n\n".join([*sentences, lost] if lost else sentences) + "\n")
    return message


class _Session:
    """One connection to the server, used in a thread and cut from outside."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._client: smtplib.SMTP | None = None
        self._is_cut = False

    def hand_in(self, message: EmailMessage) -> None:
        """Connect, say who we are, and send. Errors: `NotificationFailed`."""
        try:
            self._hand_in(message)
        except smtplib.SMTPResponseException as error:
            raise NotificationFailed(
                f"the server answers with {error.smtp_code}", is_final=error.smtp_code in _FINAL
            ) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise NotificationFailed(
                f"the server refuses the recipients with {', '.join(map(str, codes))}",
                is_final=all(code in _FINAL for code in codes),
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise NotificationFailed(
                "the server offers no STARTTLS, or no way to log in", is_final=True
            ) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotificationFailed(f"no mail was taken: {_kind(error)}") from None

    def cut(self) -> None:
        """Have whoever waits for the server in `hand_in` fail at once."""
        self._is_cut = True
        # Taken hold of once: the thread may let go of it at any moment.
        sock = None if self._client is None else self._client.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _hand_in(self, message: EmailMessage) -> None:
        server = self._server
        self._client = client = self._new_client()
        try:
            code, _ = client.connect(server.host, server.port)
            if code != _READY:
                raise smtplib.SMTPConnectError(code, "")
            if server.tls is MailTls.STARTTLS:
                client.starttls(context=self._tls)
            if server.username is not None and server.password is not None:
                client.login(server.username, server.password.reveal())
            if self._is_cut:
                return
            client.send_message(message)
            # It has been taken: what goes wrong now is of no interest.
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
        finally:
            client.close()

    def _new_client(self) -> smtplib.SMTP:
        client = (
            smtplib.SMTP_SSL(timeout=ANSWER_S_MAX, context=self._tls)
            if self._server.tls is MailTls.TLS
            else smtplib.SMTP(timeout=ANSWER_S_MAX)
        )
        # The name that the certificate has to be for: `connect` does not set it.
        client._host = self._server.host  # type: ignore[attr-defined]  # noqa: SLF001
        return client


def _kind(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its TLS certificate is refused"
    return type(error).__name__
