"""Server-sent events: the framing of the OpenAI dialect.

Source of the rules: WHATWG HTML, "Server-sent events", sections "Parsing an event stream" and
"Interpreting an event stream". Two deviations: invalid UTF-8 is an error instead of U+FFFD, since a
garbled answer must not look like a whole one; and `id` and `retry` are read over, since nobody
reconnects in the middle of an answer.
"""

from typing import Final

import msgspec

from cortexd.wire.errors import MalformedStream

LINE_BYTES_MAX: Final = 1024 * 1024
EVENT_BYTES_MAX: Final = 4 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True):
    """One dispatched event. `event` is its name, `None` where the stream gives none.

    No attrs class, as there is one for each token: this is made eight times as fast.
    """

    event: str | None
    data: str


class SseDecoder:
    """Puts events together from bytes that may be cut anywhere.

    An event that the end of the stream cuts off is never given out: the standard drops it, too.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._after_cr = False
        self._at_start = True
        self._name: bytes | None = None
        self._data: list[bytes] = []
        self._data_bytes = 0

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that `data` completes.

        Errors: `MalformedStream` for a line or event over its limit, and for invalid UTF-8.
        """
        events: list[SseEvent] = []
        for line in self._lines(data):
            if line:
                self._take_field(line)
            elif self._data:
                events.append(self._dispatch())
            else:
                self._name = None
        return events

    def close(self) -> list[SseEvent]:
        """Nothing: the end of the stream completes no event."""
        return []

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        if self._after_cr and data:
            # The CR has ended its line already; an LF right behind it belongs to it.
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        at_hand = len(self._pending) + len(data)  # bytes, the most that a line can have
        # bytes.splitlines() splits at CR, LF and CR LF and, unlike str.splitlines(), nowhere else.
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\r", b"\n")) else lines.pop()
        if lines:
            lines[0] = bytes(self._pending) + lines[0]
            self._pending.clear()
        self._pending += rest
        if at_hand > LINE_BYTES_MAX and max(map(len, (*lines, self._pending))) > LINE_BYTES_MAX:
            raise MalformedStream(f"an SSE line of more than {LINE_BYTES_MAX} bytes")
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > EVENT_BYTES_MAX:
                raise MalformedStream(f"an SSE event of more than {EVENT_BYTES_MAX} bytes")
        elif name == b"event":
            self._name = value

    def _dispatch(self) -> SseEvent:
        try:
            event = SseEvent(
                event=self._name.decode() if self._name else None,
                data=b"\n".join(self._data).decode(),
            )
        except UnicodeDecodeError as exc:
            raise MalformedStream(f"invalid UTF-8 in an SSE event: {exc.reason}") from exc
        self._name = None
        self._data.clear()
        self._data_bytes = 0
        return event


def encode_data(payload: bytes) -> bytes:
    """A nameless event. `payload` must hold no line ends, as is true of encoded JSON."""
    return b"data: " + payload + b"\n\n"
