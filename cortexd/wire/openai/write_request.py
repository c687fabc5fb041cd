"""What a worker of the OpenAI dialect is sent: POST /v1/chat/completions.

Source of the field names: `types/chat/completion_create_params.py` of the official Python client.
"""

from typing import Final, Literal, TypeAlias

from cortexd.domain.chat import ChatRequest, Effort, JsonOutput, Role, Tool, ToolChoice
from cortexd.wire.openai.write_messages import write_messages

LimitName: TypeAlias = Literal["max_tokens", "max_completion_tokens"]

SCHEMA_NAME: Final = "answer"
"""What a schema is called where its dialect has no name for it; OpenAI demands one."""

LOW_EFFORT_TOKENS_MAX: Final = 2048
MEDIUM_EFFORT_TOKENS_MAX: Final = 8192


def write_chat_request(
    request: ChatRequest,
    *,
    model: str,
    limit_name: LimitName = "max_tokens",
    continues: bool = False,
) -> dict[str, object]:
    """The body that asks for a streamed answer with its usage.

    `limit_name`: OpenAI calls `max_tokens` deprecated, and its reasoning models refuse it, but it
    is the one name that every compatible server knows; llama.cpp, for one, read over the new one
    until 2026, and answered without end. `top_k` is no word of OpenAI's: only adapters of servers
    that have it (llama.cpp) state the feature. `continues`: a server that is to go on where an
    assistant's message ends is told so in vLLM's words; llama.cpp does it without, and reads over
    them.
    """
    sampling = request.sampling
    wants_logprobs = request.top_logprobs is not None
    effort = _effort(request)
    optional: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        limit_name: sampling.max_output_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        "tools": [_write_tool(tool) for tool in request.tools] or None,
        "tool_choice": _write_choice(request.tool_choice) if request.tools else None,
        "parallel_tool_calls": request.parallel_tool_calls if request.tools else None,
        "response_format": None if request.output is None else _write_output(request.output),
        "reasoning_effort": None if effort is None else effort.value,
        "logprobs": wants_logprobs or None,
        "top_logprobs": request.top_logprobs or None,
    }
    if continues and any(last.role is Role.ASSISTANT for last in request.messages[-1:]):
        optional |= {"continue_final_message": True, "add_generation_prompt": False}
    return {
        "model": model,
        "messages": write_messages(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
    } | _present(optional)


def _effort(request: ChatRequest) -> Effort | None:
    """The effort asked for, or the one that comes nearest to a number of tokens."""
    tokens = request.thinking_tokens_max
    if request.effort is not None or tokens is None:
        return request.effort
    if tokens <= LOW_EFFORT_TOKENS_MAX:
        return Effort.LOW
    return Effort.MEDIUM if tokens <= MEDIUM_EFFORT_TOKENS_MAX else Effort.HIGH


def _write_tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _present(function)}


def _write_choice(choice: ToolChoice | None) -> object:
    if choice is None:
        return None
    if choice.name is not None:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.use.value


def _write_output(output: JsonOutput) -> dict[str, object]:
    if output.schema is None:
        return {"type": "json_object"}
    described: dict[str, object] = {
        "name": output.name or SCHEMA_NAME,
        "description": output.description,
        "schema": output.schema,
        "strict": output.strict,
    }
    return {"type": "json_schema", "json_schema": _present(described)}


def _present(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}
