"""Good requests with something wrong in them, at each endpoint: every one gets a proper answer.

The doors, the pipeline and the workers are the real ones, without the host around them, so that
what would become a status 500 is raised here. What is taken is also put into the words of each
provider, since whoever answers in production may be any of them.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import pytest
import trio
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cortexd.actors.published import Published
from cortexd.actors.roster import registered
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.answer import Embedded
from cortexd.domain.chat import ChatRequest
from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.ids import FIRST_KEY, KeyIndex, WorkerName
from cortexd.domain.usage import Usage
from cortexd.domain.worker import WorkerHealth, WorkerSettings, WorkerStatus, WorkerType
from cortexd.http.data_routes import DoorParts, data_routes
from cortexd.http.doors.door import Door, DoorRequest
from cortexd.http.doors.model_door import PARSED_ON_THE_LOOP_BYTES_MAX
from cortexd.http.probes import NodeProbes
from cortexd.pipeline.build import build_pipeline
from cortexd.policy.load_balancing import PoolStrategy
from cortexd.providers import anthropic, cohere, gemini, groq, ollama, openai_compatible
from cortexd.providers.scripted.worker import ScriptedWorker
from cortexd.wire.strict_json import dumps
from tests.bad_input.rich_requests import RICH, Place, places
from tests.parts import UNBREAKABLE, pipeline_parts

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

EXAMPLES: Final = 300
"""Of each endpoint."""
HANGS_S: Final = 20.0
ECHO_CHARACTERS_MAX: Final = 100
ALLOWED: Final = frozenset({200, 400, 404, 413, 415, 422})
DIALECTS: Final = tuple(
    module.DIALECT for module in (anthropic, cohere, gemini, groq, ollama, openai_compatible)
)
SCRIPTS: Final[Mapping[str, Sequence[Mapping[str, object]]]] = {
    "actor": ({"think": "Hm. "}, {"say": "It rains."}),
    # Some endpoints have no words for this.
    "caller": ({"call": "weather", "arguments": {"city": "Oslo"}},),
    "broken": ({"say": "It "}, {"fail": "server_error"}),
}
ENDS: Final = (b"data: [DONE]\n\n", b"event: message_stop\n", b'"done":true', b'"error":')


class _PolyglotWorker(ScriptedWorker):
    """Puts each request into the words of every provider that could be asked, then plays."""

    @asynccontextmanager
    async def open_chat(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> Any:
        for dialect in DIALECTS:
            if dialect.features >= set(request.needs):
                assert dumps(dialect.write_chat_request(request, model=model))
        async with super().open_chat(request, model=model, key=key) as stream:
            yield stream

    async def embed(
        self, request: EmbeddingRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> tuple[Embedded, Usage | None]:
        for dialect in DIALECTS:
            if dialect.embedding and dialect.features >= set(request.needs):
                assert dumps(dialect.embedding.write_request(request, model=model))
        return await super().embed(request, model=model, key=key)

    async def count_tokens(
        self, request: ChatRequest, *, model: str, key: KeyIndex = FIRST_KEY
    ) -> int | None:
        for dialect in DIALECTS:
            if dialect.token_count and dialect.features >= set(request.needs):
                assert dumps(dialect.token_count.write_request(request, model=model))
        return await super().count_tokens(request, model=model, key=key)


@attrs.define
class _Answered:
    """A responder that keeps what it is given."""

    status: int = 0
    headers: Mapping[str, str] = attrs.Factory(dict)
    body: bytes = b""
    finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        await trio.lowlevel.checkpoint()
        assert not self.status
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        assert self.status
        assert not self.finished
        self.body += data

    async def finish(self) -> None:
        await trio.lowlevel.checkpoint()
        assert not self.finished
        self.finished = True


def _member(name: str, script: Sequence[Mapping[str, object]]) -> PoolMember:
    worker = WorkerSettings(
        name=WorkerName(name),
        type=WorkerType.SCRIPTED,
        models=("scripted",),
        priority=1,
        script=tuple(map(dict, script)),
    )
    health = WorkerHealth(status=WorkerStatus.AVAILABLE, models=("scripted",))
    return PoolMember(registered(worker, _PolyglotWorker(worker, lambda: "1"), UNBREAKABLE), health)


@pytest.fixture(scope="module")
def doors() -> Mapping[str, Door]:
    """Each door that takes a body, by its path."""
    members = tuple(_member(name, script) for name, script in SCRIPTS.items())
    view = Published(PoolView(members, PoolStrategy.ROUND_ROBIN))
    aliases = {"any": tuple(SCRIPTS)}
    service = build_pipeline(pipeline_parts(view, lambda _: None, aliases=aliases))
    parts = DoorParts(
        service=service,
        probes=NodeProbes(
            view=view,
            uptime_s=lambda: 1.0,
            is_draining=lambda: False,
            wall_clock=lambda: 0.0,
        ),
        aliases=aliases,
        new_id=lambda: "1",
        wall_clock=lambda: 0.0,
        clock=lambda: 0.0,
        version="1",
    )
    return {route.path: route.door for route in data_routes(parts) if route.method == "POST"}


def _answer(door: Door, path: str, body: bytes) -> _Answered:
    answered = _Answered()
    headers = {"content-type": "application/json"}

    async def ask() -> None:
        with trio.fail_after(HANGS_S):
            await door.answer(
                DoorRequest(method="POST", path=path, headers=headers, body=body), answered
            )

    trio.run(ask)
    return answered


SEEN: Final = [value for document in RICH.values() for _, value in places(document)]
NAMES: Final = sorted({key for value in SEEN if isinstance(value, dict) for key in value})
numbers: Final = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**400, 0, -1, 1e308, 1e-320]),
)
texts: Final = st.one_of(
    st.text(st.characters()),
    st.text(st.characters(), min_size=101, max_size=300),
    st.sampled_from(["x" * 101, "é" * 5000, "\0", "\ud800", "\u202e", "'", "{{7*7}}", "auto"]),
    st.sampled_from(["actor/scripted", "broken/scripted", "any", "{}", '{"a": 1e999}', "[]"]),
    st.sampled_from(
        ["""{"a": 1000000000000000000000000}""", '{"a": 1, "a": 2}', '{"\\ud800": "\\udc00"}']
    ),
)
values: Final = st.one_of(
    st.sampled_from(SEEN).map(copy.deepcopy),
    st.none() | st.booleans() | numbers | texts,
    st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    ),
    st.integers(1, 200).map(lambda depth: json.loads("[" * depth + "]" * depth)),
    st.integers(1, 200).map(lambda depth: json.loads('{"a":' * depth + "1" + "}" * depth)),
)


def _replace(inner: Any, step: Any, value: object, _name: str) -> None:
    inner[step] = value


def _delete(inner: Any, step: Any, _value: object, _name: str) -> None:
    del inner[step]


def _insert(inner: Any, step: Any, value: object, name: str) -> None:
    if isinstance(inner, list):
        inner.insert(step, value)
    else:
        inner[name] = value


def _repeat(inner: Any, step: Any, _value: object, _name: str) -> None:
    inner[step] = [inner[step]] * 3


def _rename(inner: Any, step: Any, _value: object, name: str) -> None:
    if isinstance(inner, dict):
        inner[name] = inner.pop(step)


MODELS: Final = ("actor/scripted", "actor/scripted", "caller/scripted", "broken/scripted", "any")
KINDS: Final[Sequence[Callable[[Any, Any, object, str], None]]] = (
    _replace,
    _replace,
    _delete,
    _insert,
    _repeat,
    _rename,
)


def _spoil(draw: st.DrawFn, document: dict[str, Any]) -> None:
    everywhere: list[Place] = [place for place, _ in places(document) if place]
    assume(everywhere)
    *way, step = draw(st.sampled_from(everywhere))
    inner: Any = document
    for one in way:
        inner = inner[one]
    kind = draw(st.sampled_from(KINDS))
    kind(inner, step, draw(values), draw(st.sampled_from(NAMES) | texts))


@st.composite
def spoilt(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """A good request after one to three accidents."""
    # Not deepcopy(): what stands there twice would stay one object.
    document: dict[str, Any] = json.loads(json.dumps(RICH[path]))
    document["model"] = draw(st.sampled_from(MODELS))
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, document)
    return document


def _shape(path: str) -> Callable[[Any], str]:
    """Takes an error of the path's dialect apart, and gives its message."""

    def openai(document: Any) -> str:
        assert set(document) == {"error"}
        assert set(document["error"]) == {"message", "type", "param", "code"}
        return str(document["error"]["message"])

    def anthropic(document: Any) -> str:
        assert set(document) == {"type", "error"}
        assert set(document["error"]) == {"type", "message"}
        return str(document["error"]["message"])

    def ollama(document: Any) -> str:
        assert set(document) == {"error"}
        return str(document["error"])

    if path.startswith("/api/"):
        return ollama
    return anthropic if path.startswith("/v1/messages") else openai


