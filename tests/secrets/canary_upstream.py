"""Upstreams that say back whatever they were told: the key, the prompt, anywhere in an answer.

How one answers is the first part of its path.
"""

import base64
import contextlib
import json
from collections.abc import Iterator
from urllib.parse import quote

from tests.fakes.dialect import Received
from tests.fakes.server import Reply, serving
from tests.secrets.canaries import Canary

JSON = {"content-type": "application/json"}
STREAM = {"content-type": "text/event-stream"}
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
FILLER = "The words before a key may be many. "
DETAIL_CHARACTERS = 500
"""About so much of an upstream's words is kept; a key at the end of it is cut in two."""

KINDS = {
    "server-error": 500,
    "bad-key": 401,
    "forbidden": 403,
    "rate-limited": 429,
    "refused": 400,
    "overloaded": 503,
    "too-large": 413,
}


@contextlib.contextmanager
def indiscreet(prompts: dict[str, Canary]) -> Iterator[str]:
    """An upstream until the block ends; gives the address that a way to answer is put behind."""
    with serving(lambda request: _answer(request, prompts), lambda _request: None) as address:
        yield address


def _answer(request: Received, prompts: dict[str, Canary]) -> Reply:
    _, way, rest = request.path.split("/", 2)
    key = next((request.headers[name] for name in KEY_HEADERS if name in request.headers), "no key")
    heard = [
        canary.text for canary in tuple(prompts.values()) if canary.core.encode() in request.body
    ]
    said = " and ".join([key, *heard])
    if request.method == "GET":
        if way == "sick":
            return _error(500, said)
        if way == "sick-key":
            return _error(401, said)
        return Reply(200, JSON, (json.dumps({"object": "list", "data": []}).encode(),))
    if way in KINDS:
        return _error(KINDS[way], said)
    if way == "long":
        return _error(500, (FILLER * 20)[: DETAIL_CHARACTERS - 40 - len(key)] + key * 2 + said)
    return _odd(way, key, said) or _fine(request, rest)


def _odd(way: str, key: str, said: str) -> Reply | None:  # noqa: PLR0911  a table
    inline = json.dumps(said)[1:-1]
    match way:
        case "html":
            page = f"<html><body><h1>502</h1><pre>{said}</pre></body></html>"
            return Reply(502, {"content-type": "text/html"}, (page.encode(),))
        case "redirect":
            return Reply(307, {"location": f"http://user:{key}@elsewhere/?key={quote(said)}"}, ())
        case "header":
            return Reply(200, {"content-encoding": key, "content-type": quote(said)}, (b"{}",))
        case "no-document":
            return Reply(200, JSON, (f"no JSON: {said}".encode(),))
        case "event-error":
            pieces = (
                _delta("so far "),
                b'data: {"error": {"message": "%b"}}\n\n' % inline.encode(),
            )
            return Reply(200, STREAM, pieces, is_streamed=True)
        case "event-garbage":
            pieces = (_delta("so far "), f"data: {{oops {inline}\n\n".encode())
            return Reply(200, STREAM, pieces, is_streamed=True)
        case "cut":
            pieces = (_delta("Half of "), _delta("it is "))
            return Reply(200, STREAM, pieces, is_streamed=True, ending="reset")
        case "retry-after":
            return Reply(429, JSON | {"retry-after": key}, (json.dumps(said).encode(),))
        case "base64":
            return _error(500, "data " + base64.b64encode(said.encode()).decode())
    return None


def _error(status: int, said: str) -> Reply:
    """The words in the places where any of the dialects has them."""
    error = {"message": f"That is wrong: {said}", "type": "error", "code": None, "param": None}
    document = {"error": error, "message": error["message"], "type": "error"}
    return Reply(status, JSON | {"x-heard": quote(said)}, (json.dumps(document).encode(),))


def _fine(request: Received, path: str) -> Reply:
    if path.endswith("embeddings"):
        vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
        document = {"object": "list", "data": [vector], "model": "m", "usage": {}}
        return Reply(200, JSON, (json.dumps(document).encode(),))
    if json.loads(request.body).get("stream"):
        end = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
        pieces = (_delta("all "), _delta("is well"), end, b"data: [DONE]\n\n")
        return Reply(200, STREAM, pieces, is_streamed=True)
    message = {"role": "assistant", "content": "all is well"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    document = {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}
    return Reply(200, JSON, (json.dumps(document).encode(),))


def _delta(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
