"""What the address of a worker may look like. Pure."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def check_base_url(base_url: str) -> str:
    """The address without the slash at its end.

    Errors: `ValueError` that says what is wrong with it, without repeating it.
    """
    parts = _split(base_url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None or parts.password is not None:
        # It would end up in error messages, which quote addresses.
        raise ValueError("must hold no user name or password; a key belongs into api_keys")
    if parts.query or parts.fragment:
        raise ValueError("must hold no query and no fragment")
    return base_url.rstrip("/")


def is_loopback(base_url: str) -> bool:
    """Whether the address is of this very machine, as far as its text tells."""
    try:
        host = _split(base_url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(base_url: str) -> SplitResult:
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ValueError("must be an address of printable ASCII characters")
    try:
        parts = urlsplit(base_url)
        # Reading the port checks it; encoding the host is what looking it up begins with.
        _ = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise ValueError("is no valid address") from None
    return parts
