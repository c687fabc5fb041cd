"""What an Anthropic worker is sent: POST /v1/messages and /v1/messages/count_tokens.

Source of the field names: `types/message_create_params.py` of the official Python client
(anthropic); of `temperature`, `top_p` and `top_k`, which it has dropped, the API of version
2023-06-01.
"""

from cortexd.domain.chat import ChatRequest, Tool, ToolChoice, ToolUse
from cortexd.wire.anthropic.write_messages import write_system, write_turns
from cortexd.wire.anthropic.write_thinking import plan_thinking


def write_chat_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks for a streamed answer.

    What the API does not take together (thinking with a temperature or with a tool that must be
    called) goes out as it was asked for: the API's refusal tells the client which to leave out.
    """
    sampling = request.sampling
    prompt, max_tokens = _write_prompt(request, model=model)
    optional: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "stop_sequences": list(sampling.stop) or None,
    }
    return (
        prompt
        | {"max_tokens": max_tokens, "stream": True}
        | {name: value for name, value in optional.items() if value is not None}
    )


def write_token_count_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks how many tokens the prompt has."""
    prompt, _ = _write_prompt(request, model=model)
    return prompt


def _write_prompt(request: ChatRequest, *, model: str) -> tuple[dict[str, object], int]:
    """What both endpoints take, and the limit of the answer."""
    turns = write_turns(request.messages)
    plan = plan_thinking(request, turns, model=model)
    output: dict[str, object] = {}
    if plan.effort is not None:
        output["effort"] = plan.effort
    if request.output is not None:
        # Of the schema alone: the dialect has no room for a name.
        output["format"] = {"type": "json_schema", "schema": request.output.schema}
    optional: dict[str, object] = {
        "system": write_system(request.messages) or None,
        "tools": [_write_tool(tool) for tool in request.tools] or None,
        "tool_choice": _write_tool_choice(request),
        "thinking": plan.thinking,
        "output_config": output or None,
    }
    body: dict[str, object] = {"model": model, "messages": [turn.write() for turn in turns]}
    body |= {name: value for name, value in optional.items() if value is not None}
    return body, plan.max_tokens


def _write_tool(tool: Tool) -> dict[str, object]:
    """The tool; the API demands a schema, and that it say it is one of an object."""
    schema = {"type": "object"} | dict(tool.parameters or {})
    optional = {"description": tool.description, "strict": tool.strict}
    return {"name": tool.name, "input_schema": schema} | {
        name: value for name, value in optional.items() if value is not None
    }


def _write_tool_choice(request: ChatRequest) -> dict[str, object] | None:
    if not request.tools:
        return None
    choice = request.tool_choice or ToolChoice(ToolUse.AUTO)
    if choice.use is ToolUse.NONE:
        return {"type": "none"}
    kinds = {ToolUse.AUTO: "auto", ToolUse.REQUIRED: "any"}
    written: dict[str, object] = {"type": kinds[choice.use]}
    if choice.name is not None:
        written = {"type": "tool", "name": choice.name}
    if request.parallel_tool_calls is False:
        written["disable_parallel_tool_use"] = True
    # What it says is what happens anyway.
    return None if written == {"type": "auto"} else written
