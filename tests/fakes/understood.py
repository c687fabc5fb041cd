"""What a fake has understood of a chat request: the same words whatever the dialect.

An object with these members; one that the request does not have is left out:

- `model`, `stream` (false is left out), `system` (one text; parts are joined by line ends);
- `messages`: a list in the request's order; each has `role` (`user`, `assistant`, `tool`), `text`,
  `images` (for each `{"media_type", "sha256"}` or `{"url"}`, and `detail`), `thought` and its
  `signature`, `calls` (`{"id", "name", "arguments"}`, at Gemini also `signature`), `participant`; a
  tool's result is always a message of its own, with `id`, `name` (found by the id if need be) and
  `is_error`; where a dialect wants an object for a result, `text` is its JSON;
- `tools` (`{"name", "description", "parameters", "strict"}`), `tool_choice` (`auto`, `none`,
  `required`, or `{"name"}`), `parallel_tool_calls`;
- `output`: `json`, or `{"schema"}` with `name` and `strict` where the dialect has them;
- `max_tokens`, `stop` (a list), `temperature`, `top_p`, `top_k`, `seed`, `frequency_penalty`,
  `presence_penalty`;
- `reasoning`: a word for the effort, a number of tokens, or true or false;
- `logprobs`: how many alternatives.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from tests.fakes.dialect import BadRequest

Words: TypeAlias = dict[str, Any]

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def words(**fields: object) -> Words:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def joined(texts: Iterable[str]) -> str:
    """Several texts as one."""
    return "\n".join(texts)


def read_base64(data: str, *, media_type: str | None = None, url_safe: bool = False) -> Words:
    """A picture in the body of the request. Its bytes must be what its type says."""
    try:
        picture = (
            base64.urlsafe_b64decode(data) if url_safe else base64.b64decode(data, validate=True)
        )
    except binascii.Error as exc:
        raise BadRequest(f"image is not valid base64: {exc}") from exc
    found = next((kind for magic, kind in _MAGIC if picture.startswith(magic)), None)
    if found is None or media_type not in (None, found):
        raise BadRequest(f"the image's bytes are {found or 'no image'}, not {media_type}")
    return {"media_type": found, "sha256": hashlib.sha256(picture).hexdigest()[:16]}


def read_image_url(url: str) -> Words:
    """A picture in a data URL, or the address of one."""
    if url.startswith(("https://", "http://")):
        return {"url": url}
    head, comma, data = url.partition(";base64,")
    if not head.startswith("data:image/") or not comma:
        raise BadRequest("image_url must be an http(s) address or a base64 data URL")
    return read_base64(data, media_type=head.removeprefix("data:"))


def read_arguments(text: str) -> Any:
    """The arguments of a call that come as JSON text; they must be an object."""
    try:
        arguments = json.loads(text)
    except ValueError as exc:
        raise BadRequest(f"tool call arguments are not valid JSON: {text!r}") from exc
    if not isinstance(arguments, dict):
        raise BadRequest(f"tool call arguments must be an object: {text!r}")
    return arguments


class OpenCalls:
    """The calls of the conversation so far, and which of them still want their result.

    All providers with ids demand that the results of a turn follow at once, and completely.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._waiting: list[str] = []

    def begin(self, call_id: str, name: str) -> None:
        """The assistant calls."""
        if call_id in self._names:
            raise BadRequest(f"two tool calls have the id '{call_id}'")
        self._names[call_id] = name
        self._waiting.append(call_id)

    def end(self, call_id: str) -> str:
        """A result comes; the name of the tool that it is from."""
        if call_id not in self._waiting:
            raise BadRequest(f"tool result '{call_id}' does not answer a call of the turn before")
        self._waiting.remove(call_id)
        return self._names[call_id]

    def wait_for_none(self) -> None:
        """Something else than a result comes."""
        if self._waiting:
            raise BadRequest(f"tool calls without a result: {', '.join(self._waiting)}")


def plain(value: object) -> Any:
    """A struct as JSON has it."""
    return msgspec.to_builtins(value)
