"""What a worker is asked again, and what not, where nobody else is there to be asked."""

from collections.abc import Mapping
from typing import Final

import httpx
import pytest

from tests.fakes.scene import Scene, Trouble
from tests.faults.upstream_faults import (
    bare,
    first,
    hang_up,
    head_alone,
    never_answer,
    reset,
    truncated,
)
from tests.faults.upstream_node import OPENING_SOON, RETRYING, Node, Stock
from tests.faults.upstream_wire import Fault

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SETTINGS = OPENING_SOON + RETRYING
STOCK = {"openai": Stock(16), "waiting": Stock(3, settings="first_token_seconds = 0.3")}

GATE_S: Final = 0.3


PASSING: Mapping[str, tuple[Fault, str]] = {
    "truncated": (truncated, "server error"),
    "error": (bare(500, b"{}"), "server error"),
    "page": (bare(502, b"<html>", content_type="text/html"), "server error"),
    "overloaded": (bare(503, b"{}"), "overloaded"),
    "closed": (hang_up, "unreachable"),
    "reset": (reset, "unreachable"),
}


@pytest.mark.parametrize("fault", PASSING)
def test_u10_a_failure_that_passes(node: Node, fault: str) -> None:
    """Nothing has been sent, so it is asked once more; the client gets one good answer."""
    target = node.take()
    bad, words = PASSING[fault]
    target.upstream.fault = first(bad)
    heard = node.ask(target.alone, stream=False)
    assert (heard.status, heard.text) == (200, "Hello world")
    assert heard.headers["x-cortexd-attempts"] == (
        f"2 ({target.name}: {words}; {target.name}: taken)"
    )
    assert len(target.upstream.asked) == 2


def test_u10_truncated_vectors(node: Node) -> None:
    """The same for a document; for one that is always cut there is an end to it."""
    target = node.take()
    document = {"model": target.alone, "input": "hi"}
    url = f"{node.daemon.url}/v1/embeddings"
    target.upstream.fault = first(truncated)
    assert httpx.post(url, json=document, timeout=20).status_code == 200
    assert len(target.upstream.asked) == 2
    target.upstream.fault = truncated
    answer = httpx.post(url, json=document, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "bad_upstream_response")
    assert len(target.upstream.asked) == 4


@pytest.mark.parametrize("fault", [never_answer, head_alone])
def test_u3_u5_silence_is_not_asked_again(node: Node, fault: Fault) -> None:
    """Who has been waited for that long is not waited for once more."""
    target = node.take("waiting")
    target.upstream.fault = fault
    assert node.ask(target.alone).status == 504
    assert len(target.upstream.asked) == 1


def test_u23_the_gate_is_waited_for(node: Node) -> None:
    """Not a call before it, and a good answer behind it."""
    target = node.take()
    target.upstream.fault = first(bare(429, b"{}", retry_after_ms=f"{GATE_S * 1000:.0f}"))
    assert node.ask(target.alone).text == "Hello world"
    limited, good = target.upstream.asked
    assert good.at - limited.at >= GATE_S


def test_u23_a_gate_behind_the_deadline_is_not(node: Node) -> None:
    """No attempt begins that cannot end; the client is told when to come again."""
    target = node.take()
    target.upstream.fault = bare(429, b"{}", retry_after="15")
    heard = node.ask(target.alone, timeout_s=5)
    assert (heard.status, heard.error_code) == (429, "rate_limit_exceeded")
    assert 10 <= int(heard.headers["retry-after"]) <= 15
    assert len(target.upstream.asked) == 1


@pytest.mark.parametrize("trouble", [Trouble.BAD_REQUEST, Trouble.NO_MODEL, Trouble.QUOTA])
def test_what_no_time_mends_is_not_asked_again(node: Node, trouble: Trouble) -> None:
    """A wrong request stays wrong, and a quota used up."""
    target = node.take()
    target.upstream.fake.play(Scene.refuse(trouble))
    assert node.ask(target.alone).status in {400, 404, 503}
    assert len(target.upstream.asked) == 1
