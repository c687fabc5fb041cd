"""From the settings of the channels to the notifiers."""

import ssl
from functools import cache

import certifi

from cortexd.domain.alert_channel import ChannelSettings, ChannelType, MailTls
from cortexd.domain.secret import Secret
from cortexd.observability.notifiers.log import LogNotifier
from cortexd.observability.notifiers.mail import EmailNotifier, Envelope, MailServer
from cortexd.observability.notifiers.webhook import WebhookNotifier
from cortexd.ports import Notifier

_PORTS = {MailTls.STARTTLS: 587, MailTls.TLS: 465, MailTls.OFF: 25}


def build_notifier(settings: ChannelSettings, *, node: str) -> Notifier:
    """The notifier for one channel whose settings have been checked."""
    match settings.type:
        case ChannelType.LOG:
            return LogNotifier()
        case ChannelType.WEBHOOK:
            url = settings.url or Secret("")
            return WebhookNotifier(url, node=node, tls=_public_authorities())
        case ChannelType.EMAIL:
            server = MailServer(
                host=settings.host or "",
                port=settings.port or _PORTS[settings.tls],
                tls=settings.tls,
                username=settings.username,
                password=settings.password,
            )
            envelope = Envelope(sender=settings.sender or "", to=settings.to)
            return EmailNotifier(server, envelope, node=node, tls=_public_authorities())


@cache
def _public_authorities() -> ssl.SSLContext:
    # Read at start, where the 30 ms that it takes hold up nobody.
    return ssl.create_default_context(cafile=certifi.where())
