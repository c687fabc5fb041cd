import pytest
from ollama._types import GenerateRequest as OfficialRequest

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    Image,
    JsonOutput,
    Message,
    Role,
    Sampling,
    Text,
    text_message,
)
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.ollama.read_generate import read_generate_request
from cortexd.wire.ollama.read_request import read_chat_request
from cortexd.wire.parsed_chat import ParsedChat

PNG = "iVBORw0KGgoAAAAN"
SMALLEST: dict[str, object] = {"prompt": "hi"}
UNFIT_VALUES: dict[str, object] = {
    "suffix": "x",
    "template": "{{ .Prompt }}",
    "context": [1],
    "raw": True,
    "truncate": False,
    "shift": False,
    "width": 1,
    "height": 1,
    "steps": 1,
    "messages": [],
    "tools": [],
    "api_base": "http://evil",
}


def test_the_smallest_request() -> None:
    """A prompt is what a user says; the answer streams."""
    assert read_generate_request(SMALLEST) == ParsedChat(
        request=ChatRequest(model=None, messages=(text_message(Role.USER, "hi"),)), stream=True
    )


def test_everything_that_is_served() -> None:
    """The same fields as of a chat, and system, prompt and images instead of messages."""
    document: dict[str, object] = {
        "model": "m",
        "prompt": "what is this?",
        "system": "be kind",
        "images": [PNG],
        "stream": False,
        "format": "json",
        "think": "low",
        "logprobs": True,
        "keep_alive": "5m",
        "options": {"num_predict": 7},
    }
    assert read_generate_request(document) == ParsedChat(
        request=ChatRequest(
            model="m",
            messages=(
                text_message(Role.SYSTEM, "be kind"),
                Message(Role.USER, (Image("image/png", PNG), Text("what is this?"))),
            ),
            sampling=Sampling(max_output_tokens=7),
            output=JsonOutput(),
            effort=Effort.LOW,
            top_logprobs=0,
            needs={
                Feature.IMAGES: "images",
                Feature.JSON_OBJECT: "format",
                Feature.REASONING: "think",
                Feature.LOGPROBS: "logprobs",
            },
        ),
        stream=False,
    )


def test_a_picture_is_a_prompt() -> None:
    """It needs no words."""
    request = read_generate_request({"images": [PNG]}).request
    assert request.messages == (Message(Role.USER, (Image("image/png", PNG),)),)


@pytest.mark.parametrize(
    "document", [{}, {"prompt": ""}, {"prompt": None, "images": []}, {"system": "x"}]
)
def test_without_a_prompt_there_are_no_messages(document: dict[str, object]) -> None:
    """Such a request asks for nothing but the model to be loaded."""
    assert read_generate_request({"model": "m", **document}).request == ChatRequest(
        model="m", messages=()
    )


@pytest.mark.parametrize("name", sorted(OfficialRequest.model_fields.keys() - {"prompt"}))
def test_null_counts_as_absent(name: str) -> None:
    """Each field that the official client knows may be null."""
    assert read_generate_request({**SMALLEST, name: None}) == read_generate_request(SMALLEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [("suffix", ""), ("template", ""), ("context", []), ("raw", False), ("width", 0)],
)
def test_what_asks_for_nothing_is_taken(name: str, value: object) -> None:
    """A field that is empty is no reason to refuse."""
    assert read_generate_request({**SMALLEST, name: value}) == read_generate_request(SMALLEST)


@pytest.mark.parametrize("name", UNFIT_VALUES)
def test_what_is_not_served_is_refused_by_name(name: str) -> None:
    """K18, K19: an allow-list decides; a body meant for a chat is none of this endpoint's."""
    document = {**SMALLEST, name: UNFIT_VALUES[name]}
    if UNFIT_VALUES[name] == []:
        document[name] = [{"role": "user", "content": "hi"}]
    with pytest.raises(RequestRefused) as caught:
        read_generate_request(document)
    assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"prompt": 1}, "prompt"),
        ({"prompt": ["hi"]}, "prompt"),
        ({"system": 1}, "system"),
        ({"images": PNG}, "images"),
        ({"images": ["data:image/png;base64," + PNG]}, "images[0]"),
        ({"images": [PNG] * 101}, "images"),
        ({"options": {"num_gpu": 1}}, "options.num_gpu"),
        ({"stream": 1}, "stream"),
    ],
)
def test_wrong_values_are_refused_by_name(fields: dict[str, object], path: str) -> None:
    """Wrong types and values, each at its place."""
    with pytest.raises(RequestRefused) as caught:
        read_generate_request({**SMALLEST, **fields})
    assert caught.value.param == path


def test_a_chat_without_messages_is_none() -> None:
    """Only this endpoint can be asked for nothing: a chat needs a message."""
    with pytest.raises(RequestRefused) as caught:
        read_chat_request({"model": "m", "messages": []})
    assert caught.value.param == "messages"
