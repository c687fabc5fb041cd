"""Reads one response out of bytes that may be cut anywhere (RFC 9112), by way of llhttp. Pure.

Rules of this file: no I/O, and no exception but `MalformedResponse` and `TruncatedResponse`. What
llhttp does not bound is bounded here: whatever brings no body is counted, by the byte.
"""

from collections.abc import Mapping
from typing import Final

import attrs
import httptools

OVERHEAD_BYTES_MAX: Final = 32 * 1024
"""All heads of one response, its chunk extensions and its trailers together."""

HEADER_LINES_MAX: Final = 100
INFORMATIONAL_MAX: Final = 8

# What a chunk costs of itself, as far as it is free: sixteen digits and two line ends.
CHUNK_FRAME_BYTES: Final = 20

_SWITCHING_PROTOCOLS: Final = 101
_FIRST_STATUS: Final = 100
_FIRST_FINAL_STATUS: Final = 200
_BODILESS: Final = {204, 304}


class MalformedResponse(Exception):
    """The bytes are no HTTP, or more of it than anybody needs."""


class TruncatedResponse(Exception):
    """The input ends before the response does."""


@attrs.frozen
class ResponseHead:
    """Status and headers: names in lower case, the values of a repeated one joined by commas.

    `is_framed`: whether the head says where the body ends; if not, the end of input does.
    """

    status: int
    headers: Mapping[str, str]
    is_framed: bool
    keeps_alive: bool


class ResponseParser:
    """Reads the response to one request; informational ones before it are read over."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.is_whole = False
        self.has_excess = False
        """Whether something came behind the end: nothing that was asked for."""

        self._llhttp = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._header_lines = 0
        self._informational = 0
        self._overhead_bytes = 0

    def feed(self, data: bytes | bytearray) -> bytes:
        """All of the body that `data` brings; not to be called once the response is whole.

        Errors: `MalformedResponse`.
        """
        pieces: list[bytes] = []
        self._body = pieces
        try:
            self._llhttp.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.is_whole:
                raise _malformed(exc) from exc
            self.has_excess = True
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        overhead = len(data) - len(body) - CHUNK_FRAME_BYTES * len(pieces)
        self._overhead_bytes = max(0, self._overhead_bytes + overhead)
        if self._overhead_bytes > OVERHEAD_BYTES_MAX and not self.is_whole:
            raise MalformedResponse(f"more than {OVERHEAD_BYTES_MAX} bytes of head or framing")
        if self.is_whole:
            # It and this object hold each other: otherwise each response would have to wait for
            # the garbage collector.
            del self._llhttp
        return body

    def end_input(self) -> None:
        """The input has ended, in good order.

        Errors: `TruncatedResponse`, unless it is the end of input that ends the body.
        """
        if self.head is None or self.head.is_framed:
            raise TruncatedResponse
        self.is_whole = True

    # What follows is called by llhttp, from within `feed`.

    def on_message_begin(self) -> None:
        """A response begins: the first, or one behind those that are informational."""
        if self.is_whole:
            raise MalformedResponse("a second response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._header_lines += 1
        if self._header_lines > HEADER_LINES_MAX:
            raise MalformedResponse(f"more than {HEADER_LINES_MAX} header lines")
        if self.head is None:  # nothing is needed of a trailer
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            known = self._headers.get(key)
            self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """A head is complete."""
        status = self._llhttp.get_status_code()
        version = self._llhttp.get_http_version()
        coding = self._headers.get("transfer-encoding")
        if status < _FIRST_STATUS or status == _SWITCHING_PROTOCOLS:
            raise MalformedResponse(f"status {status}")
        if version not in {"1.0", "1.1"}:
            raise MalformedResponse(f"version {version}")
        if coding is not None and coding.lower() != "chunked":
            raise MalformedResponse("a transfer encoding that was not asked for")
        if status < _FIRST_FINAL_STATUS:
            self._informational += 1
            if self._informational > INFORMATIONAL_MAX:
                raise MalformedResponse(f"more than {INFORMATIONAL_MAX} informational responses")
            self._headers = {}
            return
        self.head = ResponseHead(
            status=status,
            headers=self._headers,
            is_framed=(
                coding is not None or "content-length" in self._headers or status in _BODILESS
            ),
            # Too few servers of 1.0 mean the same by it.
            keeps_alive=version == "1.1" and self._llhttp.should_keep_alive(),
        )

    def on_body(self, piece: bytes) -> None:
        """All that one chunk has in one read."""
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """A response is complete, perhaps only an informational one."""
        self.is_whole = self.head is not None


def _malformed(exc: Exception) -> MalformedResponse:
    # An exception of ours reaches us as the context of one of llhttp's.
    if isinstance(exc.__context__, MalformedResponse):
        return exc.__context__
    return MalformedResponse(str(exc))
