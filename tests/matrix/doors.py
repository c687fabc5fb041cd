"""The three doors as a client sees them: one question in, one answer out, in neutral words."""

import base64
import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import attrs
import httpx

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL_DESCRIPTION = "Tells the weather"
TIMEOUT_S = 60.0


@attrs.frozen(kw_only=True)
class Question:
    """What is asked. `answered`: a call from before (id, city) and its result stand behind it."""

    text: str = "hi"
    system: str | None = None
    has_tools: bool = False
    image: bytes | None = None
    schema: dict[str, Any] | None = None
    stop: str | None = None
    max_tokens: int | None = None
    answered: tuple[str, str] | None = None
    stream: bool = False


@attrs.define(kw_only=True)
class Heard:
    """What came back. `is_ended`: with the sign that the answer is whole."""

    status: int
    headers: httpx.Headers
    body: bytes
    text: str = ""
    thought: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = attrs.Factory(list)
    finish: str | None = None
    usage: tuple[int, int] | None = None
    error: str | None = None
    error_kind: str | None = None
    error_param: str | None = None
    error_code: str | None = None
    is_ended: bool = False


class ClientDoor(ABC):
    """One dialect, spoken by a client."""

    name: ClassVar[str]
    path: ClassVar[str]
    finishes: ClassVar[dict[str, str]]
    """Its words for the ends `stop`, `length` and `tool_calls`."""
    fields: ClassVar[dict[str, str]]
    """The paths at which it asks for `tools`, `image` and `schema`."""
    headers: ClassVar[dict[str, str]] = {}

    def ask(self, url: str, model: str, question: Question) -> Heard:
        """Ask the node at `url`."""
        with httpx.Client(timeout=TIMEOUT_S) as client:
            response = client.post(
                url + self.path, json=self.document(model, question), headers=self.headers
            )
        return self.hear(response, question)

    def hear(self, response: httpx.Response, question: Question) -> Heard:
        """What a whole response says, whatever it is."""
        heard = Heard(status=response.status_code, headers=response.headers, body=response.content)
        if response.status_code != 200:
            self.hear_error(heard, json.loads(response.content))
        elif question.stream:
            self.hear_stream(heard)
        else:
            self.hear_document(heard, json.loads(response.content))
        return heard

    @abstractmethod
    def document(self, model: str, question: Question) -> dict[str, Any]:
        """The request."""

    @abstractmethod
    def hear_document(self, heard: Heard, document: dict[str, Any]) -> None:
        """A whole answer."""

    @abstractmethod
    def hear_stream(self, heard: Heard) -> None:
        """A streamed answer, or what there is of it."""

    @abstractmethod
    def hear_error(self, heard: Heard, document: dict[str, Any]) -> None:
        """An error, as a response or inside a stream."""


