"""What all dialects demand of pictures in a client's request. They are never fetched or opened."""

import re
from typing import Final

from cortexd.domain.chat import Image, ImageUrl
from cortexd.wire.fields import INVALID_VALUE, UNSUPPORTED, refuse
from cortexd.wire.quotation import quoted

IMAGES_MAX: Final = 100
URL_CHARACTERS_MAX: Final = 8192

MEDIA_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""What every provider with eyes takes."""

# How files of these types begin, in base64.
_BEGINNINGS: Final = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}

_NO_LINE_ENDS: Final = {ord("\r"): None, ord("\n"): None}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;charset=[^;,]*)?(;base64)?,", re.IGNORECASE)


def read_base64(data: str, path: str, *, media_type: str, detail: str | None = None) -> Image:
    """The picture that `data` is."""
    if media_type not in MEDIA_TYPES:
        known = ", ".join(sorted(MEDIA_TYPES))
        refuse(path, f"must be one of {known}, not {quoted(media_type)}", UNSUPPORTED)
    return Image(media_type, _checked(data, path), detail)


def read_bare_base64(data: str, path: str) -> Image:
    """The picture that `data` is, its type being told by how it begins."""
    data = _checked(data, path)
    kinds = [kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)]
    if not kinds:
        refuse(path, "is no JPEG, PNG, GIF or WebP picture", UNSUPPORTED)
    return Image(kinds[0], data)


def read_image_url(url: str, path: str, *, detail: str | None = None) -> Image | ImageUrl:
    """The picture that a `data:` URL is, or one by its address, which must be of the web."""
    if url[:5].lower() == "data:":
        head = _DATA_URL.match(url)
        if head is None or head[2] is None:
            refuse(path, "is a data URL without ;base64,", INVALID_VALUE)
        return read_base64(url[head.end() :], path, media_type=head[1].lower(), detail=detail)
    if len(url) > URL_CHARACTERS_MAX:
        refuse(path, f"must have at most {URL_CHARACTERS_MAX} characters", INVALID_VALUE)
    if not url.lower().startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        refuse(path, "must begin with https://, http:// or data:image/", INVALID_VALUE)
    return ImageUrl(url, detail)


def _checked(data: str, path: str) -> str:
    """`data`, if it is base64; some clients leave out the padding or break it into lines."""
    data = data.translate(_NO_LINE_ENDS).rstrip("=")
    if not _BASE64.fullmatch(data) or len(data) % 4 == 1:
        refuse(path, "is not base64", INVALID_VALUE)
    return data + "=" * (-len(data) % 4)
