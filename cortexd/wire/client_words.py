"""The words of a client's request, so that an upstream's quotation of them can be told."""

from typing import Final

import msgspec

_documents: Final = msgspec.json.Decoder[object]()
_NO_WORDS: Final = frozenset({"model"})
"""Members of a request in which operators may read: an upstream's error often names the model."""


_DATA_CHARACTERS_MIN: Final = 4096


def client_words(body: bytes) -> str:
    """All texts in a request, a line each, but for pictures and such; what is no JSON is all text.

    Data are large, and a quotation of them is known by its look.
    """
    try:
        document = _documents.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")
    texts: list[str] = []
    if isinstance(document, dict):
        document = [value for name, value in document.items() if name not in _NO_WORDS]
    left: list[object] = [document]
    while left:
        match left.pop():
            case str() as text:
                if not _is_data(text):
                    texts.append(text)
            case dict() as members:
                left += members.values()
            case list() as elements:
                left += elements
    return "\n".join(texts)


def _is_data(text: str) -> bool:
    return len(text) >= _DATA_CHARACTERS_MIN and " " not in text[:_DATA_CHARACTERS_MIN]
