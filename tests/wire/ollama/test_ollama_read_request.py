import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatRequest as OfficialRequest
from ollama._types import Message as OfficialMessage
from ollama._types import Options as OfficialOptions

from cortexd.domain.chat import ChatRequest, Effort, JsonOutput, Role, Sampling, text_message
from cortexd.domain.errors import RequestRefused
from cortexd.domain.feature import Feature
from cortexd.wire.ollama.read_request import read_chat_request
from cortexd.wire.parsed_chat import ParsedChat

HELLO: dict[str, object] = {"role": "user", "content": "hi"}
SMALLEST: dict[str, object] = {"messages": [HELLO]}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"type": "string"}}}
ABSENT = object()


def _refusal(**fields: object) -> RequestRefused:
    document = {**SMALLEST, **fields}
    with pytest.raises(RequestRefused) as caught:
        read_chat_request({name: value for name, value in document.items() if value is not ABSENT})
    assert caught.value.status == 400
    return caught.value


def test_the_smallest_request() -> None:
    """Messages alone are enough: any model, and the answer streams."""
    assert read_chat_request(SMALLEST) == ParsedChat(
        request=ChatRequest(model=None, messages=(text_message(Role.USER, "hi"),)), stream=True
    )


def test_everything_beside_the_messages() -> None:
    """Each field of the allow-list reaches its place in the domain, with what it needs."""
    document: dict[str, object] = {
        "model": "m",
        "messages": [HELLO],
        "stream": False,
        "keep_alive": "5m",
        "format": SCHEMA,
        "think": "high",
        "logprobs": True,
        "top_logprobs": 3,
        "options": {
            "temperature": 1.5,
            "top_p": 1,
            "top_k": 40,
            "min_p": 0.05,
            "num_ctx": 8192,
            "num_predict": 7,
            "stop": ["x", "y"],
            "seed": 0,
            "frequency_penalty": -2,
            "presence_penalty": 2.0,
            "repeat_penalty": 1.1,
        },
    }
    assert read_chat_request(document) == ParsedChat(
        request=ChatRequest(
            model="m",
            messages=(text_message(Role.USER, "hi"),),
            sampling=Sampling(
                temperature=1.5,
                top_p=1.0,
                top_k=40,
                min_p=0.05,
                max_output_tokens=7,
                stop=("x", "y"),
                seed=0,
                frequency_penalty=-2.0,
                presence_penalty=2.0,
                repeat_penalty=1.1,
                context_tokens=8192,
            ),
            output=JsonOutput(schema=SCHEMA),
            effort=Effort.HIGH,
            top_logprobs=3,
            needs={
                Feature.HIGH_TEMPERATURE: "options.temperature",
                Feature.TOP_K: "options.top_k",
                Feature.MIN_P: "options.min_p",
                Feature.SEED: "options.seed",
                Feature.STOP: "options.stop",
                Feature.PENALTIES: "options.frequency_penalty",
                Feature.REPEAT_PENALTY: "options.repeat_penalty",
                Feature.CONTEXT_SIZE: "options.num_ctx",
                Feature.JSON_SCHEMA: "format",
                Feature.REASONING: "think",
                Feature.LOGPROBS: "logprobs",
                Feature.TOP_LOGPROBS: "top_logprobs",
            },
        ),
        stream=False,
    )


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({"temperature": 1}, Sampling(temperature=1.0)),
        ({"max_tokens": 3}, Sampling(max_output_tokens=3)),
        (
            {"temperature": 1, "max_tokens": 3, "options": {"temperature": 1.0, "num_predict": 3}},
            Sampling(temperature=1.0, max_output_tokens=3),
        ),
        ({"options": {"num_predict": -1}}, Sampling()),
        ({"options": {"seed": -1}}, Sampling()),
        ({"options": {}}, Sampling()),
        ({"options": None}, Sampling()),
        ({"options": {"stop": []}}, Sampling()),
        (
            {"options": {"frequency_penalty": 0, "presence_penalty": 0.0}},
            Sampling(frequency_penalty=0.0, presence_penalty=0.0),
        ),
        ({"options": {"min_p": 0, "repeat_penalty": 1}}, Sampling(min_p=0.0, repeat_penalty=1.0)),
    ],
)
def test_other_ways_to_say_it(fields: dict[str, object], sampling: Sampling) -> None:
    """The two fields the gateway adds at the top level, and Ollama's words for its defaults."""
    request = read_chat_request({**SMALLEST, **fields}).request
    assert request.sampling == sampling
    assert request.needs == {}


