"""What clients of the OpenAI dialect may ask of POST /v1/chat/completions.

Source of the field names: `types/chat/completion_create_params.py` of the official Python client.
"""

from typing import Final

from cortexd.domain.chat import ChatRequest, Effort, JsonOutput, Sampling
from cortexd.domain.feature import Feature
from cortexd.wire.fields import INVALID_VALUE, MISSING, UNSUPPORTED, Fields, refuse
from cortexd.wire.openai.read_messages import MessagesReader, read_cache_hint
from cortexd.wire.openai.read_tools import KIND_CHARACTERS_MAX, read_optional_flag, read_tools
from cortexd.wire.parsed_chat import (
    OUTPUT_TOKENS_MAX,
    SEED_MAX,
    ParsedChat,
    agree,
    read_model,
    read_stop,
)
from cortexd.wire.parsed_tools import DESCRIPTION_CHARACTERS_MAX, read_schema, read_tool_name
from cortexd.wire.quotation import quoted

_TAKEN: Final = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "n",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    }
)

# Values that describe what happens anyway.
_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "audio": (),
    "function_call": ("none",),
    "functions": (),
    "logit_bias": (),
    "metadata": (),
    "modalities": (["text"],),
    "moderation": (),
    "prediction": (),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "verbosity": (),
    "web_search_options": (),
}

_STREAM_OPTIONS_TAKEN: Final = frozenset({"include_usage"})
_STREAM_OPTIONS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "include_obfuscation": (False,)
}

# Texts that name somebody or something to the provider and change no answer.
_NAMES_FOR_NOTHING: Final = (
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)

_OUTPUT_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("type",),
    "json_object": ("type",),
    "json_schema": ("type", "json_schema"),
}

NAME_CHARACTERS_MAX: Final = 512
_CHOICES_MAX: Final = 128
TOP_LOGPROBS_MAX: Final = 20


