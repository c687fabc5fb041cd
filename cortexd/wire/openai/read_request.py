"""What clients of the OpenAI dialect may ask of POST /v1/chat/completions.

Source of the field names: `types/chat/completion_create_params.py` of the official Python client.
"""

from typing import Final

from cortexd.domain.chat import ChatRequest, Message, Role, Sampling, text_message
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_object,
    as_text,
    refuse,
    refuse_type,
)
from cortexd.wire.parsed_chat import (
    MESSAGE_CHARACTERS_MAX,
    OUTPUT_TOKENS_MAX,
    SEED_MAX,
    ParsedChat,
    agree,
    read_messages,
    read_model,
    read_role,
    read_stop,
)

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
        "n",
        "user",
        "safety_identifier",
    }
)

# Values that describe what happens anyway.
_ASKS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "audio": (),
    "function_call": ("none",),
    "functions": (),
    "logit_bias": (),
    "logprobs": (False,),
    "metadata": (),
    "modalities": (["text"],),
    "moderation": (),
    "parallel_tool_calls": (True, False),
    "prediction": (),
    "prompt_cache_key": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
    "reasoning_effort": (),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("auto", "none"),
    "tools": (),
    "top_logprobs": (0,),
    "verbosity": (),
    "web_search_options": (),
}

_STREAM_OPTIONS_TAKEN: Final = frozenset({"include_usage"})
_STREAM_OPTIONS_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "include_obfuscation": (False,)
}

_MESSAGE_TAKEN: Final = frozenset({"role", "content"})
_MESSAGE_FOR_NOTHING: Final[dict[str, tuple[object, ...]]] = {
    # What the official client's own answers carry when they are sent back as history.
    "annotations": (),
    "audio": (),
    "function_call": (),
    "name": (),
    "refusal": (),
    "tool_call_id": (),
    "tool_calls": (),
}

_ROLES: Final = {
    "system": Role.SYSTEM,
    # The newer name of the same role.
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}

_PARTS_MAX: Final = 1000
_USER_CHARACTERS_MAX: Final = 512
_CHOICES_MAX: Final = 128


def read_chat_request(document: dict[str, object]) -> ParsedChat:
    """What the body of the request says.

    `user` and `safety_identifier` are taken without effect: they name the end user to the provider
    and change no answer.
    `metadata` is refused unless empty: its only use is to find stored completions again, and none
    are stored.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _ASKS_FOR_NOTHING)
    model = read_model(body)
    if model is None:
        refuse("model", "is missing; name a model, or 'auto' for any", MISSING)
    body.text("user", characters_max=_USER_CHARACTERS_MAX)
    body.text("safety_identifier", characters_max=_USER_CHARACTERS_MAX)
    choices = body.integer("n", low=1, high=_CHOICES_MAX)
    if choices not in {None, 1}:
        refuse("n", "is supported only as 1", UNSUPPORTED)
    stream = body.flag("stream", default=False)
    return ParsedChat(
        request=ChatRequest(
            model=model, messages=read_messages(body, _read_message), sampling=_read_sampling(body)
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


def _read_sampling(body: Fields) -> Sampling:
    return Sampling(
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
        frequency_penalty=body.number("frequency_penalty", low=-2, high=2),
        presence_penalty=body.number("presence_penalty", low=-2, high=2),
    )


def _read_message(message: Fields) -> Message:
    message.only(_MESSAGE_TAKEN, _MESSAGE_FOR_NOTHING)
    return text_message(read_role(message, _ROLES), _read_content(message))


def _read_content(message: Fields) -> str:
    path = message.at("content")
    content = message.members.get("content")
    if isinstance(content, str):
        return as_text(content, path, characters_max=MESSAGE_CHARACTERS_MAX)
    if content is None or content == []:
        refuse(path, "is missing; it must be a string or a list of text parts", MISSING)
    if not isinstance(content, list):
        refuse_type(path, content, "a string or a list of text parts")
    parts = message.items("content", count_max=_PARTS_MAX)
    # Parts are separate pieces of text; a line end keeps their words apart.
    return "\n".join(_read_part(as_object(part, place)) for place, part in parts)


def _read_part(part: Fields) -> str:
    kind = part.text("type", characters_max=MESSAGE_CHARACTERS_MAX)
    if kind is None:
        refuse(part.at("type"), "is missing; it must be text", MISSING)
    if kind != "text":
        refuse(part.at("type"), "is supported only as text", UNSUPPORTED)
    part.only({"type", "text"}, {})
    text = part.text("text", characters_max=MESSAGE_CHARACTERS_MAX)
    if text is None:
        refuse(part.at("text"), "is missing; it must be a string", MISSING)
    return text
