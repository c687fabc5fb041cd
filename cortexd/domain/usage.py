"""How many tokens an answer took."""

import attrs


@attrs.frozen
class Usage:
    """Token counts of one answer, as its worker reported them."""

    input_tokens: int
    output_tokens: int
