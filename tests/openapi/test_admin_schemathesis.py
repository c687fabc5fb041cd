"""Schemathesis asks the admin listener of a running node, with the token, as its document says."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import requests
from schemathesis.specs.openapi.checks import ignored_auth

from cortexd.http.openapi.admin_document import admin_openapi_document
from tests.daemon import Daemon, running_daemon
from tests.openapi.made_requests import CHECKS, HANGS_S, ask, loaded, operations
from tests.operator import operating

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.slow,
    pytest.mark.usefixtures("unmeasured"),
]

SETTINGS: Final = {
    "checks": {
        # 404 and 409: names are made up, and of things that are there some are not as they must be.
        # 400 and 422: what a schema does not say of a value, the configuration's own checks do.
        "positive_data_acceptance": {
            "expected-statuses": ["200", "201", "202", "400", "404", "409", "422"]
        },
        "negative_data_rejection": {
            "expected-statuses": ["400", "404", "405", "409", "413", "415", "422"]
        },
    },
}

LEFT_OUT: Final = frozenset(
    {
        ("get", "/admin/events"),  # has no end
        ("post", "/admin/chat"),  # is described, and asked, at the data listener
        ("post", "/admin/login"),  # slows down whoever has the wrong token
        ("get", "/admin/session"),  # is for who has one
    }
)
DOCUMENT: Final = admin_openapi_document("1.2.3")
OPERATIONS: Final = [each for each in operations(DOCUMENT) if each not in LEFT_OUT]
LISTINGS: Final = [path for method, path in OPERATIONS if method == "get" and "{" not in path]

WORKERS: Final = """
[[workers]]
name = "talker"
type = "scripted"
script = [{ say = "All is well." }]

[[workers]]
name = "failing"
type = "scripted"
models = ["failing"]
script = [{ fail = "server_error" }]
"""


@pytest.fixture(scope="module")
def api() -> Any:
    """The document in the hands of Schemathesis."""
    return loaded(DOCUMENT, SETTINGS, examples_max=10)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A node that has something to show: a worker, a dead letter, a key."""
    with running_daemon(tmp_path_factory.mktemp("openapi"), WORKERS) as daemon:
        with operating(daemon) as operator:
            for model in ("failing", "talker"):
                body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
                httpx.post(f"{daemon.url}/v1/chat/completions", json=body, timeout=HANGS_S)
            assert operator.ask("POST", "/admin/keys", {"name": "a"}).status_code == 201
        yield daemon


@pytest.fixture(scope="module")
def session(daemon: Daemon) -> Iterator[requests.Session]:
    """Connections that are used again."""
    token = (daemon.folder / "state" / "admin-token").read_text(encoding="ascii").strip()
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {token}"
        yield session


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_admin_api_answers_as_documented(
    method: str, path: str, api: Any, daemon: Daemon, session: requests.Session
) -> None:
    """Right requests and wrong ones, in the documented form."""

    def answered_as_documented(case: Any) -> None:
        case.headers = {**(case.headers or {}), **session.headers}
        response = case.call(base_url=daemon.admin_url, session=session, timeout=HANGS_S)
        case.validate_response(response, checks=CHECKS, excluded_checks=[ignored_auth])

    ask(api, method, path, answered_as_documented)


@pytest.mark.parametrize("path", LISTINGS)
def test_the_document_describes_what_there_is(path: str, daemon: Daemon, api: Any) -> None:
    """The plain request to each listing answers 200, so that its schema has been looked at."""
    with operating(daemon) as operator:
        response = operator.ask("GET", path)
    assert response.status_code == 200, response.text
    api[path]["get"].validate_response(response)
