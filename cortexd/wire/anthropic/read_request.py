"""What clients of the Anthropic dialect may ask of POST /v1/messages and its count of tokens.

Source of the field names: `types/message_create_params.py` and `message_count_tokens_params.py` of
the official Python client (anthropic); of `temperature`, `top_p` and `top_k`, which it has dropped,
the API of version 2023-06-01.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from cortexd.domain.chat import ChatRequest, Sampling
from cortexd.domain.feature import Feature
from cortexd.domain.request import TokenCountRequest
from cortexd.wire.anthropic.read_blocks import KIND_CHARACTERS_MAX, check_cache_control
from cortexd.wire.anthropic.read_messages import read_conversation
from cortexd.wire.anthropic.read_thinking import Thinking, read_output_config, read_thinking
from cortexd.wire.anthropic.read_tools import read_tool_choice, read_tools
from cortexd.wire.fields import INVALID_VALUE, MISSING, Fields, as_text, refuse
from cortexd.wire.parsed_chat import (
    OUTPUT_TOKENS_MAX,
    STOP_CHARACTERS_MAX,
    ParsedChat,
    read_model,
)
from cortexd.wire.quotation import quoted

STOP_SEQUENCES_MAX: Final = 64
"""Anthropic documents no limit; nobody means more."""

_COUNT_TAKEN: Final = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "cache_control",
    }
)
_TAKEN: Final = _COUNT_TAKEN | {
    "max_tokens",
    "stream",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "metadata",
    "service_tier",
}

# Named so that `null` is taken, as it is for every known field.
_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "container": (),
    "context_management": (),
    "diagnostics": (),
    "inference_geo": (),
    "mcp_servers": (),
    "output_format": (),
    "speed": ("standard",),
    "user_profile_id": (),
    "workspace_id": (),
}

TOP_K_MAX: Final = 2**31 - 1
USER_CHARACTERS_MAX: Final = 1024


@attrs.frozen(kw_only=True)
class ParsedMessages(ParsedChat):
    """`shows_thoughts`: the client wants to read them, and not just their signatures."""

    shows_thoughts: bool = True


def read_chat_request(document: dict[str, object]) -> ParsedMessages:
    """What the body of the request says.

    Taken without effect, since they change no answer: `cache_control`, a hint what to remember;
    `metadata.user_id`, which names the end user to the provider; `service_tier`, out of which of
    its contingents the operator pays.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_TAKEN, _FOR_NOTHING)
    max_tokens = body.integer("max_tokens", low=1, high=OUTPUT_TOKENS_MAX)
    if max_tokens is None:
        refuse("max_tokens", "is missing; it must be a number of tokens", MISSING)
    _check_metadata(body)
    _check_service_tier(body)
    needs: dict[Feature, str] = {}
    sampling = _read_sampling(body, max_tokens, needs)
    request, thinking = _read_prompt(body, needs, sampling)
    return ParsedMessages(
        request=request,
        stream=body.flag("stream", default=False),
        shows_thoughts=thinking.is_shown,
    )


def read_token_count_request(document: dict[str, object]) -> TokenCountRequest:
    """What the body of POST /v1/messages/count_tokens says.

    Errors: `RequestRefused` that names the field.
    """
    body = Fields(document)
    body.only(_COUNT_TAKEN, _FOR_NOTHING)
    request, _ = _read_prompt(body, {}, Sampling())
    return TokenCountRequest(request)


def _read_prompt(
    body: Fields, needs: dict[Feature, str], sampling: Sampling
) -> tuple[ChatRequest, Thinking]:
    """What both endpoints take."""
    model = read_model(body)
    if model is None:
        refuse("model", "is missing; name a model, or 'auto' for any", MISSING)
    check_cache_control(body)
    messages = read_conversation(body, needs)
    tools = read_tools(body, needs)
    tool_choice, parallel_tool_calls = read_tool_choice(body, tools, needs)
    effort, output = read_output_config(body, needs)
    thinking = read_thinking(body, effort, needs, max_tokens=sampling.max_output_tokens)
    request = ChatRequest(
        model=model,
        messages=messages,
        sampling=sampling,
        tools=tools,
        tool_choice=tool_choice,
        parallel_tool_calls=parallel_tool_calls,
        output=output,
        effort=thinking.effort,
        thinking_tokens_max=thinking.budget_tokens,
        needs=needs,
    )
    return request, thinking


def _read_sampling(body: Fields, max_tokens: int, needs: dict[Feature, str]) -> Sampling:
    stop = _read_stop_sequences(body)
    if stop:
        needs.setdefault(Feature.STOP, "stop_sequences")
    top_k = body.integer("top_k", low=1, high=TOP_K_MAX)
    if top_k is not None:
        needs.setdefault(Feature.TOP_K, "top_k")
    return Sampling(
        temperature=body.number("temperature", low=0, high=1),
        top_p=body.number("top_p", low=0, high=1),
        top_k=top_k,
        max_output_tokens=max_tokens,
        stop=stop,
    )


def _read_stop_sequences(body: Fields) -> tuple[str, ...]:
    stops: list[str] = []
    for place, element in body.items("stop_sequences", count_max=STOP_SEQUENCES_MAX):
        text = as_text(element, place, characters_max=STOP_CHARACTERS_MAX)
        if not text:
            refuse(place, "must not be empty", INVALID_VALUE)
        stops.append(text)
    return tuple(stops)


def _check_metadata(body: Fields) -> None:
    metadata = body.nested("metadata")
    if metadata is not None:
        metadata.only({"user_id"}, {})
        metadata.text("user_id", characters_max=USER_CHARACTERS_MAX)


def _check_service_tier(body: Fields) -> None:
    tier = body.text("service_tier", characters_max=KIND_CHARACTERS_MAX)
    if tier not in {None, "auto", "standard_only"}:
        problem = f"must be auto or standard_only, not {quoted(tier or '')}"
        refuse("service_tier", problem, INVALID_VALUE)
