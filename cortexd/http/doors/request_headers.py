"""What the headers of a request tell a door, in any dialect."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from cortexd.domain.errors import RequestRefused
from cortexd.domain.ids import RequestId, Tenant
from cortexd.pipeline.exchange import CacheWishes
from cortexd.wire.quotation import quoted

TIMEOUT_S_MAX: Final = 86_400.0

_TYPE_OF_CURL: Final = "application/x-www-form-urlencoded"

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Not float(): that takes `nan`, `1_0` and digits of other scripts.
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_IDEMPOTENCY_KEY: Final = re.compile(r"[ -~]{1,255}")

_TENANT_BYTES: Final = 16

_NO_WISHES: Final = CacheWishes()


def read_request_id(headers: Mapping[str, str], new_id: Callable[[], str]) -> RequestId:
    """The client's own id, if it is fit for logs and headers, else a new one."""
    given = headers.get("x-request-id", "")
    return RequestId(given if _REQUEST_ID.fullmatch(given) else new_id())


def read_timeout_s(headers: Mapping[str, str]) -> float | None:
    """How long the client is willing to wait, `None` if it does not say.

    Errors: `RequestRefused` for what is no number of seconds, or more than a day.
    """
    given = headers.get("x-request-timeout")
    if given is None:
        return None
    seconds = float(given) if _SECONDS.fullmatch(given) else 0.0
    if not 0.0 < seconds <= TIMEOUT_S_MAX:
        raise RequestRefused(
            f"x-request-timeout must be a number of seconds over 0 and at most "
            f"{TIMEOUT_S_MAX:.0f}, not {quoted(given)}",
            "x-request-timeout",
            "invalid_value",
        )
    return seconds


def read_wishes(headers: Mapping[str, str]) -> CacheWishes:
    """What the client says about the cache: `no-store` or `no-cache`, and an idempotency key.

    Errors: `RequestRefused` for a key that is not 1 to 255 characters of printable ASCII. Other
    directives of RFC 9111 are passed over.
    """
    control, key = headers.get("cache-control"), headers.get("idempotency-key")
    if control is None and key is None:
        return _NO_WISHES
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise RequestRefused(
            "idempotency-key must be 1 to 255 printable ASCII characters",
            "idempotency-key",
            "invalid_value",
        )
    directives = {directive.strip().lower() for directive in (control or "").split(",")}
    may_store = "no-store" not in directives
    return CacheWishes(
        may_read=may_store and "no-cache" not in directives,
        may_store=may_store,
        idempotency_key=key,
    )


def read_tenant(headers: Mapping[str, str]) -> Tenant:
    """On whose behalf the client asks: a digest of its credential, whichever header that is in.

    It keeps clients apart, and lets in nobody. All without a credential are one tenant.
    """
    scheme, _, rest = headers.get("authorization", "").strip().partition(" ")
    credential = rest.strip() or scheme or headers.get("x-api-key", "").strip()
    if not credential:
        return Tenant("")
    digest = hashlib.blake2b(credential.encode(), digest_size=_TENANT_BYTES)
    return Tenant(digest.hexdigest())


def check_json(headers: Mapping[str, str], *, also_from_curl: bool = False) -> None:
    """Refuse a body that does not say it is JSON, or that would have to be unpacked first.

    `also_from_curl`: take what `curl -d` says of every body, as Ollama does and its documentation
    shows, and no word at all, as some of its clients send it (LiteLLM); but not from a browser,
    where any page may send either without asking.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_from_curl = media_type in {"", _TYPE_OF_CURL} and "origin" not in headers
    if media_type != "application/json" and not (also_from_curl and is_from_curl):
        raise RequestRefused(
            "the body must be JSON: send content-type: application/json",
            code="unsupported_media_type",
            status=415,
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RequestRefused(
            "the body must not be compressed: leave out content-encoding",
            code="unsupported_media_type",
            status=415,
        )
