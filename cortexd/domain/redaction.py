"""Taking out of a text from outside what is no news to anybody: a credential, or a client's words.

An upstream may quote what it was sent: the key in a header, the prompt in the body. It may quote a
part, and what is kept of its words is cut off somewhere. So what counts is not the whole of
a secret, but any run of it that cannot stand there by chance.
"""

import re
from typing import Final

STARS: Final = "***"

RUN_CHARACTERS: Final = 12
"""So long a run of the same characters is a quotation."""

_HALF: Final = RUN_CHARACTERS // 2

SOURCE_CHARACTERS_MAX: Final = 1024 * 1024
"""In a longer text, runs are not searched for: it would hold up everybody else."""

WITHHELD: Final = "its words are withheld: the request is too long to know them from its own"

_MARKS: Final = ("sk-", "sk_", "AIza", "earer ", "@", "cx_live_", "key=", "token=", "password=")
"""A text without any of these has nothing that `_CREDENTIAL` finds."""

_CREDENTIAL: Final = re.compile(
    r"""
    (?<![A-Za-z0-9]) (?: g?sk[-_] | AIza | cx_live_ ) [A-Za-z0-9_-]{8,}  # by its beginning
    | (?<=[Bb]earer[ ]) [^\s"'\\,;*]{8,}                                        # by what is before
    | (?<=key=) [^\s"'\\&,;*]{8,}
    | (?<=token=) [^\s"'\\&,;*]{8,}
    | (?<=password=) [^\s"'\\&,;*]{4,}
    | (?<=://) [^\s"'\\/@]+ (?=@)                                               # user:password@host
    """,
    re.VERBOSE,
)

_DATA: Final = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""No word is so long: a picture, or something else in base64."""


def without_credentials(text: str) -> str:
    """The text, with stars for whatever looks like a credential of any house."""
    if any(mark in text for mark in _MARKS):
        return _CREDENTIAL.sub(STARS, text)
    return text


def without_data(text: str) -> str:
    """The text, with stars for what is no words, but bytes in letters."""
    return _DATA.sub(STARS, text)


def without_runs(text: str, source: str) -> str:
    """The text, with stars for what it quotes of `source`, be it the whole or a long part.

    The text is short, as all that is kept of an upstream's words. Of a `source` that is too long,
    nobody knows what is quoted, and so nothing is left of the text.
    """
    if len(source) > SOURCE_CHARACTERS_MAX:
        return WITHHELD
    is_quoted = bytearray(len(text))
    # Each run covers one of these halves, so most of the text is looked for but once.
    for half in range(0, len(text) - _HALF + 1, _HALF):
        if text[half : half + _HALF] in source:
            for start in range(max(0, half - _HALF), half + 1):
                run = text[start : start + RUN_CHARACTERS]
                if len(run) == RUN_CHARACTERS and run in source:
                    is_quoted[start : start + RUN_CHARACTERS] = b"\1" * RUN_CHARACTERS
    return _starred(text, is_quoted)


def _starred(text: str, is_quoted: bytearray) -> str:
    parts: list[str] = []
    start = 0
    while (begin := is_quoted.find(1, start)) >= 0:
        end = is_quoted.find(0, begin)
        parts += [text[start:begin], STARS]
        if end < 0:
            return "".join(parts)
        start = end
    return "".join([*parts, text[start:]])
