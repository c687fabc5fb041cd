from typing import TYPE_CHECKING

import pytest
from ollama import ListResponse, ProcessResponse, ShowResponse

from cortexd.domain.feature import Feature
from cortexd.domain.ids import WorkerName
from cortexd.http.doors.ollama import ollama_ps_door, ollama_show_door, ollama_tags_door
from cortexd.http.doors.ollama_models import SHOW_BYTES_MAX
from cortexd.http.doors.served_model import ServedModel

if TYPE_CHECKING:
    from tests.doors.conftest import Ask

WALL_S = 1_767_225_600.0
MODELS = [
    ServedModel(
        name="a:latest",
        workers=(WorkerName("w1"),),
        created_s=1_700_000_000.0,
        features=frozenset({Feature.CHAT, Feature.TOOLS, Feature.IMAGES, Feature.REASONING}),
    ),
    ServedModel(name="e", features=frozenset({Feature.EMBEDDINGS, Feature.DIMENSIONS})),
    ServedModel(name="u"),
]
SHOW = ollama_show_door(lambda: MODELS, wall_clock=lambda: WALL_S)
TAGS = ollama_tags_door(lambda: MODELS, wall_clock=lambda: WALL_S)
PS = ollama_ps_door(lambda: MODELS, wall_clock=lambda: WALL_S)


@pytest.mark.parametrize("field", ["model", "name"])
async def test_what_is_known_of_a_model(ask: "Ask", field: str) -> None:
    """Its capabilities and age; all else is empty, but there."""
    answered = await ask(SHOW, {field: "a", "verbose": True})
    assert answered.status == 200
    shown = ShowResponse.model_validate(answered.document)
    assert shown.capabilities == ["completion", "tools", "vision", "thinking"]
    assert shown.modelinfo == {}
    assert (shown.modelfile, shown.parameters, shown.template) == ("", "", "")
    assert shown.details is not None
    assert (shown.details.family, shown.details.families) == ("", [])
    assert str(shown.modified_at) == "2023-11-14 22:13:20+00:00"


async def test_a_model_of_which_nothing_is_known(ask: "Ask") -> None:
    """No capability is made up, and it is as old as the door."""
    document = (await ask(SHOW, {"model": "u"})).document
    assert document["capabilities"] == []
    assert document["modified_at"] == "2026-01-01T00:00:00.000000+00:00"


async def test_any_model(ask: "Ask") -> None:
    """The name for any model is understood here as everywhere."""
    document = (await ask(SHOW, {"model": "auto"})).document
    assert document["capabilities"] == ["completion", "tools", "vision", "thinking"]


async def test_an_unknown_model_is_not_shown(ask: "Ask") -> None:
    """The error is the real server's; characters that do not show are escaped."""
    answered = await ask(SHOW, {"name": "x\u202ey"})
    assert answered.status == 404
    assert answered.document == {"error": "model 'x\\u202ey' not found"}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "model is missing"),
        ({"model": 1}, "model must be a string"),
        ({"model": "x\u202ey"}, "model has characters that do not show"),
        ({"model": "a", "api_base": "x"}, "api_base is not supported"),
        ({"model": "a", "template": "x"}, "template is not supported"),
        ({"model": "a", "verbose": "yes"}, "verbose must be a boolean"),
    ],
)
async def test_a_wrong_question(ask: "Ask", document: object, says: str) -> None:
    """It is refused by name, in the dialect's shape."""
    answered = await ask(SHOW, document)
    assert answered.status == 400
    assert says in answered.document["error"]


async def test_a_body_too_long_to_name_a_model(ask: "Ask") -> None:
    """It is not even read."""
    assert (await ask(SHOW, {"model": "a", "system": "x" * SHOW_BYTES_MAX})).status == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, 200),
        ({"content-type": "application/x-www-form-urlencoded", "origin": "http://evil"}, 415),
        ({"content-type": "text/plain"}, 415),
    ],
)
async def test_show_takes_a_bare_curl(ask: "Ask", headers: dict[str, str], status: int) -> None:
    """As all of Ollama's endpoints do, but not from a browser."""
    assert (await ask(SHOW, {"model": "a"}, headers=headers)).status == status


async def test_the_tags_tell_capabilities_where_they_are_known(ask: "Ask") -> None:
    """Newer clients look for them there; older ones overlook them."""
    document = (await ask(TAGS)).document
    models = ListResponse.model_validate(document).models
    assert [model.model for model in models] == ["a:latest", "e", "u"]
    assert [model.get("capabilities") for model in document["models"]] == [
        ["completion", "tools", "vision", "thinking"],
        ["embedding"],
        None,
    ]
    assert document["models"][0]["details"]["quantization_level"] == ""


async def test_all_models_are_loaded(ask: "Ask") -> None:
    """They answer when asked, for as long as anybody can see ahead; their size is not known."""
    models = ProcessResponse.model_validate((await ask(PS)).document).models
    assert [model.name for model in models] == ["a:latest", "e", "u"]
    assert {(model.size, model.size_vram, model.digest) for model in models} == {(0, 0, "")}
    assert models[0].expires_at is not None
    assert models[0].expires_at.year > 2100
