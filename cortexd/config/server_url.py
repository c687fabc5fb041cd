"""Taking the address of a server apart."""

from urllib.parse import unquote, urlsplit

from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl


def parse_server_url(text: str) -> ServerUrl:
    """Take a URL apart.

    Errors: `ValueError` for what is none; its text does not quote it, as it may have a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as redis://HOST:PORT") from None
    if not parts.scheme or not parts.hostname:
        raise ValueError("must be a URL such as redis://HOST:PORT")
    if parts.query or parts.fragment:
        raise ValueError("must be a URL without ? and #")
    return ServerUrl(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=Secret(unquote(parts.password)) if parts.password else None,
        path=unquote(parts.path.removeprefix("/")),
    )
