"""The words that an upstream may quote of a request."""

import json

from cortexd.wire.client_words import client_words


def test_all_texts_but_the_model() -> None:
    """At any depth; names of members are the protocol's."""
    document = {
        "model": "m1",
        "messages": [{"role": "user", "content": [{"text": 'one "two"\n'}]}, "three"],
        "metadata": {"model": "four", "n": 5},
    }
    assert set(client_words(json.dumps(document).encode()).splitlines()) == {
        "user",
        'one "two"',
        "",
        "three",
        "four",
    }


def test_no_pictures() -> None:
    """They are large, and no words; a long text is nevertheless one."""
    long = "word " * 1000
    document = {"image": "iVBOR" * 1000, "text": long}
    assert client_words(json.dumps(document).encode()) == long


def test_what_is_no_json_is_all_text() -> None:
    """Whatever was sent."""
    for body in (b"no JSON", b'{"a": ', b"", b"[" * 5000):
        assert client_words(body) == body.decode()
    assert client_words(b"\xff") == "\N{REPLACEMENT CHARACTER}"
    assert client_words(b'"a text"') == "a text"
