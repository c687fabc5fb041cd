"""GET requests to a worker: probes and discovery; the only importer of httpx among the adapters.

They are rare, so each has a connection of its own: nothing is pooled that a cancelled request could
leave behind. Rules of this file: no exception of httpx leaves it. Only connecting has a time limit,
all others are the caller's. It is httpx's transport that is used, which follows no redirects, keeps
no cookies and reads no environment, so a key goes to the worker's host and nowhere else.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias, cast

import attrs
import httpx
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.client import DOCUMENT_BYTES_MAX
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.reasons import is_untrusted, reason
from cortexd.providers.transport.refusal import (
    ERROR_BODY_BYTES_MAX,
    ERROR_BODY_S_MAX,
    ErrorDecoder,
    refusal,
)
from cortexd.providers.transport.resolver import resolver_of_run
from cortexd.providers.transport.tls import public_authorities
from cortexd.wire.failed_answer import FailedAnswer

CLOSING_S_MAX: Final = 0.5

_OK: Final = 200

NewTransport: TypeAlias = Callable[[Endpoint], httpx.AsyncBaseTransport]


def new_transport(endpoint: Endpoint) -> httpx.AsyncHTTPTransport:
    """What one request goes by, over a socket; it is closed behind it."""
    # httpx connects by `trio.open_tcp_stream`, which asks the resolver that this puts in place.
    resolver_of_run()
    return httpx.AsyncHTTPTransport(
        verify=endpoint.tls_context or public_authorities(),
        trust_env=False,
        uds=None if endpoint.unix_socket is None else str(endpoint.unix_socket),
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
    )


class ControlClient:
    """Asks a worker about itself, over a new transport each time.

    Errors: `ValueError` for a base URL that is none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        decode_error: ErrorDecoder,
        new_transport: NewTransport = new_transport,
    ) -> None:
        try:
            self._base_url = str(httpx.URL(endpoint.base_url)).rstrip("/")
        except httpx.InvalidURL as exc:
            raise ValueError(f"is no valid address: {exc}") from exc
        self._endpoint = endpoint
        self._decode_error = decode_error
        self._new_transport = new_transport

    async def get(self, path: str, headers: Mapping[str, str]) -> bytes:
        """The body of a document, of `DOCUMENT_BYTES_MAX` at most.

        Errors: `WorkerFailed`.
        """
        request = httpx.Request(
            "GET",
            self._base_url + path,
            headers={"accept-encoding": "identity", "user-agent": "cortexd"} | dict(headers),
            extensions={"timeout": {"connect": self._endpoint.connect_s}},
        )
        transport = self._new_transport(self._endpoint)
        try:
            with _failures_of(self._endpoint, FailureKind.UNREACHABLE):
                answer = await transport.handle_async_request(request)
            response = _Response(answer, self._endpoint)
            try:
                return await self._read(path, response)
            finally:
                await response.abort()
        finally:
            with trio.move_on_after(CLOSING_S_MAX, shield=True):
                await transport.aclose()

    async def _read(self, path: str, response: "_Response") -> bytes:
        document = bytearray()
        if response.status != _OK:
            with trio.move_on_after(ERROR_BODY_S_MAX), suppress(WorkerFailed):
                await response.read_into(document, ERROR_BODY_BYTES_MAX)
            body = bytes(document[:ERROR_BODY_BYTES_MAX])
            answer = FailedAnswer(response.status, response.headers, body)
            failure = refusal(self._endpoint.worker, answer, self._decode_error)
            # Why the worker is out is told to whoever may add one, and what stands there may be any
            # page of a network that is not theirs to read. So nothing of it is quoted.
            told = f"{failure.kind.value.words} (status {response.status})"
            raise attrs.evolve(failure, detail=told, told=None)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise self._bad_document(f"GET {path} brought a document encoded as {encoding[:40]!r}")
        await response.read_into(document, DOCUMENT_BYTES_MAX)
        if len(document) > DOCUMENT_BYTES_MAX:
            raise self._bad_document(f"GET {path} brought more than {DOCUMENT_BYTES_MAX} bytes")
        return bytes(document)

    def _bad_document(self, detail: str) -> WorkerFailed:
        return self._endpoint.failed(FailureKind.SERVER_ERROR, detail)


class _Response:
    """A worker's answer: its head, and its body as it comes."""

    def __init__(self, response: httpx.Response, endpoint: Endpoint) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._endpoint = endpoint
        self._stream = cast("httpx.AsyncByteStream", response.stream)
        self._connection = response.extensions["network_stream"]
        self._pieces = aiter(self._stream)
        self._has_ended = False

    async def read_into(self, body: bytearray, bytes_max: int) -> None:
        """Append the body's pieces until it ends or is longer than `bytes_max`."""
        while not self._has_ended and len(body) <= bytes_max:
            with _failures_of(self._endpoint, FailureKind.SERVER_ERROR):
                try:
                    body += await anext(self._pieces)
                except StopAsyncIteration:
                    self._has_ended = True

    async def abort(self) -> None:
        """Close the connection at once."""
        with trio.move_on_after(CLOSING_S_MAX, shield=True):
            # First the socket itself: TLS would say good-bye, and wait for ever with a peer that
            # does not read. A socket that is gone already has nothing to shut.
            with suppress(OSError):
                self._connection.get_extra_info("socket").shutdown(trio.socket.SHUT_RDWR)
            await self._stream.aclose()
            # The iterator is a chain of generators: run to its end, it leaves none to the garbage
            # collector. All it can still bring is what httpx has buffered.
            with suppress(WorkerFailed):
                await self.read_into(bytearray(), DOCUMENT_BYTES_MAX)


@contextmanager
def _failures_of(endpoint: Endpoint, lost: FailureKind) -> Iterator[None]:
    """Turn what httpx raises into failures of the worker; `lost`: what a lost connection is."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
        kind = FailureKind.UNTRUSTED if is_untrusted(exc) else FailureKind.UNREACHABLE
        raise endpoint.failed(kind, f"no connection: {reason(exc)}") from exc
    except httpx.NetworkError as exc:
        raise endpoint.failed(lost, f"connection lost: {reason(exc)}") from exc
    except httpx.LocalProtocolError:
        # Its text may quote a header, and so a key.
        raise endpoint.failed(FailureKind.SERVER_ERROR, "the request cannot be sent") from None
    except httpx.TransportError as exc:
        detail = f"no valid HTTP: {reason(exc)}"
        raise endpoint.failed(FailureKind.SERVER_ERROR, detail) from exc
