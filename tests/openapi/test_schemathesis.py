"""Schemathesis makes requests from the document, right and wrong ones, and a node answers them."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import positive_data_acceptance

from cortexd.http.openapi.document import openapi_document
from tests.daemon import Daemon, running_daemon
from tests.openapi.made_requests import CHECKS, HANGS_S, ask, loaded, operations

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

SETTINGS: Final = {
    "checks": {
        # 422: an idempotency key that another request of the same run has had.
        "positive_data_acceptance": {"expected-statuses": ["200", "422"]},
        "negative_data_rejection": {"expected-statuses": ["400", "405", "413", "415"]},
    },
    "operations": [
        {
            # A name that is none is one that nobody serves.
            "include-operation-id": "describeModel",
            "checks": {"negative_data_rejection": {"expected-statuses": ["400", "404", "405"]}},
        },
        # The same prompts as for messages.
        {
            "include-operation-id": "countTokens",
            "phases": {"coverage": {"enabled": False}},
        },
    ],
}

BEYOND_SCHEMAS: Final = {
    "calls have results, results have calls": (
        r"answers (the|a) call|before the answer to call|for two calls"
    ),
    "a chosen tool is there": r"is not the name of a tool|is no tool of this request",
    "no two tools have one name": r"is the name of two tools",
    "a result names the function that was called": r"is not the function that was called",
    "results stand before what else is said": r"must come before all other blocks",
    "two words for one thing agree": r"contradicts",
    "a text is the JSON of an object": r"is not the JSON of an object",
    "one number is less than another": r"must be less than max_tokens",
    "no effort without thinking": r"not supported together with output_config\.effort",
    "names can be printed": r"characters that do not show",
    "a number is one that programs can hold": r"is out of range",
}
"""What a schema cannot say of a request, and how the refusal says it."""

MODEL: Final = "scripted"
STREAMS: Final = [
    ("/api/chat", {"messages": [{"role": "user", "content": "Hello"}]}),
    ("/api/generate", {"prompt": "Hello"}),
]
LONG: Final = 1000

WORKER: Final = """
[[workers]]
name = "actor"
type = "scripted"
script = [{ think = "Hm." }, { say = "All is well." }]
"""


def _without_long_lists(schema: Any) -> Any:
    """The same, but for limits whose requests would take minutes to make and prove little more."""
    if isinstance(schema, list):
        return [_without_long_lists(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_long_lists(one)
        for name, one in schema.items()
        if not (name == "maxItems" and isinstance(one, int) and one >= LONG)
    }


@pytest.fixture(scope="module")
def api(document: dict[str, Any]) -> Any:
    """The document in the hands of Schemathesis."""
    return loaded(_without_long_lists(document), SETTINGS, examples_max=15)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Connections that are used again."""
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node with one worker, which can do everything."""
    with running_daemon(tmp_path_factory.mktemp("openapi"), WORKER) as daemon:
        yield daemon


@pytest.mark.parametrize(("method", "path"), operations(openapi_document("1.2.3")))
def test_requests_are_answered_as_documented(
    method: str, path: str, api: Any, daemon: Daemon, session: requests.Session
) -> None:
    """Right ones with 200, wrong ones with what is wrong, and both in the documented form."""

    def answered_as_documented(case: Any) -> None:
        is_right = case.meta.generation.mode.is_positive
        if is_right:
            _make_answerable(case)
        response = case.call(base_url=daemon.url, session=session, timeout=HANGS_S)
        # The examples are right in every respect.
        may_be_wrong = is_right and case.meta.phase.name is not TestPhase.EXAMPLES
        is_beyond = may_be_wrong and response.status_code == 400 and _is_beyond(response.text)
        excused = [positive_data_acceptance] if is_beyond else []
        case.validate_response(response, checks=CHECKS, excluded_checks=excused)

    ask(api, method, path, answered_as_documented)


def _is_beyond(told: str) -> bool:
    return any(re.search(rule, told) for rule in BEYOND_SCHEMAS.values())


@pytest.mark.parametrize(("path", "asked"), STREAMS)
def test_every_line_of_a_stream_fits(
    path: str, asked: dict[str, Any], daemon: Daemon, document: dict[str, Any], complaints: Any
) -> None:
    """Schemathesis does not read streams of JSON."""
    answer = document["paths"][path]["post"]["responses"]["200"]
    schema = answer["content"]["application/x-ndjson"]["schema"]
    answered = requests.post(daemon.url + path, json=asked, timeout=HANGS_S)
    assert answered.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answered.text.splitlines()]
    assert [line["done"] for line in lines] == [False, False, True]
    assert [complaints(schema, line) for line in lines] == [[], [], []]


def _make_answerable(case: Any) -> None:
    """Name a model that is there, leave time to answer, and write integers as integers.

    To JSON Schema, 1.0 is one; to the readers it is not: digits are lost on the way through a
    float, and nobody would notice.
    """
    if "x-request-timeout" in (case.headers or {}):
        case.headers["x-request-timeout"] = "20"
    if isinstance(case.body, dict):
        case.body = _with_integers(case.body)
        case.body |= {name: "auto" for name in ("model", "name") if case.body.get(name)}
    if case.path_parameters:
        case.path_parameters["model"] = MODEL


def _with_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_integers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_integers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
