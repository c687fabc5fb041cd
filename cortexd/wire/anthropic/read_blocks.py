"""The content blocks of a client's messages.

Source of the shapes: `types/*_block_param.py` of the official Python client (anthropic).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from cortexd.domain.chat import Image, ImageUrl, Part, Role, Text, Thought, ToolCall, ToolResult
from cortexd.domain.feature import Feature
from cortexd.wire.anthropic.redaction import redacted_signature
from cortexd.wire.fields import (
    INVALID_VALUE,
    MISSING,
    UNSUPPORTED,
    Fields,
    as_object,
    as_text,
    refuse,
    refuse_type,
)
from cortexd.wire.parsed_chat import MESSAGE_CHARACTERS_MAX
from cortexd.wire.parsed_image import IMAGES_MAX, MEDIA_TYPES, read_base64, read_image_url
from cortexd.wire.parsed_tools import (
    ARGUMENTS_CHARACTERS_MAX,
    CALL_ID_CHARACTERS_MAX,
    read_tool_name,
)
from cortexd.wire.quotation import quoted
from cortexd.wire.strict_json import dumps

BLOCKS_MAX: Final = 10_000
KIND_CHARACTERS_MAX: Final = 256
SIGNATURE_CHARACTERS_MAX: Final = 4 * 1024 * 1024
IMAGE_CHARACTERS_MAX: Final = 16 * 1024 * 1024
"""Base64 of more than the 10 MB that Anthropic takes."""

_KINDS: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.SYSTEM: ("text",),
    Role.USER: ("text", "image", "tool_result"),
    Role.ASSISTANT: ("text", "thinking", "redacted_thinking", "tool_use"),
    Role.TOOL: ("text", "image"),
}

# Values that describe what happens anyway; the official client's own answers carry some of them.
_TEXT_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {"citations": ()}
_IMAGE_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "transformations": ({"oversized_image": "downsize"},)
}
_CALL_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {
    "caller": ({"type": "direct"},),
    "toolset_name": (),
}
_RESULT_FOR_NOTHING: Final[Mapping[str, tuple[object, ...]]] = {"toolset_name": ()}


def check_cache_control(fields: Fields) -> None:
    """Take a cache hint without effect: it says what to remember, and changes no answer."""
    hint = fields.nested("cache_control")
    if hint is None:
        return
    hint.only({"type", "ttl"}, {})
    read_kind(hint, ("ephemeral",))
    ttl = hint.text("ttl", characters_max=KIND_CHARACTERS_MAX)
    if ttl not in {None, "5m", "1h"}:
        refuse(hint.at("ttl"), f"must be 5m or 1h, not {quoted(ttl or '')}", INVALID_VALUE)


def read_kind(fields: Fields, kinds: tuple[str, ...]) -> str:
    """The `type` of an object, which must be one of `kinds`."""
    path = fields.at("type")
    kind = fields.text("type", characters_max=KIND_CHARACTERS_MAX)
    if kind is None:
        refuse(path, f"is missing; it must be {' or '.join(kinds)}", MISSING)
    if kind not in kinds:
        problem = f"is supported here only as {', '.join(kinds)}, not {quoted(kind)}"
        refuse(path, problem, UNSUPPORTED)
    return kind


def needed_text(fields: Fields, name: str, *, characters_max: int = MESSAGE_CHARACTERS_MAX) -> str:
    """A string that may not be missing."""
    text = fields.text(name, characters_max=characters_max)
    if text is None:
        refuse(fields.at(name), "is missing; it must be a string", MISSING)
    return text


def needed_object(fields: Fields, name: str) -> Fields:
    """An object that may not be missing."""
    nested = fields.nested(name)
    if nested is None:
        refuse(fields.at(name), "is missing; it must be an object", MISSING)
    return nested


@attrs.define
class BlockReader:
    """Reads the blocks of one request, whose needs and limits they share."""

    needs: dict[Feature, str]
    _images: int = 0

    def read_content(
        self, fields: Fields, role: Role, name: str = "content"
    ) -> Iterator[tuple[str, Part]]:
        """The parts of a content, each with its path; a text stands for a block of it."""
        path = fields.at(name)
        content = fields.members.get(name)
        if isinstance(content, str):
            yield path, Text(as_text(content, path, characters_max=MESSAGE_CHARACTERS_MAX))
            return
        if content is not None and not isinstance(content, list):
            refuse_type(path, content, "a string or a list of blocks")
        for place, element in fields.items(name, count_max=BLOCKS_MAX):
            block = as_object(element, place)
            yield place, self._read_block(block, role)

    def _read_result_content(self, result: Fields) -> tuple[Text | Image | ImageUrl, ...]:
        """What a call brought; may be nothing."""
        parts = (part for _, part in self.read_content(result, Role.TOOL))
        return tuple(part for part in parts if isinstance(part, Text | Image | ImageUrl))

    def _read_block(self, block: Fields, role: Role) -> Part:
        match read_kind(block, _KINDS[role]):
            case "text":
                return _read_text(block)
            case "image":
                is_result = role is Role.TOOL
                return self._read_image(
                    block, Feature.TOOL_RESULT_IMAGES if is_result else Feature.IMAGES
                )
            case "thinking":
                return _read_thinking(block)
            case "redacted_thinking":
                return _read_redacted_thinking(block)
            case "tool_use":
                return self._read_tool_use(block)
        return self._read_tool_result(block)

    def _read_image(self, block: Fields, feature: Feature) -> Image | ImageUrl:
        block.only({"type", "source", "cache_control"}, _IMAGE_FOR_NOTHING)
        check_cache_control(block)
        self._images += 1
        if self._images > IMAGES_MAX:
            problem = f"brings the images of the request to more than {IMAGES_MAX}"
            refuse(block.path, problem, INVALID_VALUE)
        image = _read_source(needed_object(block, "source"))
        if isinstance(image, ImageUrl):
            self.needs.setdefault(Feature.IMAGE_URLS, block.path)
        self.needs.setdefault(feature, block.path)
        return image

    def _read_tool_use(self, block: Fields) -> ToolCall:
        block.only({"type", "id", "name", "input", "cache_control"}, _CALL_FOR_NOTHING)
        check_cache_control(block)
        self.needs.setdefault(Feature.TOOLS, block.path)
        arguments = dumps(needed_object(block, "input").members).decode()
        if len(arguments) > ARGUMENTS_CHARACTERS_MAX:
            problem = f"must have at most {ARGUMENTS_CHARACTERS_MAX} characters"
            refuse(block.at("input"), problem, INVALID_VALUE)
        return ToolCall(_read_call_id(block, "id"), read_tool_name(block), arguments)

    def _read_tool_result(self, block: Fields) -> ToolResult:
        taken = {"type", "tool_use_id", "content", "is_error", "cache_control"}
        block.only(taken, _RESULT_FOR_NOTHING)
        check_cache_control(block)
        is_error = block.flag("is_error", default=False)
        if is_error:
            self.needs.setdefault(Feature.FAILED_TOOL_RESULTS, block.at("is_error"))
        call_id = _read_call_id(block, "tool_use_id")
        return ToolResult(call_id, self._read_result_content(block), is_error)


def _read_text(block: Fields) -> Text:
    block.only({"type", "text", "cache_control"}, _TEXT_FOR_NOTHING)
    check_cache_control(block)
    return Text(needed_text(block, "text"))


def _read_thinking(block: Fields) -> Thought:
    block.only({"type", "thinking", "signature"}, {})
    # Thoughts of workers that do not seal them went out with an empty signature.
    signature = block.text("signature", characters_max=SIGNATURE_CHARACTERS_MAX)
    return Thought(needed_text(block, "thinking"), signature or None)


def _read_redacted_thinking(block: Fields) -> Thought:
    block.only({"type", "data"}, {})
    data = needed_text(block, "data", characters_max=SIGNATURE_CHARACTERS_MAX)
    return Thought("", redacted_signature(data))


def _read_source(source: Fields) -> Image | ImageUrl:
    if read_kind(source, ("base64", "url")) == "url":
        source.only({"type", "url"}, {})
        return read_image_url(
            needed_text(source, "url", characters_max=IMAGE_CHARACTERS_MAX), source.at("url")
        )
    source.only({"type", "media_type", "data"}, {})
    media_type = needed_text(source, "media_type", characters_max=KIND_CHARACTERS_MAX)
    if media_type not in MEDIA_TYPES:
        known = ", ".join(sorted(MEDIA_TYPES))
        refuse(
            source.at("media_type"),
            f"must be one of {known}, not {quoted(media_type)}",
            UNSUPPORTED,
        )
    data = needed_text(source, "data", characters_max=IMAGE_CHARACTERS_MAX)
    return read_base64(data, source.at("data"), media_type=media_type)


def _read_call_id(block: Fields, name: str) -> str:
    call_id = needed_text(block, name, characters_max=CALL_ID_CHARACTERS_MAX)
    if not call_id:
        refuse(block.at(name), "must not be empty", INVALID_VALUE)
    return call_id
