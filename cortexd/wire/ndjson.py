"""Newline-delimited JSON: the framing of the Ollama dialect.

Source of the rules: github.com/ndjson/ndjson-spec. A line ends with LF, blank lines are allowed,
and JSON itself permits the CR that may stand before the LF.
"""

from typing import Final

from cortexd.wire.errors import MalformedStream

LINE_BYTES_MAX: Final = 1024 * 1024


class NdjsonDecoder:
    """Puts lines together from bytes that may be cut anywhere; what they mean is not asked."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, blank ones left out.

        Errors: `MalformedStream` for a line over the limit.
        """
        at_hand = len(self._pending) + len(data)  # bytes, the most that a line can have
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            lines[0] = bytes(self._pending) + lines[0]
            self._pending.clear()
        self._pending += rest
        if at_hand > LINE_BYTES_MAX and max(map(len, (*lines, self._pending))) > LINE_BYTES_MAX:
            raise MalformedStream(f"an NDJSON line of more than {LINE_BYTES_MAX} bytes")
        return [line for line in lines if line.strip()]

    def close(self) -> list[bytes]:
        """The last line, where the sender has left out its LF: whole or cut off, the JSON tells."""
        line = bytes(self._pending)
        self._pending.clear()
        return [line] if line.strip() else []


def encode_line(payload: bytes) -> bytes:
    """A line. `payload` must hold no line ends, as is true of encoded JSON."""
    return payload + b"\n"
