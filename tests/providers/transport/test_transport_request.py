"""Requests as bytes, and the base URLs they are made from."""

from collections.abc import Callable

import pytest

from cortexd.providers.transport.endpoint import Endpoint, Origin, parse_origin
from cortexd.providers.transport.request import PostWriter, UnsendableRequest

ORIGIN = Origin(is_tls=False, host="h", port=80, authority="h", path="/base")


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("http://h", Origin(is_tls=False, host="h", port=80, authority="h", path="")),
        ("http://H:80/", Origin(is_tls=False, host="h", port=80, authority="h", path="")),
        ("https://h/v1/", Origin(is_tls=True, host="h", port=443, authority="h", path="/v1")),
        ("https://h:80", Origin(is_tls=True, host="h", port=80, authority="h:80", path="")),
        (
            "http://[::1]:11434",
            Origin(is_tls=False, host="::1", port=11434, authority="[::1]:11434", path=""),
        ),
    ],
)
def test_base_urls(base_url: str, origin: Origin) -> None:
    """Host, port and path, and what the Host header says of them."""
    assert parse_origin(base_url) == origin


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "host.example",
        "ftp://h",
        "http://",
        "http://h:0",
        "http://h:99999",
        "http://u:p@h",
        "http://h/?q",
        "http://h/\r\nx: y",
        "http://.h",
        "http://[::1",
    ],
)
def test_what_is_no_base_url(base_url: str, endpoint_of: Callable[..., Endpoint]) -> None:
    """It is refused before anything is connected, and not repeated."""
    with pytest.raises(ValueError, match=r"address|begin|names|must") as caught:
        endpoint_of(base_url)

    assert not base_url or base_url not in str(caught.value)


def test_a_request_is_one_piece() -> None:
    """Head and body, with what we say ourselves."""
    data = PostWriter(ORIGIN).write("/chat", {"authorization": "Bearer k"}, b"{}")

    assert data == (
        b"POST /base/chat HTTP/1.1\r\n"
        b"host: h\r\n"
        b"user-agent: cortexd\r\n"
        b"accept-encoding: identity\r\n"
        b"authorization: Bearer k\r\n"
        b"content-length: 2\r\n"
        b"\r\n"
        b"{}"
    )


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\u2028b", "🔑"])
def test_values_that_break_out(value: str) -> None:
    """No header is written that is more than one, and what is refused is not quoted."""
    with pytest.raises(UnsendableRequest) as caught:
        PostWriter(ORIGIN).write("/chat", {"x-api-key": value}, b"")

    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\r\n", "é", "Host", "content-length", "Transfer-Encoding"]
)
def test_names_that_are_none_or_ours(name: str) -> None:
    """Where a message goes, and where it ends, is not the caller's to say."""
    with pytest.raises(UnsendableRequest):
        PostWriter(ORIGIN).write("/chat", {name: "v"}, b"")


@pytest.mark.parametrize("path", [" x", "/a b", "/a\r\nb", "/a#b", "/é", "/a HTTP/1.1\r\nhost: x"])
def test_paths_that_break_out(path: str) -> None:
    """The request line says what we mean, or nothing is sent."""
    with pytest.raises(UnsendableRequest):
        PostWriter(ORIGIN).write(path, {}, b"")


def test_a_base_url_without_a_path_needs_one() -> None:
    """No path may turn the host's name into another one."""
    with pytest.raises(UnsendableRequest):
        PostWriter(parse_origin("http://h")).write(".evil.example/", {}, b"")
