"""How many tokens an answer took."""

from collections.abc import Collection

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


def sum_of(usages: Collection[Usage]) -> Usage | None:
    """What they are together; `None` where there are none."""
    if len(usages) <= 1:
        return next(iter(usages), None)
    return Usage(
        *(sum(counts) for counts in zip(*(attrs.astuple(usage) for usage in usages), strict=True))
    )