def events(body: bytes) -> list[tuple[str | None, str]]:
    """Server-sent events, each with its name; what the end cuts off is none."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event"), fields["data"]))
    return found


class OpenAiDoor(ClientDoor):
    """POST /v1/chat/completions."""

    name = "openai"
    path = "/v1/chat/completions"
    finishes = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}  # noqa: RUF012
    fields = {  # noqa: RUF012
        "tools": "tools",
        "image": "messages[0].content[1]",
        "schema": "response_format",
    }

    def document(self, model: str, question: Question) -> dict[str, Any]:
        """The request."""
        content: Any = question.text
        if question.image is not None:
            data = base64.b64encode(question.image).decode()
            image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
            content = [{"type": "text", "text": question.text}, image]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if question.system is not None:
            messages.insert(0, {"role": "system", "content": question.system})
        document: dict[str, Any] = {"model": model, "messages": messages, "stream": question.stream}
        if question.stream:
            document["stream_options"] = {"include_usage": True}
        if question.has_tools:
            function = {
                "name": "weather",
                "description": TOOL_DESCRIPTION,
                "parameters": WEATHER,
            }
            document["tools"] = [{"type": "function", "function": function}]
        if question.answered is not None:
            call_id, city = question.answered
            function = {"name": "weather", "arguments": json.dumps({"city": city})}
            call = {"id": call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": call_id, "content": "sunny"})
        if question.schema is not None:
            schema = {"name": "answer", "schema": question.schema}
            document["response_format"] = {"type": "json_schema", "json_schema": schema}
        if question.stop is not None:
            document["stop"] = [question.stop]
        if question.max_tokens is not None:
            document["max_completion_tokens"] = question.max_tokens
        return document

    def hear_document(self, heard: Heard, document: dict[str, Any]) -> None:
        """A completion."""
        [choice] = document["choices"]
        message = choice["message"]
        heard.text, heard.finish = message["content"] or "", choice["finish_reason"]
        heard.thought = message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or ():
            function = call["function"]
            heard.calls.append((call["id"], function["name"], json.loads(function["arguments"])))
        self._hear_usage(heard, document.get("usage"))
        heard.is_ended = True

    def hear_stream(self, heard: Heard) -> None:
        """Chunks, and `[DONE]`."""
        calls: list[list[str]] = []
        for _, data in events(heard.body):
            if data == "[DONE]":
                heard.is_ended = True
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                self.hear_error(heard, chunk)
                continue
            self._hear_usage(heard, chunk.get("usage"))
            for choice in chunk["choices"]:
                delta = choice["delta"]
                heard.text += delta.get("content") or ""
                heard.thought += delta.get("reasoning_content") or ""
                heard.finish = choice["finish_reason"] or heard.finish
                for call in delta.get("tool_calls") or ():
                    if "id" in call:
                        assert call["index"] == len(calls)
                        calls.append([call["id"], call["function"]["name"], ""])
                    calls[call["index"]][2] += call["function"].get("arguments") or ""
        if heard.is_ended:
            heard.calls = [(i, name, json.loads(arguments)) for i, name, arguments in calls]

    def hear_error(self, heard: Heard, document: dict[str, Any]) -> None:
        """The error object."""
        error = document["error"]
        assert set(error) == {"message", "type", "param", "code"}
        heard.error, heard.error_kind = error["message"], error["type"]
        heard.error_param, heard.error_code = error["param"], error["code"]

    @staticmethod
    def _hear_usage(heard: Heard, usage: dict[str, Any] | None) -> None:
        if usage is not None:
            heard.usage = (usage["prompt_tokens"], usage["completion_tokens"])
            assert usage["total_tokens"] == sum(heard.usage)


class OllamaDoor(ClientDoor):
    """POST /api/chat."""

    name = "ollama"
    path = "/api/chat"
    finishes = {"stop": "stop", "length": "length", "tool_calls": "stop"}  # noqa: RUF012
    fields = {  # noqa: RUF012
        "tools": "tools",
        "image": "messages[0].images",
        "schema": "format",
    }

    def document(self, model: str, question: Question) -> dict[str, Any]:
        """The request."""
        message: dict[str, Any] = {"role": "user", "content": question.text}
        if question.image is not None:
            message["images"] = [base64.b64encode(question.image).decode()]
        messages: list[dict[str, Any]] = [message]
        if question.system is not None:
            messages.insert(0, {"role": "system", "content": question.system})
        document: dict[str, Any] = {"model": model, "messages": messages, "stream": question.stream}
        if question.has_tools:
            function = {
                "name": "weather",
                "description": TOOL_DESCRIPTION,
                "parameters": WEATHER,
            }
            document["tools"] = [{"type": "function", "function": function}]
        if question.answered is not None:
            call_id, city = question.answered
            function = {"name": "weather", "arguments": {"city": city}}
            call = {"id": call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
            result = {"role": "tool", "tool_call_id": call_id, "tool_name": "weather"}
            messages.append({**result, "content": "sunny"})
        if question.schema is not None:
            document["format"] = question.schema
        options: dict[str, Any] = {}
        if question.stop is not None:
            options["stop"] = [question.stop]
        if question.max_tokens is not None:
            options["num_predict"] = question.max_tokens
        return document | ({"options": options} if options else {})

    def hear_document(self, heard: Heard, document: dict[str, Any]) -> None:
        """The last line, or the only one."""
        message = document["message"]
        heard.text += message["content"]
        heard.thought += message.get("thinking") or ""
        for call in message.get("tool_calls") or ():
            function = call["function"]
            heard.calls.append((call["id"], function["name"], function["arguments"]))
        if document["done"]:
            heard.is_ended = True
            heard.finish = document["done_reason"]
            if "eval_count" in document:
                heard.usage = (document["prompt_eval_count"], document["eval_count"])

    def hear_stream(self, heard: Heard) -> None:
        """Lines."""
        for line in heard.body.decode().splitlines():
            document = json.loads(line)
            if "error" in document:
                self.hear_error(heard, document)
            else:
                self.hear_document(heard, document)

    def hear_error(self, heard: Heard, document: dict[str, Any]) -> None:
        """A text, and nothing else."""
        assert set(document) == {"error"}
        heard.error = document["error"]


class AnthropicDoor(ClientDoor):
    """POST /v1/messages."""

    name = "anthropic"
    path = "/v1/messages"
    finishes = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}  # noqa: RUF012
    fields = {  # noqa: RUF012
        "tools": "tools",
        "image": "messages[0].content[1]",
        "schema": "output_config.format",
    }
    headers = {"anthropic-version": "2023-06-01"}  # noqa: RUF012

    def document(self, model: str, question: Question) -> dict[str, Any]:
        """The request; this dialect wants a limit always."""
        content: Any = question.text
        if question.image is not None:
            data = base64.b64encode(question.image).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            image = {"type": "image", "source": source}
            content = [{"type": "text", "text": question.text}, image]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        document: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "stream": question.stream,
            "max_tokens": question.max_tokens or 1000,
        }
        if question.system is not None:
            document["system"] = question.system
        if question.has_tools:
            tool = {
                "name": "weather",
                "description": TOOL_DESCRIPTION,
                "input_schema": WEATHER,
            }
            document["tools"] = [tool]
        if question.answered is not None:
            call_id, city = question.answered
            call = {"type": "tool_use", "id": call_id, "name": "weather", "input": {"city": city}}
            result = {"type": "tool_result", "tool_use_id": call_id, "content": "sunny"}
            messages.append({"role": "assistant", "content": [call]})
            messages.append({"role": "user", "content": [result]})
        if question.schema is not None:
            wanted = {"type": "json_schema", "schema": question.schema}
            document["output_config"] = {"format": wanted}
        if question.stop is not None:
            document["stop_sequences"] = [question.stop]
        return document

    def hear_document(self, heard: Heard, document: dict[str, Any]) -> None:
        """A message."""
        for block in document["content"]:
            match block["type"]:
                case "text":
                    heard.text += block["text"]
                case "thinking":
                    heard.thought += block["thinking"]
                case "tool_use":
                    heard.calls.append((block["id"], block["name"], block["input"]))
        heard.finish = document["stop_reason"]
        self._hear_usage(heard, document["usage"])
        heard.is_ended = True

    def hear_stream(self, heard: Heard) -> None:
        """Events with names, up to `message_stop`."""
        blocks: list[dict[str, Any]] = []
        stop: dict[str, Any] = {}
        for name, data in events(heard.body):
            document = json.loads(data)
            assert document["type"] == name
            match name:
                case "error":
                    self.hear_error(heard, document)
                case "content_block_start":
                    assert document["index"] == len(blocks)
                    blocks.append(document["content_block"] | {"json": ""})
                case "content_block_delta":
                    _take_delta(blocks[document["index"]], document["delta"])
                case "message_delta":
                    stop = {
                        "stop_reason": document["delta"]["stop_reason"],
                        "usage": document["usage"],
                    }
                case "message_stop":
                    heard.is_ended = True
        for block in blocks:
            if block["type"] == "tool_use" and heard.is_ended:
                block["input"] = json.loads(block["json"] or "{}")
        if heard.is_ended:
            self.hear_document(heard, {"content": blocks, **stop})
        else:
            heard.text = "".join(block.get("text", "") for block in blocks)

    def hear_error(self, heard: Heard, document: dict[str, Any]) -> None:
        """The error object."""
        assert set(document) <= {"type", "error", "request_id"}
        assert document["type"] == "error"
        heard.error, heard.error_kind = document["error"]["message"], document["error"]["type"]

    @staticmethod
    def _hear_usage(heard: Heard, usage: dict[str, Any]) -> None:
        cached = usage.get("cache_read_input_tokens") or 0
        written = usage.get("cache_creation_input_tokens") or 0
        heard.usage = (usage["input_tokens"] + cached + written, usage["output_tokens"])


def _take_delta(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]


DOORS: tuple[ClientDoor, ...] = (OpenAiDoor(), OllamaDoor(), AnthropicDoor())
