"""Each door with each remote worker: what is asked arrives, and what is answered comes back.

The fakes answer "echo" scenes with what they have understood, in words that belong to no dialect.
"""

import hashlib
import json
from typing import Any

import attrs
import pytest

from tests.fakes.scene import Call, Counts, Finish, Scene, say
from tests.matrix.conftest import How, Talk
from tests.matrix.doors import TOOL_DESCRIPTION, WEATHER, Heard

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _ask(talk: Talk, **question: Any) -> Heard:
    heard = talk.ask(**question)
    assert heard.status == 200, heard.body
    assert heard.is_ended
    assert heard.error is None
    assert heard.headers["x-cortexd-worker"] == talk.kind
    return heard


def _understood(heard: Heard) -> dict[str, Any]:
    understood: dict[str, Any] = json.loads(heard.text)
    return understood


def test_text(
    talk: Talk,
    how: How,
) -> None:
    """Every letter, in order, with its end and the counts of tokens."""
    text = 'Hello wörld\n\n"日本" \u2028 🎈\\'
    counts = Counts(input=13, output=9)
    pieces = [text[i : i + 2] for i in range(0, len(text), 2)]
    talk.fake.play(Scene.text(text, pieces=pieces, counts=counts))
    heard = _ask(talk, how=how)
    assert (heard.text, heard.finish) == (text, talk.door.finishes["stop"])
    assert heard.usage == (13, 9)


def test_the_meaning_of_the_request(talk: Talk) -> None:
    """System text, message, limit and stop sequence, under whatever names."""
    talk.fake.play(Scene.echo())
    heard = _ask(talk, system="Be brief.", stop="END", max_tokens=77)
    understood = _understood(heard)
    assert understood["system"] == "Be brief."
    assert understood["messages"] == [{"role": "user", "text": "hi"}]
    assert (understood["stop"], understood["max_tokens"]) == (["END"], 77)
    assert understood["model"] == "m1"
    assert set(understood) == {"model", "stream", "system", "messages", "stop", "max_tokens"}


def test_tools(
    talk: Talk,
    how: How,
) -> None:
    """Two calls come back whole; their ids, sent with a result, are understood."""
    calls = (Call("weather", {"city": "Paris"}, "call_1"), Call("weather", {"city": "Ω"}, "call_2"))
    talk.fake.play(Scene.of(say("I ask."), *calls), Scene.echo())
    heard = _ask(talk, has_tools=True, how=how)
    assert [(name, arguments) for _, name, arguments in heard.calls] == [
        ("weather", {"city": "Paris"}),
        ("weather", {"city": "Ω"}),
    ]
    assert len({call_id for call_id, _, _ in heard.calls}) == 2
    assert heard.finish == talk.door.finishes["tool_calls"]

    call_id = heard.calls[0][0]
    again = _ask(talk, has_tools=True, answered=(call_id, "Paris"))
    understood = _understood(again)
    [tool] = understood["tools"]
    assert (tool["name"], tool["description"], tool["parameters"]) == (
        "weather",
        TOOL_DESCRIPTION,
        WEATHER,
    )
    asked, called, result = understood["messages"]
    assert (asked["role"], called["role"], result["role"]) == ("user", "assistant", "tool")
    [call] = called["calls"]
    assert (call["name"], call["arguments"]) == ("weather", {"city": "Paris"})
    assert "sunny" in result["text"]
    assert result["name"] == "weather"


def test_image(talk: Talk, png: bytes) -> None:
    """The same bytes, of the same type; where the provider sees none, the field is named."""
    talk.fake.play(Scene.echo())
    [message] = _understood(_ask(talk, image=png))["messages"]
    digest = hashlib.sha256(png).hexdigest()[:16]
    assert message["images"] == [{"media_type": "image/png", "sha256": digest}]
    assert message["text"] == "hi"


def test_json(talk: Talk) -> None:
    """The schema arrives as it was written, or the field that nobody serves is named."""
    talk.fake.play(Scene.echo())
    if talk.kind == "groq":
        refused = talk.ask(schema=SCHEMA)
        assert refused.status == 400
        assert talk.door.fields["schema"] in (refused.error or "")
        assert refused.error_param in {None, talk.door.fields["schema"]}
        return
    understood = _understood(_ask(talk, schema=SCHEMA))
    assert understood["output"]["schema"] == SCHEMA


def test_max_tokens(
    talk: Talk,
    how: How,
) -> None:
    """An answer that was cut short says so."""
    talk.fake.play(Scene.text("Hello", finish=Finish.LENGTH))
    heard = _ask(talk, max_tokens=1, how=how)
    assert (heard.text, heard.finish) == ("Hello", talk.door.finishes["length"])


def test_reasoning_is_no_text(
    talk: Talk,
    how: How,
) -> None:
    """Thoughts come as thoughts, in order, beside the text."""
    talk.fake.play(
        Scene.reasoning("Let me think.", "Hello world", counts=Counts(output=9, reasoning=4))
    )
    heard = _ask(talk, how=how)
    assert (heard.text, heard.thought) == ("Hello world", "Let me think.")
    assert heard.usage == (11, 9)


def test_what_means_nothing_is_read_over(talk: Talk) -> None:
    """Pings, comments, empty chunks."""
    talk.fake.play(attrs.evolve(Scene.text("Hello world"), noisy=True))
    assert _ask(talk, how="streamed").text == "Hello world"


def test_cached_tokens_are_counted_once(talk: Talk) -> None:
    """They belong to the prompt, whatever the provider's way of telling."""
    talk.fake.play(Scene.text("Hello", counts=Counts(input=100, output=5, cached=60)))
    # Ollama itself does not count what it has in its cache.
    expected = 40 if talk.kind == "ollama" else 100
    assert _ask(talk, how="streamed").usage == (expected, 5)
