"""Groq as a fake: OpenAI's dialect with words of its own.

Source: groq-python; console.groq.com/docs (openai, rate-limits, errors). What follows
`x_groq.error` is nowhere written; here it is `[DONE]`, the worse case for a reader.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta

from tests.fakes.dialect import Ask, BadRequest, Complaint, Endpoint, event
from tests.fakes.openai import DONE, OpenAi
from tests.fakes.openai_requests import (
    Assistant,
    ChatRequest,
    Developer,
    System,
    ToolMessage,
    User,
)
from tests.fakes.scene import Counts, Finish, Scene, Trouble
from tests.fakes.understood import Words

ID = "req_01"


class GroqAssistant(Assistant, tag_field="role", tag="assistant"):
    """An earlier answer, which may come with its reasoning."""

    reasoning: str | None = None


Message: TypeAlias = System | Developer | User | GroqAssistant | ToolMessage


class GroqChatRequest(ChatRequest):
    """POST /openai/v1/chat/completions."""

    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    # "Not supported": answered by 400 if they are there.
    logprobs: Literal[False] | None = None
    top_logprobs: None = None
    reasoning_effort: Literal["none", "default", "low", "medium", "high"] | None = None
    reasoning_format: Literal["hidden", "raw", "parsed"] | None = None
    include_reasoning: bool | None = None
    service_tier: Literal["auto", "on_demand", "flex", "performance"] | None = None


class Groq(OpenAi):
    """The last chunk has the usage, asked for or not."""

    name: ClassVar[str] = "groq"
    prefix: ClassVar[str] = "/openai/v1"
    reasoning_member: ClassVar[str] = "reasoning"
    request_type: ClassVar[type[ChatRequest]] = GroqChatRequest
    finishes: ClassVar[Mapping[Finish, str]] = {
        finish: word
        for finish, word in OpenAi.finishes.items()
        if finish is not Finish.CONTENT_FILTER
    }
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        **OpenAi.complaints,
        Trouble.BAD_KEY: Complaint(
            401, "Invalid API Key", "invalid_request_error", "invalid_api_key"
        ),
        Trouble.TOO_LARGE: Complaint(
            413, "Request too large for model `m1`.", "tokens", "rate_limit_exceeded"
        ),
        Trouble.RATE_LIMIT: Complaint(
            429,
            "Rate limit reached for model `m1` on tokens per minute (TPM): "
            "Limit 6000, Used 5900, Requested 500. Please try again in 5.289s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        Trouble.QUOTA: Complaint(
            429,
            "Rate limit reached for model `m1` on requests per day (RPD): "
            "Limit 1000, Used 1000, Requested 1. Please try again in 2h4m48s.",
            "requests",
            "rate_limit_exceeded",
        ),
        Trouble.SERVER_ERROR: Complaint(500, "Internal Server Error", "internal_server_error"),
        Trouble.OVERLOADED: Complaint(503, "Service Unavailable", "internal_server_error"),
        Trouble.FLEX_CAPACITY: Complaint(
            498, "Flex tier capacity exceeded.", "capacity", "capacity_exceeded"
        ),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        found = super().endpoint(method, path)
        return None if found is Endpoint.EMBED else found

    def check(self, asked: ChatRequest) -> None:
        if any(getattr(message, "name", None) is not None for message in asked.messages):
            raise BadRequest("property 'name' is unsupported")
        assert isinstance(asked, GroqChatRequest)
        if asked.reasoning_format is not None and asked.include_reasoning is not None:
            raise BadRequest("'reasoning_format' and 'include_reasoning' exclude each other")
        if asked.reasoning_format == "raw" and (asked.tools or asked.response_format):
            raise BadRequest("'reasoning_format' must be parsed or hidden with tools or JSON")

    def whole(self, scene: Scene, ask: Ask) -> object:
        document = super().whole(scene, ask)
        assert isinstance(document, dict)
        return document | {"x_groq": {"id": ID}}

    def usage(self, counts: Counts) -> Words:
        times = {
            "queue_time": 0.01,
            "prompt_time": 0.002,
            "completion_time": 0.03,
            "total_time": 0.032,
        }
        return super().usage(counts) | times

    def first(self) -> Words:
        return {"x_groq": {"id": ID}}

    def last(self, scene: Scene) -> Words:
        return {"x_groq": {"id": ID, "usage": self.usage(scene.counts)}}

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        stopped = {"x_groq": {"id": ID, "error": complaint.message}}
        return event(self.head(ask, "chat.completion.chunk", []) | stopped) + DONE

    def error_headers(
        self, complaint: Complaint, *, retry_after_s: float | None = None
    ) -> dict[str, str]:
        """Only a 429 says when to come back, and only in seconds."""
        if retry_after_s is None or complaint.status != 429:
            return {}
        return {"retry-after": f"{retry_after_s:g}"}
