"""Thoughts that nobody can read: in the domain, a signature without a text.

Anthropic encrypts some thoughts and wants them back unchanged, as `redacted_thinking`. The mark
keeps them apart from the signatures of thoughts that have a text.
"""

from typing import Final

_MARK: Final = "redacted:"


def redacted_signature(data: str) -> str:
    """The signature that stands for such a thought."""
    return _MARK + data


def redacted_data(signature: str | None) -> str | None:
    """The thought that a signature stands for, `None` if it is the seal of a readable one."""
    if signature is None or not signature.startswith(_MARK):
        return None
    return signature.removeprefix(_MARK)
