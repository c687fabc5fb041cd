"""What is set for one channel by which people are told of alerts."""

from enum import Enum, unique

import attrs
from attrs import validators

from cortexd.domain.alert import Severity
from cortexd.domain.secret import Secret


@unique
class ChannelType(Enum):
    """How messages are sent."""

    LOG = "log"
    WEBHOOK = "webhook"
    EMAIL = "email"


@unique
class MailTls(Enum):
    """How mail is encrypted on its way to the server."""

    STARTTLS = "starttls"
    TLS = "tls"
    OFF = "off"


@attrs.frozen(kw_only=True)
class ChannelSettings:
    """One `[[alerts.channels]]` entry.

    `url` belongs to webhooks alone, and is a secret, since it often has a token in it. `host` and
    what follows belong to e-mail alone.
    """

    name: str
    type: ChannelType
    min_severity: Severity = Severity.WARNING
    url: Secret | None = None
    host: str | None = None
    port: int | None = attrs.field(
        default=None,
        validator=validators.optional(validators.and_(validators.ge(1), validators.le(65535))),
    )
    tls: MailTls = MailTls.STARTTLS
    username: str | None = None
    password: Secret | None = None
    sender: str | None = None
    to: tuple[str, ...] = ()