def test_a_high_temperature_at_the_top_level() -> None:
    """The need names the field that was used."""
    request = read_chat_request({**SMALLEST, "temperature": 2}).request
    assert request.needs == {Feature.HIGH_TEMPERATURE: "temperature"}


@pytest.mark.parametrize(
    ("think", "effort"),
    [
        (True, Effort.MEDIUM),
        ("low", Effort.LOW),
        ("medium", Effort.MEDIUM),
        ("high", Effort.HIGH),
        ("max", Effort.MAX),
    ],
)
def test_the_levels_of_thinking(think: object, effort: Effort) -> None:
    """A boolean or the server's levels; thinking is something a worker must be able to."""
    request = read_chat_request({**SMALLEST, "think": think}).request
    assert request.effort is effort
    assert request.needs == {Feature.REASONING: "think"}


def test_not_to_think_needs_nothing() -> None:
    """A worker that cannot think does not."""
    request = read_chat_request({**SMALLEST, "think": False}).request
    assert request.effort is Effort.NONE
    assert request.needs == {}


def test_the_format() -> None:
    """The word `json` is any object; a schema, even one that allows all, is a schema."""
    any_object = read_chat_request({**SMALLEST, "format": "json"}).request
    assert any_object.output == JsonOutput()
    assert any_object.needs == {Feature.JSON_OBJECT: "format"}
    anything = read_chat_request({**SMALLEST, "format": {}}).request
    assert anything.output == JsonOutput(schema={})
    assert anything.needs == {Feature.JSON_SCHEMA: "format"}


def test_logprobs_without_alternatives() -> None:
    """Only the chosen tokens are asked for."""
    request = read_chat_request({**SMALLEST, "logprobs": True}).request
    assert request.top_logprobs == 0
    assert request.needs == {Feature.LOGPROBS: "logprobs"}


@pytest.mark.parametrize(
    "name", sorted((OfficialRequest.model_fields.keys() - {"messages"}) | {"truncate", "shift"})
)
def test_null_counts_as_absent(name: str) -> None:
    """Each field that the official client knows may be null."""
    assert read_chat_request({**SMALLEST, name: None}) == read_chat_request(SMALLEST)


def test_null_in_options_and_messages_counts_as_absent() -> None:
    """Each option and message field that the official client knows may be null."""
    options = dict.fromkeys(OfficialOptions.model_fields)
    message = {**dict.fromkeys(OfficialMessage.model_fields), **HELLO}
    assert read_chat_request({"messages": [message], "options": options}) == read_chat_request(
        SMALLEST
    )


def test_what_the_official_client_sends_by_default() -> None:
    """`Client.chat()` sends an empty list of tools; an empty model is any model."""
    sent = OfficialRequest(
        model="auto",
        messages=[OfficialMessage(role="user", content="hi")],
        tools=[],
        stream=False,
    ).model_dump(exclude_none=True)
    assert sent["tools"] == []
    request = ChatRequest(model="auto", messages=(text_message(Role.USER, "hi"),))
    assert read_chat_request(sent) == ParsedChat(request=request, stream=False)
    assert read_chat_request({**sent, "model": ""}).request.model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", ""),
        ("tools", []),
        ("think", ""),
        ("logprobs", False),
        ("top_logprobs", 0),
        ("truncate", True),
        ("shift", True),
        ("keep_alive", 0),
        ("keep_alive", -1),
        ("keep_alive", "10m"),
        ("keep_alive", 1.5),
    ],
)
def test_what_asks_for_nothing_is_taken(name: str, value: object) -> None:
    """A field that is empty, or changes no answer, is no reason to refuse."""
    assert read_chat_request({**SMALLEST, name: value}) == read_chat_request(SMALLEST)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("truncate", False),
        ("shift", False),
        ("stop", ["x"]),
        ("top_p", 1),
        ("tool_choice", "auto"),
        ("stream_options", {"include_usage": True}),
        ("api_base", "http://evil"),
        ("api_key", None),
        ("template", "x"),
        ("prompt", "x"),
    ],
)
def test_what_is_not_served_is_refused_by_name(name: str, value: object) -> None:
    """K18, K19: an allow-list decides; nothing is dropped in silence and nothing passed on."""
    refusal = _refusal(**{name: value})
    assert (refusal.param, refusal.code) == (name, "unsupported_parameter")


