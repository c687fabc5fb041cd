"""What an Ollama worker is sent: POST /api/chat.

Source of the field names: `api/types.go` of ollama/ollama.
"""

from cortexd.domain.chat import ChatRequest


def write_chat_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks for a streamed answer; sampling goes into `options`."""
    sampling = request.sampling
    options: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "num_predict": sampling.max_output_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
    }
    return {
        "model": model,
        "messages": [{"role": m.role.value, "content": m.text} for m in request.messages],
        "stream": True,
        "options": {name: value for name, value in options.items() if value is not None},
    }
