"""What adapters use to talk to their worker: POST, answered by a stream or a document.

Rules of this file: only connecting and reading an error's body have time limits, all others are
the caller's. No exception leaves it but `WorkerFailed` and `Cancelled`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Final

import trio

from cortexd.domain.connections import ConnectionStatistics
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.providers.transport.carrier import Carrier
from cortexd.providers.transport.dialling import Dial, dial
from cortexd.providers.transport.endpoint import Endpoint
from cortexd.providers.transport.refusal import (
    ERROR_BODY_BYTES_MAX,
    ERROR_BODY_S_MAX,
    ErrorDecoder,
    refusal,
)
from cortexd.providers.transport.request import PostWriter, UnsendableRequest
from cortexd.providers.transport.response import Response
from cortexd.providers.transport.response_parser import ResponseHead
from cortexd.wire.failed_answer import FailedAnswer

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
JSON_TYPE: Final = "application/json"

_OK: Final = 200


class HttpClient:
    """The connections to one worker."""

    def __init__(self, endpoint: Endpoint, decode_error: ErrorDecoder, dial: Dial = dial) -> None:
        self._endpoint = endpoint
        self._decode_error = decode_error
        self._writer = PostWriter(endpoint.origin)
        self._carrier = Carrier(endpoint, dial)

    def stream(
        self, path: str, headers: Mapping[str, str], body: bytes, *, media_type: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """POST `body`, and give out what comes back, read by read.

        Errors: `WorkerFailed`, also for an answer that is no stream of `media_type`.
        Cancellation: leaving the block ends the upstream request, whatever has been read.
        """
        request = self._write(path, headers, body, media_type)
        return _Stream(
            self._carrier, _Gate(self._endpoint, self._decode_error, media_type), request
        )

    async def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> bytes:
        """POST `body`; returns the document that comes back, of `bytes_max` at most.

        Errors: `WorkerFailed`.
        """
        request = self._write(path, headers, body, JSON_TYPE)
        gate = _Gate(self._endpoint, self._decode_error, None)
        async with _Stream(self._carrier, gate, request) as response:
            document = bytearray()
            await response.read_into(document, bytes_max)
            if len(document) > bytes_max:
                detail = f"POST {path} brought more than {bytes_max} bytes"
                raise self._endpoint.failed(FailureKind.SERVER_ERROR, detail)
            return bytes(document)

    def statistics(self) -> ConnectionStatistics:
        """The connections, counted."""
        return self._carrier.statistics()

    async def aclose(self) -> None:
        """Close the idle connections now, and those in use when they are done. Never waits."""
        self._carrier.close()

    def _write(self, path: str, headers: Mapping[str, str], body: bytes, accept: str) -> bytes:
        headers = {"content-type": JSON_TYPE, "accept": accept} | dict(headers)
        try:
            return self._writer.write(path, headers, body)
        except UnsendableRequest as exc:
            detail = f"the request cannot be sent: {exc}"
            raise self._endpoint.failed(FailureKind.SERVER_ERROR, detail) from None


class _Gate:
    """Lets the answer pass that was asked for, and no other."""

    def __init__(
        self, endpoint: Endpoint, decode_error: ErrorDecoder, media_type: str | None
    ) -> None:
        self._endpoint = endpoint
        self._decode_error = decode_error
        self._media_type = media_type

    async def check(self, head: ResponseHead, response: Response) -> None:
        """Errors: `WorkerFailed` for an answer other than the one asked for."""
        media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if head.status != _OK or self._media_type not in {None, media_type}:
            raise await self._refuse(head, response)
        encoding = head.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            detail = f"the answer is encoded as {encoding[:40]!r}, which was not asked for"
            raise self._endpoint.failed(FailureKind.SERVER_ERROR, detail)

    async def _refuse(self, head: ResponseHead, response: Response) -> WorkerFailed:
        body = bytearray()
        is_cut = True
        # Should it break off, what it has said until then is enough for a failure of the worker.
        with trio.move_on_after(ERROR_BODY_S_MAX), suppress(WorkerFailed):
            await response.read_into(body, ERROR_BODY_BYTES_MAX)
            is_cut = False
        answer = FailedAnswer(head.status, head.headers, bytes(body[:ERROR_BODY_BYTES_MAX]))
        failure = refusal(self._endpoint.worker, answer, self._decode_error)
        if is_cut and failure.kind is FailureKind.REFUSED:
            # Half a reason is none to blame the client for; Gemini says so of a bad key, too.
            detail = f"its refusal broke off: {failure.detail}"
            return self._endpoint.failed(FailureKind.SERVER_ERROR, detail)
        return failure


class _Stream:
    """The block in which an answer is read."""

    def __init__(self, carrier: Carrier, gate: _Gate, request: bytes) -> None:
        self._carrier = carrier
        self._gate = gate
        self._request = request

    async def __aenter__(self) -> Response:
        head, self._response = await self._carrier.carry(self._request)
        is_good = False
        try:
            await self._gate.check(head, self._response)
            is_good = True
        finally:
            if not is_good:
                self._carrier.abandon(self._response)
        return self._response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            await self._carrier.finish(self._response)
        else:
            self._carrier.abandon(self._response)
