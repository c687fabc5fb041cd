"""Where and how one worker is reached; its base URL is parsed here and nowhere else.

A request takes its host from here and only its path from its caller, so a key goes to this host
by construction.
"""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.base_url import check_base_url

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen
class Origin:
    """A base URL, taken apart.

    `authority` is what the Host header says, `path` what stands before the path of each request.
    """

    is_tls: bool
    host: str
    port: int
    authority: str
    path: str


def parse_origin(base_url: str) -> Origin:
    """Take a base URL apart.

    Errors: `ValueError` that says what is wrong with it, without repeating it.
    """
    parts = urlsplit(check_base_url(base_url))
    host = parts.hostname or ""
    named = f"[{host}]" if ":" in host else host
    default_port = _DEFAULT_PORTS[parts.scheme]
    port = default_port if parts.port is None else parts.port
    if port == 0:
        raise ValueError("must not name port 0")
    return Origin(
        is_tls=parts.scheme == "https",
        host=host,
        port=port,
        authority=named if port == default_port else f"{named}:{port}",
        path=parts.path,
    )


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where and how a worker is reached.

    `connect_s` covers the look-up of the name, TCP and TLS. `slots`: how many chats the worker
    takes at once. `idle_connections_max`: how many are kept for the next request. `unix_socket`:
    connect there, whatever host `base_url` names. `tls_context`: whom to trust instead of the
    public authorities.

    Errors: `ValueError` for a base URL that is none.
    """

    worker: WorkerName
    base_url: str
    connect_s: float
    slots: int
    idle_connections_max: int
    unix_socket: Path | None = None
    tls_context: ssl.SSLContext | None = None
    origin: Origin = attrs.field(init=False)

    @origin.default
    def _parse_base_url(self) -> Origin:
        return parse_origin(self.base_url)

    def failed(self, kind: FailureKind, detail: str) -> WorkerFailed:
        """The failure of this worker."""
        return WorkerFailed(self.worker, kind, detail)
