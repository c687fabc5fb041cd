"""How many tokens an answer took."""

import attrs


@attrs.frozen
class Usage:
    """Token counts of one answer, as its worker reported them.

    `input_tokens` holds all of the prompt, `output_tokens` the reasoning as well. Of the prompt,
    `cached_tokens` were read from the provider's cache and `cache_write_tokens` put there.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
