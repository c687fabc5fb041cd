"""HTTP towards one worker; the only importer of httpx.

Rules of this file: no exception of httpx leaves it. Only connecting has a time limit, all others
are the caller's. Keys go into the Authorization header of a request to `base_url` and nowhere
else: it is httpx's transport that is used, which follows no redirects and keeps no cookies.
"""

import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, cast

import attrs
import httpx
import trio

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.providers.answer_stream import worker_failure
from cortexd.providers.retry_after import retry_after_s
from cortexd.wire.errors import UpstreamError
from cortexd.wire.failed_answer import FailedAnswer

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
ERROR_BODY_BYTES_MAX: Final = 64 * 1024
ERROR_BODY_S_MAX: Final = 2.0

# The last bytes of a body, which say no more than that it ends, come along with the answer's end
# or right behind it. Waiting for them saves the connection for the next request.
LAST_BYTES_S_MAX: Final = 0.05
CLOSING_S_MAX: Final = 0.5

# Many servers close a connection that was idle for 5 s: be the first to let go.
KEEP_ALIVE_S: Final = 4.0

_OK: Final = 200

ErrorDecoder: TypeAlias = Callable[[FailedAnswer], UpstreamError]


@cache
def _tls_context() -> ssl.SSLContext:
    """One for all workers: reading the certificates takes 30 ms and some memory."""
    return httpx.create_ssl_context(verify=True, trust_env=False)


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where and how a worker is reached.

    `unix_socket`: connect there, whatever host `base_url` names. `idle_connections_max`: how many
    are kept for the next request.
    """

    worker: WorkerName
    base_url: str
    connect_s: float
    idle_connections_max: int
    unix_socket: Path | None = None

    def failed(self, kind: FailureKind, detail: str) -> WorkerFailed:
        """The failure of this worker."""
        return WorkerFailed(self.worker, kind, detail)


class HttpClient:
    """The connections to one worker.

    Errors: `ValueError` for a base URL that is none.
    """

    def __init__(self, endpoint: Endpoint, decode_error: ErrorDecoder) -> None:
        try:
            self._base_url = str(httpx.URL(endpoint.base_url))
        except httpx.InvalidURL as exc:
            raise ValueError(f"is no valid address: {exc}") from exc
        self._endpoint = endpoint
        self._decode_error = decode_error
        self._transport = httpx.AsyncHTTPTransport(
            verify=_tls_context(),
            trust_env=False,
            uds=None if endpoint.unix_socket is None else str(endpoint.unix_socket),
            limits=httpx.Limits(
                # The slots of the worker are the limit. httpcore loses a connection for good when
                # a request is cancelled that waits for one in a bounded pool (its issue 1093).
                max_connections=None,
                max_keepalive_connections=endpoint.idle_connections_max,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
        )

    async def aclose(self) -> None:
        """Close the idle connections."""
        with trio.move_on_after(CLOSING_S_MAX, shield=True):
            await self._transport.aclose()

    async def get(self, path: str, headers: Mapping[str, str]) -> bytes:
        """The body of a document.

        Errors: `WorkerFailed`.
        """
        async with self._exchange("GET", path, headers, None) as response:
            if response.status != _OK:
                raise await self._refusal(response)
            document = bytearray()
            await response.read_into(document, DOCUMENT_BYTES_MAX)
            if len(document) > DOCUMENT_BYTES_MAX:
                detail = f"GET {path} brought more than {DOCUMENT_BYTES_MAX} bytes"
                raise self._endpoint.failed(FailureKind.SERVER_ERROR, detail)
            return bytes(document)

    async def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> bytes:
        """POST a JSON document, and get one."""
        headers = {"content-type": "application/json"} | dict(headers)
        async with self._exchange("POST", path, headers, body) as response:
            if response.status != _OK:
                raise await self._refusal(response)
            document = bytearray()
            await response.read_into(document, bytes_max)
            return bytes(document)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], body: bytes, *, media_type: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """POST `body`, and give out what comes back, read by read.

        Errors: `WorkerFailed`, also for an answer that is no stream of `media_type`.
        Cancellation: leaving the block ends the upstream request, whatever has been read.
        """
        headers = {"content-type": "application/json", "accept": media_type} | dict(headers)
        async with self._exchange("POST", path, headers, body) as response:
            if response.status != _OK or response.media_type != media_type:
                raise await self._refusal(response)
            encoding = response.headers.get("content-encoding", "identity")
            if encoding != "identity":
                detail = f"the answer is encoded as {encoding[:40]!r}, which was not asked for"
                raise self._endpoint.failed(FailureKind.SERVER_ERROR, detail)
            yield response

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator["_Response"]:
        request = httpx.Request(
            method,
            self._base_url.rstrip("/") + path,
            content=body,
            # A compressor would hold pieces of the stream back.
            headers={"accept-encoding": "identity", "user-agent": "cortexd"} | dict(headers),
            extensions={"timeout": {"connect": self._endpoint.connect_s}},
        )
        request.stream = _RequestBody(body or b"")
        with _failures_of(self._endpoint, FailureKind.UNREACHABLE):
            answer = await self._transport.handle_async_request(request)
        response = _Response(answer, self._endpoint)
        done = False
        try:
            yield response
            done = True
        finally:
            await (response.finish() if done else response.abort())

    async def _refusal(self, response: "_Response") -> WorkerFailed:
        """The failure that an answer other than the one asked for stands for."""
        body = bytearray()
        # That it failed is known; a server that is slow to say why must not hold the request up.
        with trio.move_on_after(ERROR_BODY_S_MAX), suppress(WorkerFailed):
            await response.read_into(body, ERROR_BODY_BYTES_MAX)
        error = self._decode_error(
            FailedAnswer(response.status, response.headers, bytes(body[:ERROR_BODY_BYTES_MAX]))
        )
        wait_s = error.retry_after_s
        if wait_s is None:
            wait_s = retry_after_s(response.headers, now=datetime.now(UTC))
        return worker_failure(self._endpoint.worker, error, retry_after_s=wait_s)


class _RequestBody(httpx.AsyncByteStream):
    """A body in one piece. httpx's own is a generator, left half-run when sending is cancelled."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body] if body else []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class _Response:
    """An upstream's answer: its head, and its body as an iterator over what each read brought."""

    def __init__(self, response: httpx.Response, endpoint: Endpoint) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._endpoint = endpoint
        self._stream = cast("httpx.AsyncByteStream", response.stream)
        self._connection = response.extensions["network_stream"]
        self._pieces = aiter(self._stream)
        self._ended = False

    def __aiter__(self) -> "_Response":
        return self

    async def __anext__(self) -> bytes:
        # An iterator that raises, be it StopAsyncIteration, is done for good.
        self._ended = True
        with _failures_of(self._endpoint, FailureKind.SERVER_ERROR):
            piece = await anext(self._pieces)
        self._ended = False
        return piece

    async def read_into(self, body: bytearray, bytes_max: int) -> None:
        """Append the body's pieces until it ends or is longer than `bytes_max`."""
        async for piece in self:
            body += piece
            if len(body) > bytes_max:
                return

    async def finish(self) -> None:
        """Leave the connection to the next request if the body is at its end, else abort."""
        try:
            # What was wanted has been read: a failure now is nobody's.
            with trio.move_on_after(LAST_BYTES_S_MAX), suppress(WorkerFailed):
                await self.read_into(bytearray(), 0)
        finally:
            await self.abort()

    async def abort(self) -> None:
        """Close the connection at once, unless the body is at its end."""
        with trio.move_on_after(CLOSING_S_MAX, shield=True):
            if not self._ended:
                # First the socket itself: TLS would say good-bye, and wait for ever with a peer
                # that does not read. A socket that is gone already has nothing to shut.
                with suppress(OSError):
                    self._connection.get_extra_info("socket").shutdown(trio.socket.SHUT_RDWR)
            await self._stream.aclose()
            if not self._ended:
                # The iterator is a chain of generators: run to its end, it leaves none to the
                # garbage collector. All it can still bring is what httpx has buffered.
                with suppress(WorkerFailed):
                    await self.read_into(bytearray(), DOCUMENT_BYTES_MAX)


