import json
from collections.abc import Sequence
from typing import Any

import attrs
from anthropic.types import ModelInfo
from ollama import ListResponse
from openai.pagination import SyncPage
from openai.types import Model

from cortexd.domain.ids import WorkerName
from cortexd.http.doors.door import Door, DoorRequest
from cortexd.http.doors.models import models_door
from cortexd.http.doors.ollama import ollama_tags_door, ollama_version_door
from cortexd.http.doors.served_model import ServedModel
from cortexd.wire.ollama.read_answer import (
    decode_models as decode_tags,
)
from cortexd.wire.openai.read_answer import decode_models

MODELS = [
    ServedModel(
        name="a:latest", workers=(WorkerName("w1"), WorkerName("w2")), created_s=1_700_000_000.5
    ),
    ServedModel(name="b"),
]


@attrs.define
class Recorder:
    """A responder that keeps what it is given."""

    status: int | None = None
    headers: dict[str, str] = attrs.Factory(dict)
    body: bytes = b""
    finished: bool = False

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keep the head of the response."""
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes) -> None:
        """Keep a write."""
        self.body += data

    async def finish(self) -> None:
        """Note the clean end."""
        self.finished = True


async def _get(
    door: Door,
    *,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    status: int = 200,
) -> Recorder:
    respond = Recorder()
    request = DoorRequest(
        method="GET", path="/", headers=headers or {}, body=b"", params=params or {}
    )
    await door.answer(request, respond)
    assert respond.status == status
    assert respond.finished
    assert respond.headers["content-type"] == "application/json"
    assert respond.headers["content-length"] == str(len(respond.body))
    assert status != 200 or respond.headers["cache-control"] == "no-store"
    return respond


async def test_the_official_openai_client_understands_the_models() -> None:
    """Each model once, with its owner; one of unknown age is as old as the door."""
    door = models_door(lambda: MODELS, wall_clock=lambda: 1_800_000_000.0)
    respond = await _get(door)
    page = SyncPage[Model].model_validate_json(respond.body, strict=True)
    assert page.object == "list"
    assert [(m.id, m.object, m.created, m.owned_by) for m in page.data] == [
        ("a:latest", "model", 1_700_000_000, "w1, w2"),
        ("b", "model", 1_800_000_000, ""),
    ]
    assert decode_models(respond.body) == ("a:latest", "b"), "as another node would read it"


async def test_the_official_ollama_client_understands_the_tags() -> None:
    """Each model once; what is not known of it is empty but there."""
    door = ollama_tags_door(lambda: MODELS, wall_clock=lambda: 1_800_000_000.0)
    respond = await _get(door)
    models = ListResponse.model_validate_json(respond.body).models
    assert [model.model for model in models] == ["a:latest", "b"]
    assert [str(model.modified_at) for model in models] == [
        "2023-11-14 22:13:20.500000+00:00",
        "2027-01-15 08:00:00+00:00",
    ]
    assert [(model.size, model.digest) for model in models] == [(0, ""), (0, "")]
    assert decode_tags(respond.body) == ("a:latest", "b"), "as another node would read it"


async def test_the_models_are_asked_for_anew() -> None:
    """A model that appears later is listed from then on."""
    served: list[ServedModel] = []
    door = models_door(lambda: served, wall_clock=lambda: 0.0)
    assert decode_models((await _get(door)).body) == ()
    served.append(MODELS[0])
    assert decode_models((await _get(door)).body) == ("a:latest",)


async def test_the_version() -> None:
    """GET /api/version is what Ollama's clients look for first."""
    respond = await _get(ollama_version_door("1.2.3"))
    assert respond.body == b'{"version":"1.2.3"}'


async def test_one_model() -> None:
    """By its name, which may hold slashes; another is a 404 in the client's dialect."""
    door = models_door(
        lambda: [ServedModel(name="org/a:latest", workers=(WorkerName("w"),))],
        wall_clock=lambda: 5.0,
    )
    found = await _get(door, params={"model": "org/a:latest"})
    assert Model.model_validate_json(found.body, strict=True).id == "org/a:latest"
    missing = json.loads((await _get(door, params={"model": "b"}, status=404)).body)
    assert missing["error"]["code"] == "model_not_found"
    asked: dict[str, Any] = {"params": {"model": "b"}, "headers": {"anthropic-version": "x"}}
    missing = json.loads((await _get(door, **asked, status=404)).body)
    assert missing["error"]["type"] == "not_found_error"


async def test_anthropic_s_clients_see_their_own_shape() -> None:
    """Known by their header; the list and the one model."""
    door = models_door(lambda: MODELS, wall_clock=lambda: 1_800_000_000.0)
    headers = {"anthropic-version": "2023-06-01"}
    listed = json.loads((await _get(door, headers=headers)).body)
    models = [ModelInfo.model_validate(model) for model in listed["data"]]
    assert [(model.id, model.type) for model in models] == [("a:latest", "model"), ("b", "model")]
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "a:latest", "b")
    one = await _get(door, headers=headers, params={"model": "b"})
    assert ModelInfo.model_validate_json(one.body).created_at.year == 2027
