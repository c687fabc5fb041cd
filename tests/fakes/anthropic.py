"""Anthropic's messages as a fake.

Source: anthropic-sdk-python; platform.claude.com/docs (errors, streaming, rate limits, versions).
Both versions of the API are spoken: the newer one refuses all sampling but `max_tokens`.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import attrs

from tests.fakes.anthropic_requests import (
    CountRequest,
    MessagesRequest,
    read_messages,
    understand,
)
from tests.fakes.dialect import (
    Ask,
    BadRequest,
    Complaint,
    Dialect,
    Endpoint,
    Frame,
    Received,
    bearer,
    decode,
    dump,
    event,
)
from tests.fakes.scene import Call, Counts, Finish, Say, Scene, Think, Trouble, halves
from tests.fakes.understood import Words

OLD_VERSION = "2023-06-01"
NEW_VERSION = "2026-10-21"
REQUEST_ID = "req_011"
RESET = "2026-11-21T00:00:00Z"

PING = event({"type": "ping"}, name="ping")


@attrs.frozen
class Anthropic(Dialect):
    """Blocks that start, grow and stop; usage is cumulative. `takes_prefill`: as old models do."""

    takes_prefill: bool = True

    name: ClassVar[str] = "anthropic"
    finishes: ClassVar[Mapping[Finish, str]] = {
        Finish.STOP: "end_turn",
        Finish.STOP_SEQUENCE: "stop_sequence",
        Finish.LENGTH: "max_tokens",
        Finish.CONTENT_FILTER: "refusal",
    }
    # Unknown kinds are to be ignored.
    interlude: ClassVar[bytes] = PING + event({"type": "weather"}, name="weather")
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        Trouble.BAD_REQUEST: Complaint(400, "invalid request", "invalid_request_error"),
        Trouble.CONTEXT_TOO_LONG: Complaint(
            400, "prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"
        ),
        Trouble.BAD_KEY: Complaint(401, "invalid x-api-key", "authentication_error"),
        Trouble.FORBIDDEN: Complaint(403, "no permission to use this", "permission_error"),
        Trouble.NO_MODEL: Complaint(404, "model: m1", "not_found_error"),
        Trouble.TOO_LARGE: Complaint(413, "Request exceeds the maximum size", "request_too_large"),
        Trouble.UNPROCESSABLE: Complaint(422, "unprocessable", "invalid_request_error"),
        Trouble.RATE_LIMIT: Complaint(
            429, "This request would exceed your rate limit.", "rate_limit_error"
        ),
        Trouble.QUOTA: Complaint(402, "There is an issue with your billing.", "billing_error"),
        Trouble.SPEND_LIMIT: Complaint(
            400,
            "You have reached your specified API usage limits. "
            "You will regain access on 2026-12-01 at 00:00 UTC.",
            "invalid_request_error",
        ),
        Trouble.MONTHLY_QUOTA: Complaint(
            429,
            "You have reached the monthly spend limit of your tier.",
            "rate_limit_error",
            "enforced_spend_limit_reached",
        ),
        Trouble.SERVER_ERROR: Complaint(500, "Internal server error", "api_error"),
        Trouble.BAD_GATEWAY: Complaint(502, "bad gateway", is_html=True),
        Trouble.OVERLOADED: Complaint(529, "Overloaded", "overloaded_error"),
        Trouble.TIMEOUT: Complaint(504, "Request timed out", "timeout_error"),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        return {
            "POST /v1/messages": Endpoint.CHAT,
            "POST /v1/messages/count_tokens": Endpoint.COUNT,
            "GET /v1/models": Endpoint.LIST,
        }.get(f"{method} {path}")

    def key(self, request: Received) -> str | None:
        return request.headers.get("x-api-key") or bearer(request)

    def read_chat(self, request: Received) -> Ask:
        _check_version(request)
        asked = decode(request.body, MessagesRequest)
        if request.header("anthropic-version") == NEW_VERSION:
            for name in ("temperature", "top_p", "top_k"):
                if getattr(asked, name) is not None:
                    raise BadRequest(f"{name}: Extra inputs are not permitted")
        understood = understand(asked, takes_prefill=self.takes_prefill)
        return Ask(model=asked.model, streams=asked.stream, understood=understood)

    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        # That early it knows the input only.
        message = self._message(ask, []) | {"usage": _usage(scene.counts, output=1)}
        yield _event("message_start", message=message)
        yield Frame(PING)
        for index, part in enumerate(scene.parts):
            yield from _block(part, index)
        ended = self._ending(scene)
        yield _event("message_delta", delta=ended, usage=_usage(scene.counts))
        yield _event("message_stop")

    def whole(self, scene: Scene, ask: Ask) -> object:
        blocks = [_whole_block(part) for part in scene.parts]
        return self._message(ask, blocks) | self._ending(scene) | {"usage": _usage(scene.counts)}

    def _message(self, ask: Ask, blocks: list[Words]) -> Words:
        return {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": ask.model,
            "content": blocks,
            "stop_reason": None,
            "stop_sequence": None,
        }

    def _ending(self, scene: Scene) -> Words:
        reason = self.finishes[scene.finish]
        if scene.calls and scene.finish is Finish.STOP:
            reason = "tool_use"
        stopped_by = scene.stop_sequence if scene.finish is Finish.STOP_SEQUENCE else None
        return {"stop_reason": reason, "stop_sequence": stopped_by}

    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        error: Words = {"type": complaint.kind, "message": complaint.message}
        if complaint.code is not None:
            error |= {"details": {"error_code": complaint.code}}
        return {"type": "error", "error": error, "request_id": REQUEST_ID}

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        return event(self.error(complaint), name="error")

    def headers(self) -> dict[str, str]:
        limits = {
            f"anthropic-ratelimit-{kind}-{name}": value
            for kind in ("requests", "tokens", "input-tokens", "output-tokens")
            for name, value in (("limit", "1000"), ("remaining", "999"), ("reset", RESET))
        }
        return {"request-id": REQUEST_ID} | limits

    def count(self, request: Received) -> tuple[str, object]:
        _check_version(request)
        asked = decode(request.body, CountRequest)
        texts = [message.get("text", "") for message in read_messages(asked.messages)]
        return asked.model, {"input_tokens": sum(len(text.split()) for text in texts)}

    def embed(self, request: Received) -> tuple[str, object]:
        raise BadRequest("there are no embeddings here")

    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        _check_version(request)
        entries = [
            {
                "id": name,
                "type": "model",
                "display_name": name,
                "created_at": RESET,
                "lifecycle": "active",
            }
            for name in models
        ]
        return {
            "data": entries,
            "has_more": False,
            "first_id": models[0],
            "last_id": models[-1],
        }


def _check_version(request: Received) -> None:
    if request.header("anthropic-version") not in {OLD_VERSION, NEW_VERSION}:
        raise BadRequest("anthropic-version: header is required")


def _event(kind: str, **members: object) -> Frame:
    return Frame(event({"type": kind} | members, name=kind))


def _block(part: Say | Think | Call, index: int) -> Iterator[Frame]:
    grow = partial(_delta, index)
    match part:
        case Say(pieces):
            yield _event(
                "content_block_start", index=index, content_block={"type": "text", "text": ""}
            )
            for piece in pieces:
                yield grow(type="text_delta", text=piece)
        case Think(pieces, signature):
            start = {"type": "thinking", "thinking": "", "signature": ""}
            yield _event("content_block_start", index=index, content_block=start)
            for piece in pieces:
                yield grow(type="thinking_delta", thinking=piece)
            yield grow(is_piece=False, type="signature_delta", signature=signature)
        case Call():
            block = _whole_block(part) | {"input": {}}
            yield _event("content_block_start", index=index, content_block=block)
            # The first piece is empty, as the real one's mostly is; for no arguments it is all.
            yield grow(is_piece=False, type="input_json_delta", partial_json="")
            for piece in halves(dump(part.arguments).decode()) if part.arguments else ():
                yield grow(type="input_json_delta", partial_json=piece)
    yield _event("content_block_stop", index=index)


def _delta(index: int, *, is_piece: bool = True, **delta: str) -> Frame:
    frame = _event("content_block_delta", index=index, delta=delta)
    return attrs.evolve(frame, is_piece=is_piece)


def _whole_block(part: Say | Think | Call) -> Words:
    match part:
        case Say(pieces):
            return {"type": "text", "text": "".join(pieces)}
        case Think(pieces, signature):
            return {"type": "thinking", "thinking": "".join(pieces), "signature": signature}
        case Call(name, arguments, call_id):
            call_id = call_id.replace("call_", "toolu_")
            return {"type": "tool_use", "id": call_id, "name": name, "input": dict(arguments)}


def _usage(counts: Counts, output: int | None = None) -> Words:
    """What was cached is not among the input here."""
    return {
        "input_tokens": counts.input - counts.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.output if output is None else output,
    }