@pytest.mark.parametrize("name", ["num_gpu", "repeat_last_n", "api_base", "max_tokens"])
def test_an_option_that_is_not_served_is_refused_by_name(name: str) -> None:
    """The allow-list holds inside `options`, too."""
    refusal = _refusal(options={name: 1})
    assert (refusal.param, refusal.code) == (f"options.{name}", "unsupported_parameter")


WRONG: dict[str, list[object]] = {
    "model": [42, True, [], {}, "m\n", "x" * 257],
    "messages": [ABSENT, None, {}, "", [], 1],
    "stream": ["false", 0, 1, [], {}],
    "options": [1, "x", [], True],
    "temperature": [-1, 3, "1", True],
    "max_tokens": [0, -1, 2**31, 1.5, "1", True],
    "keep_alive": [True, {"a": 1}, [1], "x" * 65],
    "format": ["xml", 1, True, ["json"], {"$ref": "http://evil/schema"}],
    "think": ["some", 1, 0, [], {"a": 1}],
    "logprobs": ["true", 1],
    "top_logprobs": [-1, 21, 1.5, "1", True, 1],
    "tools": ["x", {"a": 1}, [1]],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_by_name(name: str) -> None:
    """K1, K4, K10-K12: wrong types and ranges; a boolean is no number."""
    for value in WRONG[name]:
        assert (_refusal(**{name: value}).param or "").startswith(name), value


WRONG_OPTIONS: dict[str, list[object]] = {
    "temperature": [-0.1, 2.1, "1", True],
    "top_p": [-0.1, 1.1, "1", True],
    "top_k": [0, -1, 2**31, 1.5, "1", True],
    "min_p": [-0.1, 1.1, "1", True],
    "num_ctx": [0, -1, 2**31, 1.5, "1", True],
    "repeat_penalty": [0, -1, 10.1, "1", True],
    "num_predict": [0, -2, 2**31, 1.5, -1.0, "1", True],
    "stop": ["x", [""], ["a"] * 5, [1], ["x" * 1025]],
    "seed": [1.5, "1", True],
    "frequency_penalty": [-2.1, 2.1, "1", True],
    "presence_penalty": [-2.1, 2.1, "1", True],
}


@pytest.mark.parametrize("name", WRONG_OPTIONS)
def test_wrong_options_are_refused_by_path(name: str) -> None:
    """The path leads into `options`."""
    for value in WRONG_OPTIONS[name]:
        assert (_refusal(options={name: value}).param or "").startswith(f"options.{name}"), value


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"temperature": 1, "options": {"temperature": 0.5}}, "temperature"),
        ({"max_tokens": 1, "options": {"num_predict": 2}}, "max_tokens"),
    ],
)
def test_two_names_must_agree(fields: dict[str, object], path: str) -> None:
    """The top level may repeat an option, but not contradict it."""
    assert _refusal(**fields).param == path


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(OfficialRequest.model_fields)), json_values)
def test_no_value_crashes_the_parser(name: str, value: object) -> None:
    """Any JSON in any field is understood or refused with a path that starts with its name."""
    try:
        read_chat_request({**SMALLEST, name: value})
    except RequestRefused as refusal:
        if not (refusal.param or "").startswith(name):
            raise
