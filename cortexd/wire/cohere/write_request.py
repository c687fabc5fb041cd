"""What Cohere is sent: POST /v2/chat.

Source of names and bounds: `v2/client.py` and `types/` of the official Python client (cohere).
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import (
    ChatRequest,
    Effort,
    JsonOutput,
    Sampling,
    Tool,
    ToolUse,
)
from cortexd.wire.cohere.write_messages import Written, write_messages
from cortexd.wire.thinking_tokens import THINKING_TOKENS

_TOP_P_MIN: Final = 0.01
_TOP_P_MAX: Final = 0.99
_SEEDS: Final = 2**63

# A tool may not be without its parameters.
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}

_TOOL_CHOICES: Final[Mapping[ToolUse, str | None]] = {
    ToolUse.AUTO: None,
    ToolUse.NONE: "NONE",
    ToolUse.REQUIRED: "REQUIRED",
}

# What is asked to think hard is not bounded.
_UNBOUNDED: Final = {Effort.HIGH, Effort.XHIGH, Effort.MAX}


def write_chat_request(request: ChatRequest, *, model: str) -> Written:
    """The body that asks for a streamed answer.

    `top_p` goes out as the nearest value that Cohere takes, and a negative seed as another, but
    always as the same. Penalties have another scale here and are not carried. Strict arguments are
    a matter of all tools at once.
    """
    optional: Written = {
        "tools": [_write_tool(tool) for tool in request.tools] or None,
        "strict_tools": True if any(tool.strict for tool in request.tools) else None,
        "tool_choice": _write_tool_choice(request),
        "response_format": _write_format(request.output),
        "thinking": _write_thinking(request),
    } | _write_sampling(request.sampling)
    return {
        "model": model,
        "messages": write_messages(request.messages),
        "stream": True,
    } | {name: value for name, value in optional.items() if value is not None}


def _write_sampling(sampling: Sampling) -> Written:
    top_p = sampling.top_p
    return {
        "temperature": sampling.temperature,
        "p": None if top_p is None else min(max(top_p, _TOP_P_MIN), _TOP_P_MAX),
        "k": sampling.top_k,
        "max_tokens": sampling.max_output_tokens,
        "stop_sequences": list(sampling.stop) or None,
        "seed": None if sampling.seed is None else sampling.seed % _SEEDS,
    }


def _write_tool(tool: Tool) -> Written:
    parameters = _NO_PARAMETERS if tool.parameters is None else tool.parameters
    function: Written = {"name": tool.name, "parameters": parameters}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _write_tool_choice(request: ChatRequest) -> str | None:
    choice = request.tool_choice
    return _TOOL_CHOICES[choice.use] if choice is not None and request.tools else None


def _write_format(output: JsonOutput | None) -> Written | None:
    if output is None:
        return None
    wanted: Written = {"type": "json_object"}
    return wanted if output.schema is None else wanted | {"json_schema": output.schema}


def _write_thinking(request: ChatRequest) -> Written | None:
    budget = request.thinking_tokens_max
    if budget is None:
        if request.effort is None:
            return None
        if request.effort is Effort.NONE:
            return {"type": "disabled"}
        if request.effort not in _UNBOUNDED:
            budget = THINKING_TOKENS[request.effort]
    thinking: Written = {"type": "enabled"}
    return thinking if budget is None else thinking | {"token_budget": budget}
