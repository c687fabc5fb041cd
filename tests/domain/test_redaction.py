"""What an upstream quotes of a key or a prompt is not passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortexd.domain.redaction import (
    RUN_CHARACTERS,
    SOURCE_CHARACTERS_MAX,
    STARS,
    WITHHELD,
    without_credentials,
    without_data,
    without_runs,
)


@pytest.mark.parametrize(
    ("text", "cleared"),
    [
        ("wrong key sk-proj-abcdefgh12", "wrong key ***"),
        ("wrong key sk-ant-api03-abcdefgh", "wrong key ***"),
        ("gsk_abcdefgh, please", "***, please"),
        ("AIzaSyabcdefgh", "***"),
        ("cx_live_abcdefgh_secret_1234", "***"),
        ("Authorization: Bearer abcdefgh.x", "Authorization: Bearer ***"),
        ("GET /v1?key=abcdefgh&alt=sse", "GET /v1?key=***&alt=sse"),
        ("api_key=abcdefgh", "api_key=***"),
        ("amqp://user:pass@host/x", "amqp://***@host/x"),
        ("redis://:pass@host", "redis://***@host"),
        ("http://host/path", "http://host/path"),
        ("me@host://x", "me@host://x"),
        ("task-abcdefghijkl is at risk-abcdefghijkl", "task-abcdefghijkl is at risk-abcdefghijkl"),
        ("key=0 sk-short Bearer of news", "key=0 sk-short Bearer of news"),
        ("Bearer ***", "Bearer ***"),
    ],
)
def test_what_looks_like_a_credential_goes(text: str, cleared: str) -> None:
    """And nothing else; what is cleared stays as it is."""
    assert without_credentials(text) == cleared
    assert without_credentials(cleared) == cleared


def test_data_go() -> None:
    """Pictures, but no words, however they are joined."""
    words = "the-model/of-a-name-that-is-much-longer-than-forty-characters is unknown"
    assert without_data(words) == words
    assert without_data(f"bad image {'iVBORw0KGgo+/' * 4}==, sorry") == "bad image ***, sorry"


def test_a_quotation_goes_and_the_rest_stays() -> None:
    """Each run of it, be it the whole, its beginning or its end."""
    source = "My grandmother was born in Bergen.\nShe sang."
    text = "too long: 'My grandmother was', 'grandmother was born in Bergen', 'She sang.' by far"
    assert without_runs(text, source) == "too long: '***', '***', 'She sang.' by far"
    assert without_runs("nothing of it", source) == "nothing of it"
    assert without_runs(source, source) == STARS
    assert without_runs("", source) == ""
    assert without_runs("all of this stays", "") == "all of this stays"


def test_what_cannot_be_compared_is_not_shown() -> None:
    """A request may be larger than the time there is to look for quotations of it."""
    assert without_runs("anything", "x" * (SOURCE_CHARACTERS_MAX + 1)) == WITHHELD
    assert without_runs("anything", "x" * SOURCE_CHARACTERS_MAX) == "anything"


@given(
    before=st.text("ab", max_size=30),
    source=st.text("abc", max_size=60),
    start=st.integers(0, 50),
    size=st.integers(0, 30),
    behind=st.text("ab", max_size=30),
)
def test_no_run_is_left(before: str, source: str, start: int, size: int, behind: str) -> None:
    """Wherever the quotation begins and ends."""
    cleared = without_runs(before + source[start : start + size] + behind, source)
    for left in cleared.split(STARS):
        for at in range(len(left) - RUN_CHARACTERS + 1):
            assert left[at : at + RUN_CHARACTERS] not in source
