"""What an Ollama worker is sent: POST /api/chat.

Source of the field names: `api/types.go` of ollama/ollama.
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import ChatRequest, Effort, JsonOutput, Sampling, Tool, ToolUse
from cortexd.wire.ollama.write_messages import write_messages

_THINK: Final[Mapping[Effort, bool | str]] = {
    Effort.NONE: False,
    Effort.MINIMAL: "low",
    Effort.LOW: "low",
    # Every server and thinking model takes `true`, and means medium where it knows levels.
    Effort.MEDIUM: True,
    Effort.HIGH: "high",
    Effort.XHIGH: "max",
    Effort.MAX: "max",
}


def write_chat_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks for a streamed answer; sampling goes into `options`.

    A bound on the reasoning alone does not exist here: the model thinks, within the bound of the
    whole answer. Tools that must not be called are not told to the model.
    """
    optional: dict[str, object] = {
        "tools": _write_tools(request),
        "format": _write_format(request.output),
        "think": _write_think(request),
        "logprobs": True if request.top_logprobs is not None else None,
        "top_logprobs": request.top_logprobs or None,
    }
    return {
        "model": model,
        "messages": write_messages(request),
        "stream": True,
        "options": _write_options(request.sampling),
    } | {name: value for name, value in optional.items() if value is not None}


def _write_options(sampling: Sampling) -> dict[str, object]:
    options: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "num_predict": sampling.max_output_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "repeat_penalty": sampling.repeat_penalty,
        "num_ctx": sampling.context_tokens,
    }
    return {name: value for name, value in options.items() if value is not None}


def _write_tools(request: ChatRequest) -> list[dict[str, object]] | None:
    choice = request.tool_choice
    if choice is not None and choice.use is ToolUse.NONE:
        return None
    return [_write_tool(tool) for tool in request.tools] or None


def _write_tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {
        "name": tool.name,
        "description": tool.description or "",
        # The server's templates take both members for granted.
        "parameters": {"type": "object", "properties": {}} | dict(tool.parameters or {}),
    }
    return {"type": "function", "function": function}


def _write_format(output: JsonOutput | None) -> object:
    if output is None:
        return None
    return "json" if output.schema is None else output.schema


def _write_think(request: ChatRequest) -> bool | str | None:
    if request.effort is not None:
        return _THINK[request.effort]
    return True if request.thinking_tokens_max is not None else None
