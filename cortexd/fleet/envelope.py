"""Messages on the wire: JSON of a known schema, signed, and good for a while.

The signature is an HMAC-SHA256 under the key of the fleet over all that gives a message its
meaning: schema, id, audience, the time it was sent, its deadline, and the body. The audience is
part of it, so that whoever may use the broker cannot hand a command for one agent to another.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from cortexd.domain.fleet import FleetMessage, MessageId, Received
from cortexd.domain.secret import Secret

SCHEMA: Final = 1
CONTENT_TYPE: Final = "application/json"
EVERYBODY: Final = "*"

BODY_BYTES_MAX: Final = 256 * 1024
"""An agent whose offers would take more does not start; see `cortexd/agent/load.py`."""

LIFE_S_MAX: Final = 600.0
"""No message is good for longer, whatever it says."""

CLOCKS_APART_S_MAX: Final = 30.0
"""How far the clocks of two hosts may be apart, for a message not to be of the future."""

_ID_CHARACTERS_MAX: Final = 64

_decoder: Final = msgspec.json.Decoder(FleetMessage)


class MessageRejected(Exception):
    """The message is none of ours, or none for us; the text says why, and quotes nothing of it."""


@attrs.frozen
class Terms:
    """For whom a message is, and from when until when; times in milliseconds since 1970."""

    audience: str
    sent_ms: int
    deadline_ms: int


@attrs.frozen(kw_only=True)
class Sealed:
    """A message as the broker carries it; times are in seconds since 1970."""

    id: MessageId
    body: bytes
    content_type: str | None
    headers: Mapping[str, Any]


def terms(audience: str, *, sent_at: float, life_s: float) -> Terms:
    """Those of a message that is sent now, in seconds since 1970."""
    return Terms(audience, round(sent_at * 1000), round((sent_at + life_s) * 1000))


def seal(message: FleetMessage, id_: MessageId, when: Terms, key: Secret) -> Sealed:
    """Write a message down, and sign it."""
    body = msgspec.json.encode(message)
    headers = {
        "schema": SCHEMA,
        "audience": when.audience,
        "sent": when.sent_ms,
        "deadline": when.deadline_ms,
        "signature": _signature(id_, when, body, key),
    }
    return Sealed(id=id_, body=body, content_type=CONTENT_TYPE, headers=headers)


def unseal(sealed: Sealed, *, audience: str, now: float, key: Secret) -> Received:
    """Check a message and read it. `audience`: who we are. Errors: `MessageRejected`."""
    if len(sealed.body) > BODY_BYTES_MAX:
        raise MessageRejected(f"it is longer than {BODY_BYTES_MAX} bytes")
    if sealed.content_type != CONTENT_TYPE:
        raise MessageRejected(f"its content type is not {CONTENT_TYPE}")
    if sealed.headers.get("schema") != SCHEMA:
        raise MessageRejected(f"its schema version is not {SCHEMA}")
    if not 0 < len(sealed.id) <= _ID_CHARACTERS_MAX:
        raise MessageRejected("it has no id, or one that is too long")
    when = _terms_in(sealed.headers)
    signature = sealed.headers.get("signature")
    expected = _signature(sealed.id, when, sealed.body, key)
    if not isinstance(signature, str) or not hmac.compare_digest(
        signature.encode("utf-8", "replace"), expected.encode()
    ):
        raise MessageRejected("its signature is wrong")
    if when.audience not in {audience, EVERYBODY}:
        raise MessageRejected("it is for somebody else")
    sent_at, deadline = when.sent_ms / 1000, when.deadline_ms / 1000
    if sent_at > now + CLOCKS_APART_S_MAX or deadline > sent_at + LIFE_S_MAX:
        raise MessageRejected("it is of the future: are the clocks in step?")
    try:
        message = _decoder.decode(sealed.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MessageRejected("its body does not fit the schema") from error
    return Received(id=sealed.id, message=message, deadline=deadline)


def _terms_in(headers: Mapping[str, Any]) -> Terms:
    audience, sent_ms, deadline_ms = map(headers.get, ("audience", "sent", "deadline"))
    if type(audience) is not str or type(sent_ms) is not int or type(deadline_ms) is not int:
        raise MessageRejected("its headers do not say for whom it is, or until when")
    return Terms(audience, sent_ms, deadline_ms)


def _signature(id_: str, when: Terms, body: bytes, key: Secret) -> str:
    # Each part behind its length, so that no two messages are written the same way.
    numbers = (SCHEMA, when.sent_ms, when.deadline_ms)
    texts = (id_, when.audience, *map(str, numbers))
    mac = hmac.new(key.reveal().encode(), digestmod=hashlib.sha256)
    for part in (*(text.encode("utf-8", "surrogatepass") for text in texts), body):
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.hexdigest()
