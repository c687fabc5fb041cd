"""What Groq is sent: the OpenAI dialect with Groq's own words for reasoning.

Sources: `types/chat/completion_create_params.py` of the official Python client (groq), and Groq's
guide to reasoning.
"""

from typing import Final

import attrs

from cortexd.domain.chat import ChatRequest, Effort
from cortexd.wire.openai import write_request as openai

# Groq has three levels beside `none`.
_EFFORTS: Final = {
    Effort.MINIMAL: Effort.LOW,
    Effort.XHIGH: Effort.HIGH,
    Effort.MAX: Effort.HIGH,
}

_WITHOUT_FORMAT: Final = "gpt-oss"
"""Models of this family keep their reasoning apart anyway, and refuse to be told how."""


def write_chat_request(request: ChatRequest, *, model: str) -> dict[str, object]:
    """The body that asks for a streamed answer with its usage.

    Where reasoning is on, it is asked for apart from the answer: some models put it into the text
    otherwise. Where nothing is said of reasoning, no format is named, since models without
    reasoning refuse it.
    """
    sampling = request.sampling
    body = openai.write_chat_request(
        attrs.evolve(
            request,
            effort=_EFFORTS.get(request.effort, request.effort) if request.effort else None,
            # Groq refuses both; only zero gets here, and zero is no penalty.
            sampling=attrs.evolve(sampling, frequency_penalty=None, presence_penalty=None),
        ),
        model=model,
        limit_name="max_completion_tokens",
    )
    reasons = body.get("reasoning_effort", Effort.NONE.value) != Effort.NONE.value
    if reasons and _WITHOUT_FORMAT not in model:
        body["reasoning_format"] = "parsed"
    return body
