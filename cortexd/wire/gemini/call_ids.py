"""The ids of tool calls: Gemini gives none that could be relied on, but seals its calls.

A seal (`thoughtSignature`) must come back with its call, or Gemini forgets what it was thinking,
and from version 3 on refuses the conversation. Clients of other dialects keep nothing but the id of
a call, so the seal travels inside it: `call_<answer>_<number>` or `call_<answer>_<number>_<seal>`.

Source: Google's page on thought signatures; the field is bytes, which JSON has as base64.
"""

import re
from typing import Final

from cortexd.wire.parsed_tools import CALL_ID_CHARACTERS_MAX

_ANSWER_ID_CHARACTERS: Final = 12
_SEALED: Final = re.compile(r"(call_[^_]+_\d+)_([A-Za-z0-9_-]+)")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_TO_ID: Final = str.maketrans("+/", "-_")
_FROM_ID: Final = str.maketrans("-_", "+/")


def make_call_id(answer_id: str, index: int, signature: str | None) -> str:
    """The id of an answer's call. A seal that fits into no id is left behind."""
    call_id = f"call_{answer_id[:_ANSWER_ID_CHARACTERS]}_{index}"
    if signature is None or not _BASE64.fullmatch(signature):
        return call_id
    sealed = f"{call_id}_{signature.rstrip('=').translate(_TO_ID)}"
    return sealed if len(sealed) <= CALL_ID_CHARACTERS_MAX else call_id


def split_call_id(call_id: str) -> tuple[str, str | None]:
    """The id without its seal, and the seal; another worker's id has none."""
    found = _SEALED.fullmatch(call_id)
    if found is None:
        return call_id, None
    bare, seal = found.groups()
    return bare, seal.translate(_FROM_ID) + "=" * (-len(seal) % 4)
