"""What LiteLLM, as a client, makes of our doors: run by its own interpreter, reports JSON.

Arguments: the address of the node, and the names of three models, one for each door. LiteLLM has
an environment of its own, as it wants other versions of what we use; so it cannot be imported by a
test.
"""

import json
import sys
from typing import Any

import litellm  # type: ignore[import-not-found]  # lives in an environment of its own

MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def main(url: str, *models: str) -> None:
    """Ask each door for a whole answer, a stream, a call and an error."""
    first, second, third = models
    doors: dict[str, dict[str, Any]] = {
        "openai": {"model": f"openai/{first}", "api_base": f"{url}/v1", "api_key": "unused"},
        "anthropic": {"model": f"anthropic/{second}", "api_base": url, "api_key": "unused"},
        "ollama": {"model": f"ollama_chat/{third}", "api_base": url},
    }
    report = {}
    for name, door in doors.items():
        settings = {**door, "messages": MESSAGES, "timeout": 60, "num_retries": 0, "max_retries": 0}
        whole = litellm.completion(**settings)
        stream = litellm.completion(**settings, stream=True)
        called = litellm.completion(**settings, tools=[TOOL])
        calls = called.choices[0].message.tool_calls or []
        error = None
        try:
            litellm.completion(**settings)
        except litellm.exceptions.RateLimitError as exc:
            error = type(exc).__name__
        report[name] = {
            "whole": whole.choices[0].message.content,
            "usage": [whole.usage.prompt_tokens, whole.usage.completion_tokens],
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in stream),
            "calls": [[c.function.name, json.loads(c.function.arguments)] for c in calls],
            "error": error,
        }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
