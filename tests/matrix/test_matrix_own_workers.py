"""Each door with the two workers that are no server of somebody else: scripted and embedded."""

import json

import pytest

from tests.matrix.conftest import Gateway, How
from tests.matrix.doors import ClientDoor, Heard, Question

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
    "additionalProperties": False,
}
EMBEDDED = "embedded/smollm2-135m-instruct"

STATUSES = {
    "refused": 400,
    "bad_key": 503,
    "rate_limited": 429,
    "server_error": 502,
    "overloaded": 503,
}


def _ask(gateway: Gateway, door: ClientDoor, model: str, question: Question) -> Heard:
    heard = door.ask(gateway.url, model, question)
    assert heard.status == 200, heard.body
    assert heard.is_ended
    assert heard.headers["x-cortexd-worker"] == model.partition("/")[0]
    return heard


@pytest.mark.parametrize("name", ["scripted", "embedded"])
def test_text_and_usage(gateway: Gateway, door: ClientDoor, how: How, name: str) -> None:
    """Words, an end, and counts."""
    model = EMBEDDED if name == "embedded" else "scripted/scripted"
    question = Question(text="Say hello.", stream=how == "streamed", max_tokens=40)
    heard = _ask(gateway, door, model, question)
    assert heard.text
    assert heard.finish in {door.finishes["stop"], door.finishes["length"]}
    assert heard.usage is not None
    assert min(heard.usage) > 0


def test_scripted_tools(gateway: Gateway, door: ClientDoor, how: How) -> None:
    """A call as the script has it, whose id can be answered."""
    question = Question(has_tools=True, stream=how == "streamed")
    heard = _ask(gateway, door, "scripted-tools/scripted", question)
    [(call_id, name, arguments)] = heard.calls
    assert (name, arguments) == ("weather", {"city": "Paris"})
    assert heard.finish == door.finishes["tool_calls"]
    again = Question(has_tools=True, answered=(call_id, "Paris"))
    assert _ask(gateway, door, "scripted/scripted", again).text == "Hello world"


def test_scripted_ends_and_thoughts(gateway: Gateway, door: ClientDoor, how: How) -> None:
    """Each reason for an end and each kind of word has its place in each dialect."""
    question = Question(stream=how == "streamed")
    cut = _ask(gateway, door, "scripted-length/scripted", question)
    assert cut.finish == door.finishes["length"]
    thinking = _ask(gateway, door, "scripted-thinking/scripted", question)
    assert (thinking.thought, thinking.text) == ("Hm.", "Hello")


def test_scripted_takes_what_any_worker_takes(
    gateway: Gateway, door: ClientDoor, png: bytes
) -> None:
    """Pictures, schemas, stop sequences: it plays its script all the same."""
    question = Question(image=png, schema=SCHEMA, stop="END", system="Be brief.")
    assert _ask(gateway, door, "scripted/scripted", question).text == "Hello world"


@pytest.mark.parametrize("kind", STATUSES)
def test_scripted_failures(gateway: Gateway, door: ClientDoor, how: How, kind: str) -> None:
    """Each kind of failure has its status at each door."""
    question = Question(stream=how == "streamed")
    heard = door.ask(gateway.url, f"scripted-{kind}/scripted", question)
    assert heard.status == STATUSES[kind]
    assert heard.error


def test_a_scripted_answer_that_breaks(gateway: Gateway, door: ClientDoor, how: How) -> None:
    """In band and without a terminator, or, if it was kept back, a status."""
    heard = door.ask(gateway.url, "scripted-cut/scripted", Question(stream=how == "streamed"))
    assert heard.error
    assert not heard.is_ended
    assert heard.status == (200 if how == "streamed" else 502)


def test_the_embedded_model_keeps_to_a_schema(gateway: Gateway, door: ClientDoor, how: How) -> None:
    """Whatever it says, it is JSON that fits."""
    question = Question(
        text="Where is the Eiffel tower?", schema=SCHEMA, max_tokens=60, stream=how == "streamed"
    )
    document = json.loads(_ask(gateway, door, EMBEDDED, question).text)
    assert set(document) == {"city"}
    assert isinstance(document["city"], str)


def test_the_embedded_model_is_cut_short(gateway: Gateway, door: ClientDoor) -> None:
    """At the limit, and at a stop sequence."""
    question = Question(text="Tell me a long story.", max_tokens=3)
    assert _ask(gateway, door, EMBEDDED, question).finish == door.finishes["length"]
    whole = _ask(gateway, door, EMBEDDED, Question(text="Count from 1 to 9.", max_tokens=30))
    stop = whole.text[4:7]
    stopped = _ask(
        gateway, door, EMBEDDED, Question(text="Count from 1 to 9.", max_tokens=30, stop=stop)
    )
    assert stop not in stopped.text


@pytest.mark.parametrize("field", ["tools", "image"])
def test_what_the_embedded_model_cannot_do_is_a_400_that_names_the_field(
    gateway: Gateway, door: ClientDoor, png: bytes, field: str
) -> None:
    """It has neither eyes nor hands, and does not pretend."""
    question = Question(has_tools=True) if field == "tools" else Question(image=png)
    heard = door.ask(gateway.url, EMBEDDED, question)
    assert heard.status == 400
    assert heard.error is not None
    assert door.fields[field] in heard.error
    assert heard.error_param in {None, door.fields[field]}


def test_a_prompt_that_is_too_long_for_the_embedded_model(
    gateway: Gateway, door: ClientDoor
) -> None:
    """The client's own mistake, in the model's words."""
    heard = door.ask(gateway.url, EMBEDDED, Question(text="word " * 20_000))
    assert heard.status == 400
    assert heard.error
