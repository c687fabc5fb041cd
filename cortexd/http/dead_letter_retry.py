"""Runs a dead letter again, through the door that it came by, as if its client were still there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import msgspec
import trio

from cortexd.domain.dead_letter import DeadLetter, Retry
from cortexd.domain.errors import DeadlineExceeded, RequestRefused
from cortexd.http.doors.door import Caller, Door, DoorRequest, Responder
from cortexd.http.doors.model_door import PARSED_ON_THE_LOOP_BYTES_MAX
from cortexd.wire.strict_json import parse_object

RETRY_S_MAX: Final = 60.0

GRACE_S: Final = 5.0
"""The exchange ends by its own limit; this is for what might hang beyond it."""

ANSWER_BYTES_MAX: Final = 256 * 1024
"""Of a longer answer, the beginning is kept."""

_STREAMING: Final = frozenset(
    {"/v1/chat/completions", "/v1/messages", "/api/chat", "/api/generate"}
)


@attrs.define
class _Recorder(Responder):
    """Takes the answer in the client's place."""

    status: int | None = None
    answer: bytearray = attrs.Factory(bytearray)
    is_cut: bool = False
    is_whole: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:  # noqa: ARG002  nobody reads them
        self.status = status

    async def send(self, data: bytes) -> None:
        room = ANSWER_BYTES_MAX - len(self.answer)
        self.answer += data[:room]
        self.is_cut = self.is_cut or len(data) > room

    async def finish(self) -> None:
        self.is_whole = True


@attrs.frozen(kw_only=True)
class DeadLetterRunner:
    """Knows the doors to the models, by path. `wall_clock` gives seconds since the epoch."""

    doors: Mapping[str, Door]
    wall_clock: Callable[[], float]

    async def run(self, letter: DeadLetter) -> Retry:
        """What the client would have got.

        Errors: `RequestRefused` for a letter that cannot be run; `DeadlineExceeded`.
        Cancellation: ends the exchange as if its client had left.
        """
        door, body = self.doors.get(letter.path), letter.body
        if door is None or body is None:
            reason = "its body was not kept" if body is None else "its door is not there any more"
            raise RequestRefused(f"this cannot be retried: {reason}", code="no_body", status=409)
        recorder = _Recorder()
        with trio.move_on_after(RETRY_S_MAX + GRACE_S):
            await door.answer(await _request(letter, body), recorder)
        if recorder.status is None or not recorder.is_whole:
            raise DeadlineExceeded("the retry has come to no end")
        return Retry(
            at=self.wall_clock(),
            status=recorder.status,
            answer=bytes(recorder.answer),
            is_cut=recorder.is_cut,
        )


async def _request(letter: DeadLetter, body: bytes) -> DoorRequest:
    if letter.path in _STREAMING:
        if len(body) <= PARSED_ON_THE_LOOP_BYTES_MAX:
            body = _as_one(body)
        else:
            body = await trio.to_thread.run_sync(_as_one, body, abandon_on_cancel=True)
    headers = {
        "content-type": "application/json",
        "x-request-id": letter.request_id,
        "x-request-timeout": f"{RETRY_S_MAX:g}",
        # What is wanted is a new answer, and not one from before.
        "cache-control": "no-cache",
    }
    return DoorRequest(
        method="POST",
        path=letter.path,
        headers=headers,
        body=body,
        caller=Caller(key_id=letter.key_id),
        is_retry=True,
    )


def _as_one(body: bytes) -> bytes:
    """The same request, but for an answer in one piece. Raises `RequestRefused`."""
    document = parse_object(body)
    document["stream"] = False
    # OpenAI's: only allowed where there is a stream.
    document.pop("stream_options", None)
    return msgspec.json.encode(document)
