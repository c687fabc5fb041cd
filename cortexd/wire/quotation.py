"""How a client's own words are shown back to it, and to whoever reads the log."""

from typing import Final

QUOTED_CHARACTERS_MAX: Final = 100


def printable(text: str) -> str:
    """`text` with every character that does not show (controls, bidi marks) escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str) -> str:
    """`text` made printable and cut to length."""
    # Cut first: the escapes of what is cut off are work for nothing.
    shown = printable(text[: QUOTED_CHARACTERS_MAX + 1])
    return (
        shown if len(shown) <= QUOTED_CHARACTERS_MAX else shown[: QUOTED_CHARACTERS_MAX - 1] + "…"
    )


def quoted(text: str) -> str:
    """`text` as a message may repeat it."""
    return f"'{shortened(text)}'"
