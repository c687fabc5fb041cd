"""Each door with each remote worker that fails: the status, the shape, and no lie about the end."""

import json

import pytest

from tests.fakes.scene import Scene, Trouble
from tests.matrix.conftest import How, Talk
from tests.matrix.doors import Heard

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STATUSES = {
    Trouble.BAD_REQUEST: 400,
    Trouble.CONTEXT_TOO_LONG: 400,
    Trouble.BAD_KEY: 503,
    Trouble.FORBIDDEN: 503,
    Trouble.NO_MODEL: 404,
    Trouble.RATE_LIMIT: 429,
    Trouble.SERVER_ERROR: 502,
    Trouble.BAD_GATEWAY: 502,
    Trouble.OVERLOADED: 503,
    Trouble.TIMEOUT: 502,
}
"""What the client is told: its own fault with its own status, ours with a 5xx."""

TAKEN_TO_HEART = {Trouble.BAD_KEY, Trouble.FORBIDDEN, Trouble.RATE_LIMIT, Trouble.OVERLOADED}
"""Whatever else that worker is asked in the meantime, it is not."""

ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
}
OPENAI_TYPES = {
    400: "invalid_request_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
    502: "server_error",
    503: "overloaded_error",
}


def _check_error(heard: Heard, talk: Talk, status: int) -> None:
    assert heard.status == status, heard.body
    assert heard.headers["content-type"] == "application/json"
    assert heard.error
    for hidden in (talk.fake.base_url, "127.0.0.1", "good-key", "Traceback"):
        assert hidden not in heard.body.decode()
    if talk.door.name == "openai":
        assert heard.error_kind == OPENAI_TYPES[status]
    if talk.door.name == "anthropic":
        assert heard.error_kind == ANTHROPIC_TYPES[status]
    assert ("retry-after" in heard.headers) == (status in {429, 503})


@pytest.mark.parametrize("trouble", STATUSES, ids=lambda trouble: trouble.name.lower())
def test_a_refusal(
    talk: Talk,
    trouble: Trouble,
    how: How,
) -> None:
    """An error instead of an answer is an error with a status, streamed or not."""
    if trouble not in talk.fake.dialect.complaints:
        trouble_status: Trouble | int = int(trouble.value.split()[0])
    else:
        trouble_status = trouble
    talk.fake.play(Scene.refuse(trouble_status, retry_after_s=3))
    heard = talk.ask_spare(how=how) if trouble in TAKEN_TO_HEART else talk.ask(how=how)
    _check_error(heard, talk, STATUSES[trouble])
    if trouble is Trouble.CONTEXT_TOO_LONG and trouble in talk.fake.dialect.complaints:
        assert heard.error_code in {None, "context_length_exceeded"}
        assert (heard.error_code is None) == (talk.door.name != "openai")
    if trouble is Trouble.RATE_LIMIT:
        assert heard.headers["retry-after"] == "3"


def test_an_error_as_a_200(
    talk: Talk,
    how: How,
) -> None:
    """The status is no proof."""
    talk.fake.play(Scene.error_as_200())
    heard = talk.ask(how=how)
    _check_error(heard, talk, 502)


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.OVERLOADED])
def test_an_error_inside_a_200(
    talk: Talk,
    trouble: Trouble,
    how: How,
) -> None:
    """Behind the first words: in band and without a terminator; or, if kept back, a status.

    Kept back are also words that came in the same read as the error.
    """
    talk.fake.play(
        Scene.text("Hello brave new world").error_in_stream(after_pieces=2, trouble=trouble)
    )
    heard = talk.ask(how=how)
    if how == "streamed" and heard.status == 200:
        _check_broken(heard)
    else:
        assert heard.status in {502, 503}
        _check_error(heard, talk, heard.status)


@pytest.mark.parametrize("loss", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_stream_that_is_cut(
    talk: Talk,
    after: int,
    how: How,
    loss: str,
) -> None:
    """A broken answer never looks complete."""
    talk.fake.play(
        Scene.text("Hello brave new world").cut(after_pieces=after, reset=loss == "reset")
    )
    heard = talk.ask(how=how)
    # A reset may overtake the words before it.
    if how == "streamed" and heard.status == 200:
        _check_broken(heard)
    else:
        _check_error(heard, talk, 502)
    assert (heard.status == 200) <= (how == "streamed" and after > 0)


def _check_broken(heard: Heard) -> None:
    assert heard.status == 200
    assert heard.error
    assert not heard.is_ended
    assert "Hello brave new world".startswith(heard.text)
    assert heard.text != "Hello brave new world"


def test_after_all_that_every_worker_still_serves(talk: Talk) -> None:
    """Nothing of it has stuck, and each request has its account."""
    talk.fake.play(Scene.text("Hello world"))
    heard = talk.ask()
    assert (heard.status, heard.text) == (200, "Hello world")
    dashboard = talk.gateway.daemon.admin("/admin/dashboard")
    assert talk.fake.base_url not in json.dumps(dashboard)
    workers = {worker["name"]: worker for worker in dashboard["workers"]}
    connections = workers[talk.kind]["connections"]
    assert connections["in_use"] == connections["connecting"] == 0
    assert connections["opened"] > 0
    assert workers["scripted"]["connections"] is None
