"""What Gemini is sent: POST …/models/{model}:streamGenerateContent.

Source: `types.py` and `models.py` of the official Python client (google-genai) for names and
bounds, and Google's page on function calling for the modes.
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import (
    ChatRequest,
    JsonOutput,
    Sampling,
    Tool,
    ToolChoice,
    ToolUse,
)
from cortexd.wire.gemini.write_messages import Written, system_text, write_contents
from cortexd.wire.thinking_tokens import THINKING_TOKENS

_PENALTY_MAX: Final = 1.99
"""Gemini's penalties lie below 2."""

_SEEDS: Final = 2**31

_MODES: Final[Mapping[ToolUse, str]] = {
    ToolUse.AUTO: "AUTO",
    ToolUse.NONE: "NONE",
    ToolUse.REQUIRED: "ANY",
}


def write_chat_request(request: ChatRequest, *, model: str) -> Written:
    """The body; the model stands in the path, and so does that a stream is wanted.

    A penalty of 2 goes out as the highest there is, and a seed that does not fit into 32 bits as
    another, but always as the same.
    """
    contents = write_contents(request, model=model)
    system = system_text(request)
    if not contents:
        # There must be a turn: system texts alone are the user's.
        contents, system = [{"role": "user", "parts": [{"text": system}]}], ""
    optional: Written = {
        "systemInstruction": {"parts": [{"text": system}]} if system else None,
        "tools": _write_tools(request.tools),
        "toolConfig": _write_tool_config(request),
        "generationConfig": _write_generation(request),
    }
    return {"contents": contents} | _present(optional)


def _write_tools(tools: tuple[Tool, ...]) -> list[Written] | None:
    return [{"functionDeclarations": [_write_tool(tool) for tool in tools]}] if tools else None


def _write_tool(tool: Tool) -> Written:
    optional: Written = {
        "description": tool.description,
        # `parameters` takes only OpenAPI's part of JSON Schema.
        "parametersJsonSchema": tool.parameters,
    }
    return {"name": tool.name} | _present(optional)


def _write_tool_config(request: ChatRequest) -> Written | None:
    choice = request.tool_choice or ToolChoice(ToolUse.AUTO)
    mode = _MODES[choice.use]
    # Of their own accord, calls fit their schemas in mode ANY alone.
    if choice.use is ToolUse.AUTO and any(tool.strict for tool in request.tools):
        mode = "VALIDATED"
    if not request.tools or mode == "AUTO":
        return None
    config: Written = {"mode": mode}
    if choice.name is not None:
        config["allowedFunctionNames"] = [choice.name]
    return {"functionCallingConfig": config}


def _write_generation(request: ChatRequest) -> Written | None:
    config = _write_sampling(request.sampling) | _write_output(request.output)
    thinking = _write_thinking(request)
    if thinking is not None:
        config["thinkingConfig"] = thinking
    return config or None


def _write_sampling(sampling: Sampling) -> Written:
    return _present(
        {
            "temperature": sampling.temperature,
            "topP": sampling.top_p,
            "topK": sampling.top_k,
            "maxOutputTokens": sampling.max_output_tokens,
            "stopSequences": list(sampling.stop) or None,
            "seed": None if sampling.seed is None else sampling.seed % _SEEDS,
            "presencePenalty": _bounded(sampling.presence_penalty),
            "frequencyPenalty": _bounded(sampling.frequency_penalty),
        }
    )


def _bounded(penalty: float | None) -> float | None:
    return None if penalty is None else min(penalty, _PENALTY_MAX)


def _write_output(output: JsonOutput | None) -> Written:
    if output is None:
        return {}
    config: Written = {"responseMimeType": "application/json"}
    # `responseSchema` takes only OpenAPI's part of JSON Schema.
    return config if output.schema is None else config | {"responseJsonSchema": output.schema}


def _write_thinking(request: ChatRequest) -> Written | None:
    """A budget, which version 3 takes as well, although levels are its own way."""
    budget = request.thinking_tokens_max
    if budget is None and request.effort is not None:
        budget = THINKING_TOKENS[request.effort]
    if budget is None:
        return None
    thinking: Written = {"thinkingBudget": budget}
    return thinking | {"includeThoughts": True} if budget else thinking


def _present(optional: Written) -> Written:
    return {name: value for name, value in optional.items() if value is not None}