def read_chat_request(document: dict[str, object]) -> ParsedChat:
    """What the body of the request says.

    `user`, `safety_identifier` and the hints to a prompt cache are taken without effect: they
    change no answer. `metadata` is refused unless empty: its only use is to find stored
    completions again, and none are stored.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    model = read_model(body)
    if model is None:
        refuse("model", "is missing; name a model, or 'auto' for any", MISSING)
    for name in _NAMES_FOR_NOTHING:
        body.text(name, characters_max=NAME_CHARACTERS_MAX)
    read_cache_hint(body, "prompt_cache_options")
    choices = body.integer("n", low=1, high=_CHOICES_MAX)
    if choices not in {None, 1}:
        refuse("n", "is supported only as 1", UNSUPPORTED)
    stream = body.flag("stream", default=False)
    needs: dict[Feature, str] = {}
    tools = read_tools(body, needs)
    return ParsedChat(
        request=ChatRequest(
            model=model,
            messages=MessagesReader(needs).read(body),
            sampling=_read_sampling(body, needs),
            tools=tools.tools,
            tool_choice=tools.choice,
            parallel_tool_calls=tools.parallel_calls,
            output=_read_output(body, needs),
            effort=_read_effort(body, needs),
            top_logprobs=_read_top_logprobs(body, needs),
            needs=needs,
        ),
        stream=stream,
        include_usage=_read_include_usage(body, stream=stream),
    )


def _read_include_usage(body: Fields, *, stream: bool) -> bool:
    options = body.nested("stream_options")
    if options is None or not options.members:
        return False
    if not stream:
        refuse("stream_options", "needs stream to be true", INVALID_VALUE)
    options.only(_STREAM_OPTIONS_TAKEN, _STREAM_OPTIONS_FOR_NOTHING)
    return options.flag("include_usage", default=False)


def _read_sampling(body: Fields, needs: dict[Feature, str]) -> Sampling:
    sampling = Sampling(
        temperature=body.number("temperature", low=0, high=2),
        top_p=body.number("top_p", low=0, high=1),
        max_output_tokens=agree(
            ("max_tokens", body.integer("max_tokens", low=1, high=OUTPUT_TOKENS_MAX)),
            (
                "max_completion_tokens",
                body.integer("max_completion_tokens", low=1, high=OUTPUT_TOKENS_MAX),
            ),
        ),
        stop=read_stop(body, text_allowed=True),
        seed=body.integer("seed", low=-SEED_MAX, high=SEED_MAX),
        # Many clients always send zero, and zero is no penalty.
        frequency_penalty=body.number("frequency_penalty", low=-2, high=2) or None,
        presence_penalty=body.number("presence_penalty", low=-2, high=2) or None,
    )
    if sampling.temperature is not None and sampling.temperature > 1:
        needs.setdefault(Feature.HIGH_TEMPERATURE, "temperature")
    if sampling.stop:
        needs.setdefault(Feature.STOP, "stop")
    if sampling.seed is not None:
        needs.setdefault(Feature.SEED, "seed")
    if sampling.frequency_penalty is not None:
        needs.setdefault(Feature.PENALTIES, "frequency_penalty")
    if sampling.presence_penalty is not None:
        needs.setdefault(Feature.PENALTIES, "presence_penalty")
    return sampling


def _read_output(body: Fields, needs: dict[Feature, str]) -> JsonOutput | None:
    output = body.nested("response_format")
    if output is None or not output.members:
        return None
    kind = output.text("type", characters_max=KIND_CHARACTERS_MAX)
    if kind not in _OUTPUT_MEMBERS:
        problem = f"must be one of {', '.join(_OUTPUT_MEMBERS)}"
        refuse(output.at("type"), problem, MISSING if kind is None else INVALID_VALUE)
    output.only(_OUTPUT_MEMBERS[kind], {})
    if kind == "text":
        return None
    if kind == "json_object":
        needs.setdefault(Feature.JSON_OBJECT, output.path)
        return JsonOutput()
    needs.setdefault(Feature.JSON_SCHEMA, output.path)
    return _read_json_schema(output)


def _read_json_schema(output: Fields) -> JsonOutput:
    described = output.nested("json_schema")
    if described is None:
        refuse(output.at("json_schema"), "is missing; it must be an object", MISSING)
    described.only({"name", "description", "schema", "strict"}, {})
    if described.members.get("name") is None:
        refuse(described.at("name"), "is missing; give the schema a name", MISSING)
    schema = read_schema(described, "schema")
    if schema is None:
        refuse(described.at("schema"), "is missing; it must be a JSON Schema", MISSING)
    return JsonOutput(
        schema=schema,
        # What names a schema may have is the same as for functions.
        name=read_tool_name(described),
        description=described.text("description", characters_max=DESCRIPTION_CHARACTERS_MAX),
        strict=read_optional_flag(described, "strict"),
    )


def _read_effort(body: Fields, needs: dict[Feature, str]) -> Effort | None:
    word = body.text("reasoning_effort", characters_max=KIND_CHARACTERS_MAX)
    if not word:
        return None
    try:
        effort = Effort(word)
    except ValueError:
        known = ", ".join(effort.value for effort in Effort)
        problem = f"must be one of {known}, not {quoted(word)}"
        refuse("reasoning_effort", problem, INVALID_VALUE)
    if effort is not Effort.NONE:
        needs.setdefault(Feature.REASONING, "reasoning_effort")
    return effort


def _read_top_logprobs(body: Fields, needs: dict[Feature, str]) -> int | None:
    wanted = body.flag("logprobs", default=False)
    alternatives = body.integer("top_logprobs", low=0, high=TOP_LOGPROBS_MAX) or 0
    if not wanted:
        if alternatives:
            refuse("top_logprobs", "needs logprobs to be true", INVALID_VALUE)
        return None
    needs.setdefault(Feature.LOGPROBS, "logprobs")
    if alternatives:
        needs.setdefault(Feature.TOP_LOGPROBS, "top_logprobs")
    return alternatives
