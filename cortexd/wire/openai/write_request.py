"""What a worker of the OpenAI dialect is sent: POST /v1/chat/completions.

Source of the field names: `types/chat/completion_create_params.py` of the official Python client.
"""

from cortexd.domain.chat import ChatRequest


def write_chat_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks for a streamed answer with its usage.

    The limit goes out as `max_tokens`: OpenAI calls it deprecated, but it is the one name that
    every compatible server knows.
    """
    sampling = request.sampling
    optional: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_output_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    return {
        "model": model,
        "messages": [{"role": m.role.value, "content": m.text} for m in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    } | {name: value for name, value in optional.items() if value is not None}