def _check(path: str, document: Mapping[str, Any], answered: _Answered) -> None:
    assert answered.finished
    fails = document.get("model") != "actor/scripted"
    assert answered.status in ALLOWED or (fails and answered.status == 502)
    text = answered.body.decode()
    assert "Traceback" not in text
    assert "cortexd/" not in text
    if answered.status != 200:
        message = _shape(path)(json.loads(text, parse_constant=pytest.fail))
        assert message.isprintable()
        _check_echo(message, document)
    elif answered.headers["content-type"] == "application/json":
        assert "error" not in json.loads(text)
    else:
        last = answered.body.strip().rpartition(b"\n\n")[2] + b"\n\n"
        assert any(end in last for end in ENDS), last


def _check_echo(message: str, document: Mapping[str, Any]) -> None:
    said = [value for _, value in places(document) if isinstance(value, str)]
    said += [key for _, value in places(document) if isinstance(value, dict) for key in value]
    windows = range(len(message) - ECHO_CHARACTERS_MAX)
    for long in (one for one in said if len(one) > ECHO_CHARACTERS_MAX):
        assert not any(message[at : at + ECHO_CHARACTERS_MAX + 1] in long for at in windows)


@pytest.mark.parametrize("path", RICH)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_wrong_is_answered(
    doors: Mapping[str, Door], path: str, data: st.DataObject
) -> None:
    """In the dialect of the door, without a word of ours, and to its end."""
    document = data.draw(spoilt(path))
    body = json.dumps(document).encode()
    assume(len(body) <= PARSED_ON_THE_LOOP_BYTES_MAX)
    _check(path, document, _answer(doors[path], path, body))


@pytest.mark.parametrize("path", RICH)
def test_the_unspoilt_is_served(doors: Mapping[str, Door], path: str) -> None:
    """Otherwise there would be nothing to spoil."""
    answered = _answer(doors[path], path, json.dumps(RICH[path]).encode())
    assert answered.status == 200
    _check(path, RICH[path], answered)
    assert b'"error"' not in answered.body
