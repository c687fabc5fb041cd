"""A request as bytes (RFC 9112, sections 3 and 5). Pure."""

import re
from collections.abc import Mapping
from typing import Final

from cortexd.providers.transport.endpoint import Origin

_TARGET: Final = re.compile(r"/[\x21-\x22\x24-\x7e]*")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# What says where a message goes and where it ends is said here alone.
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"}
)


class UnsendableRequest(Exception):
    """No HTTP message can carry this; the text never quotes it, as it may hold a key."""


class PostWriter:
    """Writes POST requests to one origin."""

    def __init__(self, origin: Origin) -> None:
        self._path = origin.path
        # A compressor would hold pieces of a stream back.
        self._ours = (
            f"host: {origin.authority}\r\nuser-agent: cortexd\r\naccept-encoding: identity\r\n"
        )

    def write(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Head and body in one piece, so that they leave in one write.

        Errors: `UnsendableRequest` for a path or header that would break out of its line.
        """
        target = self._path + path
        if not _TARGET.fullmatch(target):
            raise UnsendableRequest("its path is none")
        lines = [f"POST {target} HTTP/1.1\r\n", self._ours]
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or name.lower() in _OURS or not _VALUE.fullmatch(value):
                raise UnsendableRequest("one of its headers is none")
            lines.append(f"{name}: {value}\r\n")
        lines.append(f"content-length: {len(body)}\r\n\r\n")
        return "".join(lines).encode("latin-1") + body
