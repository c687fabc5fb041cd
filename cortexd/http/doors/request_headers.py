"""What the headers of a request tell a door, in any dialect."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from cortexd.domain.errors import RequestRefused
from cortexd.domain.ids import RequestId
from cortexd.wire.quotation import quoted

TIMEOUT_S_MAX: Final = 86_400.0

_TYPE_OF_CURL: Final = "application/x-www-form-urlencoded"

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Not float(): that takes `nan`, `1_0` and digits of other scripts.
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


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
