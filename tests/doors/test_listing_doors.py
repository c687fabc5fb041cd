from collections.abc import Sequence

import attrs
from ollama import ListResponse
from openai.pagination import SyncPage
from openai.types import Model

from cortexd.domain.ids import WorkerName
from cortexd.http.doors.door import Door, DoorRequest
from cortexd.http.doors.ollama import ollama_tags_door, ollama_version_door
from cortexd.http.doors.openai import openai_models_door
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


async def _get(door: Door) -> Recorder:
    respond = Recorder()
    await door.answer(DoorRequest(method="GET", path="/", headers={}, body=b""), respond)
    assert respond.status == 200
    assert respond.finished
    assert respond.headers == {
        "content-type": "application/json",
        "content-length": str(len(respond.body)),
        "cache-control": "no-store",
    }
    return respond


async def test_the_official_openai_client_understands_the_models() -> None:
    """Each model once, with its owner; one of unknown age is as old as the door."""
    door = openai_models_door(lambda: MODELS, wall_clock=lambda: 1_800_000_000.0)
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
    door = openai_models_door(lambda: served, wall_clock=lambda: 0.0)
    assert decode_models((await _get(door)).body) == ()
    served.append(MODELS[0])
    assert decode_models((await _get(door)).body) == ("a:latest",)


async def test_the_version() -> None:
    """GET /api/version is what Ollama's clients look for first."""
    respond = await _get(ollama_version_door("1.2.3"))
    assert respond.body == b'{"version":"1.2.3"}'
