"""What all doors demand of pictures."""

import base64

import pytest

from cortexd.domain.chat import Image, ImageUrl
from cortexd.domain.errors import RequestRefused
from cortexd.wire.parsed_image import read_bare_base64, read_base64, read_image_url

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()


@pytest.mark.parametrize(
    ("beginning", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF____WEBP", "image/webp"),
    ],
)
@pytest.mark.parametrize("extra", range(3))
def test_the_type_of_a_bare_picture_is_told_by_its_beginning(
    beginning: bytes, media_type: str, extra: int
) -> None:
    """Whatever its length, with or without padding and line ends."""
    data = base64.b64encode(beginning + bytes(12 + extra)).decode()
    wrapped = data[:8] + "\r\n" + data[8:].rstrip("=")
    assert read_bare_base64(data, "p") == Image(media_type, data)
    assert read_bare_base64(wrapped, "p") == Image(media_type, data)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"data:image/png;base64,{PNG}", Image("image/png", PNG, "low")),
        (f"DATA:IMAGE/PNG;base64,{PNG}", Image("image/png", PNG, "low")),
        (f"data:image/png;charset=utf-8;base64,{PNG}", Image("image/png", PNG, "low")),
        ("https://example.org/a.png?b=c", ImageUrl("https://example.org/a.png?b=c", "low")),
        ("http://127.0.0.1/x", ImageUrl("http://127.0.0.1/x", "low")),
    ],
)
def test_addresses(url: str, expected: Image | ImageUrl) -> None:
    """Data inside the request, or an address that is passed on and never asked."""
    assert read_image_url(url, "p", detail="low") == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//example.org/a.png",
        "https://a b",
        "https://a\r\nx: y",
        "https://" + "a" * 9000,
        "data:image/png,abc",
        "data:text/html;base64,PGI+",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,@@@@",
        "data:image/png;base64,AAAAA",
        "data:" + "a" * 100_000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """With the path, and without a long echo."""
    with pytest.raises(RequestRefused) as caught:
        read_image_url(url, "messages[0].content[1].image_url.url")
    assert caught.value.param == "messages[0].content[1].image_url.url"
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("data", ["", "=", "A", "AAAA=A", "äöü", "AAAA", "<svg/>"])
def test_what_is_no_picture_is_refused(data: str) -> None:
    """Neither base64 nor one of the four types."""
    with pytest.raises(RequestRefused) as caught:
        read_bare_base64(data, "messages[0].images[0]")
    assert caught.value.param == "messages[0].images[0]"


def test_a_type_nobody_takes_is_refused() -> None:
    """Only what every provider with eyes can see."""
    with pytest.raises(RequestRefused, match="must be one of image/gif"):
        read_base64(PNG, "p", media_type="image/tiff")
