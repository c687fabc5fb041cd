"""What a request to Gemini means, and what in it only the whole tells to be wrong."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.fakes.dialect import BadRequest
from tests.fakes.gemini_requests import (
    Blob,
    Content,
    FunctionCall,
    FunctionDeclaration,
    FunctionResponse,
    GenerateRequest,
    GenerationConfig,
    Part,
    Schema,
    ThinkingConfig,
)
from tests.fakes.understood import Words, joined, read_base64, words


def understand(asked: GenerateRequest, *, model: str, streams: bool) -> Words:
    """The meaning; raises `BadRequest` for what only the whole tells to be wrong."""
    config = asked.generation_config
    system = asked.system_instruction
    if asked.tool_config is not None and not asked.tools:
        raise BadRequest("tool_config needs tools")
    if config.logprobs is not None and not config.response_logprobs:
        raise BadRequest("logprobs needs response_logprobs")
    declared = [f for tool in asked.tools or () for f in tool.function_declarations]
    return words(
        model=model,
        stream=streams or None,
        system=joined(part.text or "" for part in system.parts) if system else None,
        messages=list(_messages(asked.contents)),
        tools=[_tool(function) for function in declared],
        tool_choice=_tool_choice(asked, [function.name for function in declared]),
        output=_output(config),
        max_tokens=config.max_output_tokens,
        stop=config.stop_sequences,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        frequency_penalty=config.frequency_penalty,
        presence_penalty=config.presence_penalty,
        reasoning=_reasoning(config.thinking_config),
        logprobs=(config.logprobs or 0) if config.response_logprobs else None,
    )


def _tool(function: FunctionDeclaration) -> Words:
    if function.parameters is not None and function.parameters_json_schema is not None:
        raise BadRequest("parameters and parameters_json_schema exclude each other")
    parameters = function.parameters_json_schema or _schema(function.parameters)
    return words(name=function.name, description=function.description, parameters=parameters)


def _tool_choice(asked: GenerateRequest, declared: list[str]) -> object:
    if asked.tool_config is None:
        return None
    config = asked.tool_config.function_calling_config
    names = config.allowed_function_names
    if not names:
        return {"ANY": "required", None: None}.get(config.mode, str(config.mode).lower())
    if config.mode not in {"ANY", "VALIDATED"} or not set(names) <= set(declared):
        raise BadRequest("allowed_function_names: mode must be ANY, and the functions be declared")
    return {"name": ",".join(names)}


def _output(config: GenerationConfig) -> dict[str, Any] | str | None:
    schemas = [s for s in (config.response_schema, config.response_json_schema) if s is not None]
    is_json = config.response_mime_type == "application/json"
    if schemas and (not is_json or len(schemas) > 1):
        raise BadRequest("one schema at most, and only with response_mime_type application/json")
    if config.response_json_schema is not None:
        return {"schema": config.response_json_schema}
    if config.response_schema is not None:
        return {"schema": _schema(config.response_schema)}
    return "json" if is_json else None


def _schema(schema: dict[str, Any] | None) -> Any:
    """The schema with types in lower case, as JSON has them."""
    if schema is None:
        return None
    try:
        msgspec.convert(schema, Schema)
    except msgspec.ValidationError as exc:
        raise BadRequest(f"Invalid JSON payload received: {exc}") from exc
    return _lower(schema)


def _lower(value: Any) -> Any:
    if isinstance(value, list):
        return [_lower(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item.lower() if name == "type" and isinstance(item, str) else _lower(item)
        for name, item in value.items()
    }


def _reasoning(config: ThinkingConfig | None) -> object:
    if config is None:
        return None
    if config.thinking_budget is not None and config.thinking_level is not None:
        raise BadRequest("thinking_budget and thinking_level exclude each other")
    if config.thinking_level is not None:
        return config.thinking_level.lower()
    return config.include_thoughts if config.thinking_budget is None else config.thinking_budget


def _messages(contents: list[Content]) -> Iterator[Words]:
    if contents[0].role != "user":
        raise BadRequest("the first turn must be the user's")
    called: list[FunctionCall] = []
    for content in contents:
        for part in content.parts:
            _check(part, content.role)
        results = [p.function_response for p in content.parts if p.function_response]
        yield from _results(results, called)
        called = [part.function_call for part in content.parts if part.function_call]
        if len(results) < len(content.parts):
            yield _turn(content)
    if called:
        raise BadRequest("a function call turn must be followed by its function responses")


def _check(part: Part, role: str) -> None:
    kinds = (
        part.text,
        part.inline_data,
        part.file_data,
        part.function_call,
        part.function_response,
    )
    if sum(kind is not None for kind in kinds) != 1:
        raise BadRequest("contents.parts: exactly one kind of data must be set")
    if part.function_response is not None and role != "user":
        raise BadRequest("function responses must come in a turn of the user")
    if part.function_call is not None and role != "model":
        raise BadRequest("function calls must come in a turn of the model")


def _results(results: list[FunctionResponse], called: list[FunctionCall]) -> Iterator[Words]:
    """Results follow their calls at once: as many, of the same names, in any order."""
    if sorted(result.name for result in results) != sorted(call.name for call in called):
        raise BadRequest("function response parts must match the function call parts before")
    ids = {call.id for call in called}
    for result in results:
        if result.id is not None and result.id not in ids:
            raise BadRequest(f"no function call has the id '{result.id}'")
        text = msgspec.json.encode(result.response).decode()
        yield words(role="tool", id=result.id, name=result.name, text=text)


def _turn(content: Content) -> Words:
    parts = content.parts
    pictures = [read_base64(b.data, media_type=b.mime_type, url_safe=True) for b in _blobs(parts)]
    addresses = [{"url": part.file_data.file_uri} for part in parts if part.file_data]
    return words(
        role="assistant" if content.role == "model" else "user",
        text=joined(part.text for part in parts if part.text is not None and not part.thought),
        thought=joined(part.text for part in parts if part.text is not None and part.thought),
        images=pictures + addresses,
        calls=[
            words(id=p.function_call.id, name=p.function_call.name, signature=p.thought_signature)
            | {"arguments": p.function_call.args or {}}
            for p in parts
            if p.function_call
        ],
    )


def _blobs(parts: list[Part]) -> Iterator[Blob]:
    return (part.inline_data for part in parts if part.inline_data)
