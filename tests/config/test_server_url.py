"""Addresses of servers: taken apart, with their passwords kept out of sight."""

from pathlib import Path

import pytest

from cortexd.config.secrets import SecretSource
from cortexd.config.server_url import parse_server_url
from cortexd.domain.secret import Secret


def test_all_its_parts() -> None:
    """What is escaped is unescaped; as a text it has no password."""
    url = parse_server_url("rediss://no%20body:pass%2Fword@[::1]:6380/3")
    assert (url.scheme, url.host, url.port, url.path) == ("rediss", "::1", 6380, "3")
    assert (url.username, url.password) == ("no body", Secret("pass/word"))
    assert str(url) == "rediss://no body:***@[::1]:6380/3"
    assert "pass/word" not in repr(url)


@pytest.mark.parametrize(
    "text",
    ["", "localhost:6379", "redis://", "redis://host:70000", "redis://[::1", "redis://h?a=b"],
)
def test_what_is_none(text: str) -> None:
    """Said without quoting it: there may be a password in it."""
    with pytest.raises(ValueError, match="must be a URL") as caught:
        parse_server_url(text)
    assert "70000" not in str(caught.value)


def test_a_password_does_not_stand_in_the_file(tmp_path: Path) -> None:
    """But behind a reference, or where secrets may stand there."""
    text = "redis://:s3cret-word@127.0.0.1:6379"
    kept = tmp_path / "url"
    kept.write_text(text + "\n")
    kept.chmod(0o600)
    source = SecretSource(environ={"URL": text})
    with pytest.raises(ValueError, match="does not belong into this file") as caught:
        source.resolve_url(text)
    assert "s3cret" not in str(caught.value)
    expected = parse_server_url(text)
    assert source.resolve_url("env:URL") == expected
    assert source.resolve_url(f"file:{kept}") == expected
    assert SecretSource(environ={}, inline_allowed=True).resolve_url(text) == expected
    assert source.resolve_url("redis://127.0.0.1:6379").password is None
