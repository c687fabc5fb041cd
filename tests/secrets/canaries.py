"""Canaries: words that are nowhere by chance, and the search for them in whatever spelling."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

PIECE_CHARACTERS: Final = 12
"""So much of a canary is as bad as all of it."""

_CORE_CHARACTERS: Final = 40
_BASE64_GROUP: Final = 3
_WORD: Final = re.compile(rb"[A-Za-z0-9_+/-]{%d,}" % PIECE_CHARACTERS)


@attrs.frozen
class Canary:
    """A secret or a part of a prompt. `before` and `behind`: what stands around its core.

    Nothing is searched for of these by itself: it may stand anywhere. The core is made of the name,
    and so always the same, unless it is given. It is of letters and digits, which are the same
    however a text is escaped, in JSON, HTML, a URL or a log.
    """

    name: str
    before: str = ""
    behind: str = ""
    core: str = attrs.field()

    @core.default
    def _core(self) -> str:
        digest = hashlib.sha256(self.name.encode()).digest()
        return base64.b32encode(digest).decode().lower()[:_CORE_CHARACTERS]

    @property
    def text(self) -> str:
        """What is planted."""
        return self.before + self.core + self.behind

    def pieces(self) -> Iterator[bytes]:
        """All that gives it away: any piece of its core, and any of that in base64."""
        yield from _pieces(self.core.encode())
        for offset in range(_BASE64_GROUP):
            # The letters at both ends belong to the neighbours as well.
            encoded = base64.b64encode(bytes(offset) + self.core.encode())[4:-4]
            yield from _pieces(encoded)
            yield from _pieces(encoded.translate(bytes.maketrans(b"+/", b"-_")))


def found(canaries: Mapping[str, Canary], sinks: Mapping[str, bytes]) -> list[str]:
    """Which canary is in which sink, a line each."""
    owners = {piece: name for name, canary in canaries.items() for piece in canary.pieces()}
    hits: dict[tuple[str, str], str] = {}
    for sink, data in sinks.items():
        for word in _WORD.finditer(data):
            for piece in _pieces(word[0]):
                if piece in owners:
                    around = data[max(0, word.start() - 80) : word.end() + 20]
                    hits.setdefault((owners[piece], sink), around.decode(errors="replace"))
    return [f"{name} is in {sink}: …{around}…" for (name, sink), around in hits.items()]


def _pieces(word: bytes) -> Iterator[bytes]:
    for start in range(len(word) - PIECE_CHARACTERS + 1):
        yield word[start : start + PIECE_CHARACTERS]
