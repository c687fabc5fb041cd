"""What can go wrong with a line to the broker, in our own words.

AMQP's reply codes: https://www.rabbitmq.com/docs/channels#error-handling and the AMQP 0-9-1
reference. aio-pika has a class for most of them; those of a connection that is being opened come in
the text of an unexpected frame. aiormq gives its own error the number of the one that it met, which
stays its cause; that of TLS and of the resolver is no number of the system's.
"""

import os
import socket
import ssl
from typing import Final

import attrs
from aio_pika import exceptions

from cortexd.domain.errors import CortexError


@attrs.frozen
class LineFailed(CortexError):
    """The line does not carry. `is_hopeless`: trying again will not do before somebody acts."""

    message: str
    is_hopeless: bool = False


@attrs.frozen
class MessageRefused(CortexError):
    """The broker has not taken this message, and would not the next time."""

    message: str


_USER: Final = "the broker refuses the user or its password"
_VHOST: Final = "the virtual host is not there, or closed to this user"
_PERMISSIONS: Final = "the user has not the permissions that it needs"
_SETTINGS: Final = "a queue or exchange of this name is there with other settings: delete it"
_DELETED: Final = "a queue or exchange has been deleted"
_TAKEN: Final = "another component of the same name reads its queue"
_CLOSED: Final = "the broker has closed the connection"

_CAUSES: Final = (
    ((exceptions.ProbableAuthenticationError, exceptions.AuthenticationError), _USER),
    ((exceptions.ChannelPreconditionFailed,), _SETTINGS),
    ((exceptions.ChannelNotFoundEntity,), _DELETED),
)

_WORDS: Final = (
    ("exclusive", _TAKEN),
    ("ACCESS_REFUSED", _PERMISSIONS),
    ("access to exchange", _PERMISSIONS),
    ("access to queue", _PERMISSIONS),
    ("NOT_ALLOWED", _VHOST),
    ("vhost", _VHOST),
    # While a connection is opened, the broker closes it for no other reason.
    ("Connection.Close", _VHOST),
    ("CONNECTION_FORCED", _CLOSED),
)
"""What the broker says, and what that means; the first that fits."""

_HOPELESS: Final = frozenset({_USER, _VHOST, _PERMISSIONS, _SETTINGS})
"""What does not pass, and is not mended by the next attempt."""

_CUT_OFF: Final = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
"""Where TLS has lost the broker, and not found fault with it."""


def told(error: BaseException) -> LineFailed | MessageRefused:
    """The error of a library, in ours."""
    if isinstance(error, exceptions.PublishError):
        return MessageRefused("nobody is there to take it")
    if isinstance(error, exceptions.DeliveryError):
        return MessageRefused("the broker refused it")
    # First, since its text has the name of the host in it, which may be like any word.
    fault = _fault_of_tls(error)
    if fault is not None:
        return LineFailed(fault, is_hopeless=True)
    text = _cause(error)
    return LineFailed(text, text in _HOPELESS)


def _fault_of_tls(error: BaseException) -> str | None:
    met = error.__cause__
    if not isinstance(met, ssl.SSLError) or isinstance(met, _CUT_OFF):
        return None
    if isinstance(met, ssl.SSLCertVerificationError):
        return f"the broker's certificate is refused: {met.verify_message.rstrip('.')}"
    reason = (met.reason or "unknown reason").lower().replace("_", " ")
    return f"no TLS with the broker: {reason}"


def _cause(error: BaseException) -> str:
    for kinds, text in _CAUSES:
        if isinstance(error, kinds):
            return text
    said = f"{error!r} {error}"
    for word, text in _WORDS:
        if word in said:
            return text
    if isinstance(error, OSError):
        return f"no connection to the broker: {_reason(error)}"
    return f"the broker and we do not understand each other: {type(error).__name__}"


def _reason(error: OSError) -> str:
    met = error.__cause__
    if isinstance(met, socket.gaierror):
        return (met.strerror or "the host is unknown").lower()
    if isinstance(met, ssl.SSLError) or not error.errno:
        return "it was lost"
    return os.strerror(error.errno).lower()
