"""K20 and K24 of the catalogue of bad input: the wrong place, and prompts too long."""

import json
from typing import Any, Final

import pytest

pytestmark = pytest.mark.real_time

HEARS: Final = ("/v1/models", "/api/tags", "/api/ps", "/api/version", "/api/health", "/livez")


def _ask(node: Any, method: str, path: str) -> Any:
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    [reply] = node.say(f"{head}Content-Length: 0\r\n\r\n".encode())
    return reply


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_k20_another_method(node: Any, refusal: Any, endpoint: Any, method: str) -> None:
    """The answer says which it would be."""
    reply = _ask(node, method, endpoint.path)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert refusal(reply, endpoint.path, b"").is_for("method_not_allowed")


@pytest.mark.parametrize("path", HEARS)
def test_k20_a_body_where_none_is_read(node: Any, refusal: Any, path: str) -> None:
    """The same the other way round."""
    [reply] = node.post(path, b"{}")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert refusal(reply, path, b"").is_for("method_not_allowed")


@pytest.mark.parametrize("tail", ["/", "//", "/x", "%2f", ";a=b", ".json"])
def test_k20_almost_the_path(node: Any, refusal: Any, endpoint: Any, tail: str) -> None:
    """It is another one, at which there is nothing, and no reason to send the client elsewhere."""
    path = endpoint.path + tail
    [reply] = node.post(path, endpoint.body)
    assert reply.status == 404
    assert "location" not in reply.headers
    assert refusal(reply, path, endpoint.body).is_for("not_found")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_k24_too_long_for_the_worker(node: Any, refusal: Any, documents: Any, path: str) -> None:
    """The request is at fault and not the worker, which goes on serving."""
    logged = len(node.log)
    body = json.dumps(documents[path] | {"model": "recorder/forgetful"}).encode()
    for _ in range(10):
        [reply] = node.post(path, body)
        assert reply.status == 400
        assert "too long for me" in refusal(reply, path, body).message
    good = json.dumps(documents[path] | {"model": "recorder/notes"}).encode()
    assert node.post(path, good)[0].status == 200
    assert "worker status changed" not in node.log[logged:]
