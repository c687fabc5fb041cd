"""What every answer to a browser says to it: trust nothing but what comes from here."""

from collections.abc import Sequence
from typing import Final

from cortexd.http.doors.door import Responder
from cortexd.http.host_errors import Headers

# Source: W3C, "Content Security Policy Level 3" and "Trusted Types". `default` is the one policy
# that scripts may make; `static/trusted_types.js` says what it lets through.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types default"
)

SECURITY_HEADERS: Final[Headers] = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)

_NOT_MODIFIED: Final = 304


async def answer_browser(
    respond: Responder, status: int, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> None:
    """Send a whole answer with the security headers."""
    framing = () if status == _NOT_MODIFIED else (("content-length", str(len(body))),)
    await respond.start(status, (*headers, *framing, *SECURITY_HEADERS))
    if body:
        await respond.send(body)
    await respond.finish()
