import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.wire.quotation import printable, quoted, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\nb\0", "a\\r\\nb\\x00"),
        ("\u202eabc\u200b", "\\u202eabc\\u200b"),
        ("\x85\ud800", "\\x85\\ud800"),
    ],
)
def test_what_does_not_show_is_escaped(text: str, shown: str) -> None:
    """Controls, bidi marks and zero-width characters become visible, and nothing else changes."""
    assert printable(text) == shown
    assert quoted(text) == f"'{shown}'"


@given(st.text() | st.text("\x1b", min_size=50))
def test_a_quotation_is_short_and_printable(text: str) -> None:
    """Never more than 100 characters, escapes included, and none that does not show."""
    shown = shortened(text)
    assert len(shown) <= 100
    assert shown.isprintable()


def test_the_limit_is_exact() -> None:
    """100 characters are shown whole; of 101, the end is left out and marked."""
    assert shortened("x" * 100) == "x" * 100
    assert shortened("x" * 101) == "x" * 99 + "…"
