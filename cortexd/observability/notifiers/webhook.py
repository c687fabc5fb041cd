"""Alerts by a POST of JSON, in the form of Slack's incoming webhooks.

Mattermost, Rocket.Chat, Zulip and Discord (`.../slack`) take the same. Facts: api.slack.com on
"Sending messages using incoming webhooks", "Formatting text" (which three characters to escape) and
"Secondary message attachments". Rules of this file: the address is a secret and is in no error; no
redirect is followed, and no proxy of the environment is asked.
"""

import ssl
from typing import Any, Final

import httpx
import msgspec

from cortexd.domain.alert import AlertDigest, Notice, NotificationFailed, Occasion, Severity
from cortexd.domain.secret import Secret
from cortexd.observability.notifiers.wording import headline, losses, sentence, title
from cortexd.ports import Notifier

_COLOURS: Final = {
    Severity.INFO: "#439fe0",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "danger",
}
_RESOLVED_COLOUR: Final = "good"

_LATER: Final = frozenset({408, 425, 429})
_CLIENT_ERRORS: Final = range(300, 500)
_SERVER_ERRORS: Final = 500


class WebhookNotifier(Notifier):
    """Posts each message over a connection of its own."""

    send_s_max = 10.0

    def __init__(self, url: Secret, *, node: str, tls: ssl.SSLContext) -> None:
        self._url = url
        self._node = node
        self._tls = tls

    async def send(self, digest: AlertDigest) -> None:
        """Post the message; any answer that begins with 2 will do."""
        client = httpx.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=self.send_s_max
        )
        try:
            request = _request(self._url, slack_document(digest, self._node))
            async with client:
                answer = await client.send(request, stream=True)
                # What it says besides is not read: the status is all there is to know.
                await answer.aclose()
                _judge(answer.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its text may quote the address, so only its kind is told.
            raise NotificationFailed(f"no answer: {_words(error)}") from None


class _Body(httpx.AsyncByteStream):
    """A request's body.

    That of httpx is a generator, which a connection that breaks off leaves to the garbage
    collector.
    """

    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


def _request(url: Secret, document: dict[str, Any]) -> httpx.Request:
    address, body = httpx.URL(url.reveal()), msgspec.json.encode(document)
    headers = {
        "host": address.netloc.decode("ascii"),
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": "cortexd",
    }
    return httpx.Request("POST", address, headers=headers, stream=_Body(body))


def slack_document(digest: AlertDigest, node: str) -> dict[str, Any]:
    """The message as Slack wants it: a line of text, and an attachment for each notice."""
    document: dict[str, Any] = {
        "text": _escaped(headline(digest, node)),
        "attachments": [
            _attachment(notice, age_s)
            for notice, age_s in zip(digest.notices, digest.ages_s, strict=True)
        ],
    }
    if lost := losses(digest):
        document["attachments"].append({"color": "warning", "text": lost, "fallback": lost})
    return document


def _attachment(notice: Notice, age_s: float) -> dict[str, Any]:
    is_over = notice.occasion is Occasion.RESOLVED
    text = _escaped(sentence(notice, age_s))
    return {
        "color": _RESOLVED_COLOUR if is_over else _COLOURS[notice.severity],
        "title": _escaped(title(notice)),
        "text": text,
        "fallback": text,
        "footer": _escaped(notice.alert_id),
    }


def _escaped(text: str) -> str:
    """Neither a mention of everybody nor a link, whatever a name looks like."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _judge(status: int) -> None:
    if status in _CLIENT_ERRORS:
        raise NotificationFailed(f"answered with status {status}", is_final=status not in _LATER)
    if status >= _SERVER_ERRORS:
        raise NotificationFailed(f"answered with status {status}")


def _words(error: Exception) -> str:
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, ssl.SSLCertVerificationError):
            return "its TLS certificate is refused"
        link = link.__cause__ or link.__context__
    return type(error).__name__