@contextmanager
def _failures_of(endpoint: Endpoint, lost: FailureKind) -> Iterator[None]:
    """Turn what httpx raises into failures of the worker; `lost`: what a lost connection is."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
        detail = f"no connection: {_reason(exc)}"
        raise endpoint.failed(FailureKind.UNREACHABLE, detail) from exc
    except httpx.NetworkError as exc:
        raise endpoint.failed(lost, f"connection lost: {_reason(exc)}") from exc
    except httpx.LocalProtocolError:
        # Its text may quote a header, and so a key.
        raise endpoint.failed(FailureKind.SERVER_ERROR, "the request cannot be sent") from None
    except httpx.TransportError as exc:
        detail = f"no valid HTTP: {_reason(exc)}"
        raise endpoint.failed(FailureKind.SERVER_ERROR, detail) from exc


def _reason(exc: BaseException) -> str:
    """The text that is nearest to the cause: the outer exceptions often have none.

    What the system says of an error is put in its own words, as Trio's quote the address.
    """
    reason = type(exc).__name__
    link: BaseException | None = exc
    while link is not None:
        if isinstance(link, OSError) and link.errno is not None and link.errno > 0:
            return os.strerror(link.errno).lower()
        reason = str(link) or reason
        # Trio tries every address of a host, and groups what went wrong.
        group = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        link = group[0] if group else link.__cause__ or link.__context__
    return reason
