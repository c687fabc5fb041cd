"""Gemini's `generateContent` as a fake. Source: googleapis/python-genai, generative_service.proto.

Lines end with CR LF, as the real server's do. Calls have no id, as most of its models give none.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

from tests.fakes.dialect import (
    Ask,
    BadRequest,
    Complaint,
    Dialect,
    Endpoint,
    Frame,
    Received,
    event,
    vectors,
)
from tests.fakes.gemini_meaning import understand
from tests.fakes.gemini_requests import (
    CountRequest,
    EmbedRequest,
    GenerateRequest,
    decode_either_name,
)
from tests.fakes.scene import Call, Counts, Finish, Say, Scene, Think, Trouble
from tests.fakes.understood import Words, joined, words

# The newest client asks the stable version; the real server has both.
MODELS = ("/v1/models", "/v1beta/models")
PATH = re.compile(r"/v1(beta)?/models/(?P<model>[^/:]+):(?P<method>\w+)")
METHODS = {
    "generateContent": Endpoint.CHAT,
    "streamGenerateContent": Endpoint.CHAT,
    "countTokens": Endpoint.COUNT,
    "batchEmbedContents": Endpoint.EMBED,
}
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_event = partial(event, newline=b"\r\n")


class Gemini(Dialect):
    """Each event is a whole response; there is no end but the end of the body."""

    name: ClassVar[str] = "gemini"
    # It does not tell a stop sequence, or calls, from an end.
    finishes: ClassVar[Mapping[Finish, str]] = {
        Finish.STOP: "STOP",
        Finish.STOP_SEQUENCE: "STOP",
        Finish.LENGTH: "MAX_TOKENS",
        Finish.CONTENT_FILTER: "SAFETY",
    }
    interlude: ClassVar[bytes] = _event(
        {
            "candidates": [{"content": {"role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 11, "totalTokenCount": 11},
            "modelVersion": "m1",
        }
    )
    complaints: ClassVar[Mapping[Trouble, Complaint]] = {
        Trouble.BAD_REQUEST: Complaint(400, "Request contains an invalid argument."),
        Trouble.CONTEXT_TOO_LONG: Complaint(
            400, "The input token count (9000) exceeds the maximum number of tokens allowed (8192)."
        ),
        Trouble.BAD_KEY: Complaint(
            400, "API key not valid. Please pass a valid API key.", code="API_KEY_INVALID"
        ),
        Trouble.FORBIDDEN: Complaint(
            403,
            "Method doesn't allow unregistered callers.",
            code="CREDENTIALS_MISSING",
        ),
        Trouble.NO_MODEL: Complaint(404, "models/m1 is not found for API version v1beta."),
        Trouble.TOO_LARGE: Complaint(413, "Request payload size exceeds the limit."),
        Trouble.UNPROCESSABLE: Complaint(422, "Unprocessable."),
        Trouble.RATE_LIMIT: Complaint(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            kind="GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        ),
        Trouble.QUOTA: Complaint(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            kind="GenerateRequestsPerDayPerProjectPerModel-FreeTier",
        ),
        Trouble.SPEND_LIMIT: Complaint(402, "Your prepaid credit is used up."),
        Trouble.SERVER_ERROR: Complaint(500, "An internal error has occurred."),
        Trouble.BAD_GATEWAY: Complaint(502, "bad gateway", is_html=True),
        Trouble.OVERLOADED: Complaint(503, "The model is overloaded. Please try again later."),
        Trouble.TIMEOUT: Complaint(504, "Deadline expired before operation could complete."),
    }

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        if method == "GET" and path in MODELS:
            return Endpoint.LIST
        match = PATH.fullmatch(path)
        return METHODS.get(match["method"]) if match and method == "POST" else None

    def key(self, request: Received) -> str | None:
        # The real one takes it from the query, too, where it would end up in logs.
        return request.headers.get("x-goog-api-key")

    def read_chat(self, request: Received) -> Ask:
        model, method = _path(request)
        streams = method == "streamGenerateContent"
        if streams and "alt=sse" not in request.query.split("&"):
            raise BadRequest("without alt=sse the answer would be a JSON array")
        asked = decode_either_name(request.body, GenerateRequest)
        understood = understand(asked, model=model, streams=streams)
        return Ask(model=model, streams=streams, understood=understood)

    def stream(self, scene: Scene, ask: Ask) -> Iterator[Frame]:
        if scene == Scene.blocked():
            yield Frame(_event(_blocked(scene, ask)))
            return
        for part in scene.parts:
            if isinstance(part, Say | Think):
                more: Words = {"thought": True} if isinstance(part, Think) else {}
                for piece in part.pieces:
                    yield self._frame(scene, ask, [{"text": piece} | more])
        calls = _calls(scene)
        if calls:
            yield self._frame(scene, ask, calls)
        yield Frame(_event(self._response(scene, ask, [], self.finishes[scene.finish])))

    def whole(self, scene: Scene, ask: Ask) -> object:
        if scene == Scene.blocked():
            return _blocked(scene, ask)
        thought: list[Words] = [{"text": scene.thought, "thought": True}] if scene.thought else []
        said: list[Words] = [{"text": scene.said}] if scene.said else []
        parts = [*thought, *said, *_calls(scene)]
        return self._response(scene, ask, parts, self.finishes[scene.finish])

    def _frame(self, scene: Scene, ask: Ask, parts: list[Words]) -> Frame:
        return Frame(_event(self._response(scene, ask, parts)), is_piece=True)

    def _response(
        self, scene: Scene, ask: Ask, parts: list[Words], reason: str | None = None
    ) -> Words:
        content = {"role": "model"} | words(parts=parts)
        candidate = {"content": content, "index": 0} | words(finishReason=reason)
        if reason == "SAFETY":
            harm = {"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}
            candidate |= {"safetyRatings": [harm]}
        return {"candidates": [candidate]} | _tail(scene.counts, ask)

    def error(self, complaint: Complaint, *, retry_after_s: float | None = None) -> object:
        status = STATUS_NAMES.get(complaint.status, "UNKNOWN")
        return {
            "error": {
                "code": complaint.status,
                "message": complaint.message,
                "status": status,
            }
            | words(details=list(_details(complaint, retry_after_s)))
        }

    def error_frames(self, complaint: Complaint, ask: Ask) -> bytes:
        return _event(self.error(complaint))

    def error_headers(
        self, complaint: Complaint, *, retry_after_s: float | None = None
    ) -> dict[str, str]:
        """The document tells, not a header."""
        return {}

    def count(self, request: Received) -> tuple[str, object]:
        asked = decode_either_name(request.body, CountRequest)
        nested = asked.generate_content_request
        if (asked.contents is None) == (nested is None):
            raise BadRequest("either contents or generate_content_request")
        contents = asked.contents if nested is None else nested.contents
        text = joined(part.text or "" for c in contents or () for part in c.parts)
        return _path(request)[0], {"totalTokens": len(text.split())}

    def embed(self, request: Received) -> tuple[str, object]:
        model, _ = _path(request)
        asked = decode_either_name(request.body, EmbedRequest).requests
        if any(one.model != f"models/{model}" for one in asked):
            raise BadRequest("the model of each request must be that of the path")
        texts = [joined(part.text or "" for part in one.content.parts) for one in asked]
        found = vectors(texts, dimensions=asked[0].output_dimensionality)
        return model, {"embeddings": [{"values": values} for values in found]}

    def listing(self, request: Received, models: tuple[str, ...]) -> object:
        return {
            "models": [
                {
                    "name": f"models/{name}",
                    "version": "001",
                    "displayName": name,
                    "inputTokenLimit": 1_048_576,
                    "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent", "countTokens"],
                }
                for name in models
            ]
        }


def _path(request: Received) -> tuple[str, str]:
    match = PATH.fullmatch(request.path)
    assert match
    return match["model"], match["method"]


def _calls(scene: Scene) -> list[Words]:
    """All calls come at once; the seal on the thought before them is on the first."""
    seals = [part.signature for part in scene.parts if isinstance(part, Think)]
    parts: list[Words] = [_call(call) for call in scene.calls]
    if parts and seals:
        parts[0]["thoughtSignature"] = seals[-1]
    return parts


def _call(call: Call) -> Words:
    return {"functionCall": {"name": call.name, "args": dict(call.arguments)}}


def _blocked(scene: Scene, ask: Ask) -> Words:
    return {"promptFeedback": {"blockReason": "SAFETY"}} | _tail(Counts(output=0), ask)


def _tail(counts: Counts, ask: Ask) -> Words:
    usage = {"promptTokenCount": counts.input, "totalTokenCount": counts.input + counts.output}
    usage |= {"candidatesTokenCount": counts.output - counts.reasoning} if counts.output else {}
    usage |= {"thoughtsTokenCount": counts.reasoning} if counts.reasoning else {}
    usage |= {"cachedContentTokenCount": counts.cached} if counts.cached else {}
    return {"usageMetadata": usage, "modelVersion": ask.model, "responseId": "r-1"}


def _details(complaint: Complaint, retry_after_s: float | None) -> Iterator[Words]:
    if complaint.code is not None:
        yield {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": complaint.code,
            "domain": "googleapis.com",
        }
    if complaint.kind is not None:
        yield {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": complaint.kind}],
        }
    if retry_after_s is not None:
        delay = f"{retry_after_s:g}s"
        yield {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
