"""Upstreams that refuse: every error of everybody, and rate limits (U23)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.fakes.scene import Scene, Trouble
from tests.faults.upstream import until
from tests.faults.upstream_faults import bare, first, headed
from tests.faults.upstream_node import Node, Stock
from tests.matrix.conftest import BASES
from tests.matrix.doors import ClientDoor

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

STOCK = {
    **{name: Stock(20, name) for name in BASES},
    "openai": Stock(30),
    "openai-3-keys": Stock(1, keys=3),
}

WAIT_S = 30

VERDICTS = {
    Trouble.BAD_REQUEST: "refused",
    Trouble.CONTEXT_TOO_LONG: "refused",
    Trouble.BAD_KEY: "bad key",
    Trouble.INVALID_TOKEN: "bad key",
    Trouble.FORBIDDEN: "bad key",
    Trouble.NO_MODEL: "refused",
    Trouble.TOO_LARGE: "refused",
    Trouble.UNPROCESSABLE: "refused",
    Trouble.RATE_LIMIT: "rate limited",
    Trouble.QUOTA: "quota exhausted",
    Trouble.MONTHLY_QUOTA: "quota exhausted",
    Trouble.SPEND_LIMIT: "quota exhausted",
    Trouble.SERVER_ERROR: "server error",
    Trouble.BAD_GATEWAY: "server error",
    Trouble.TIMEOUT: "server error",
    Trouble.OVERLOADED: "overloaded",
    Trouble.FLEX_CAPACITY: "overloaded",
}


def _all_troubles() -> list[tuple[str, Trouble]]:
    return [
        (name, trouble)
        for name, (dialect, _) in BASES.items()
        for trouble in VERDICTS
        if trouble in dialect.complaints
    ]


@pytest.mark.parametrize(("type_", "trouble"), _all_troubles())
def test_every_error_of_every_provider(node: Node, type_: str, trouble: Trouble) -> None:
    """What another worker can mend is mended; what the client did wrong, it is told.

    A prompt too long for one may be short enough for the other.
    """
    target = node.take(type_)
    target.upstream.fake.play(Scene.refuse(trouble, retry_after_s=WAIT_S))
    heard = node.ask(target.backed)
    verdict = VERDICTS[trouble]
    if verdict == "refused" and trouble is not Trouble.CONTEXT_TOO_LONG:
        assert heard.status == int(trouble.value.split()[0])
        assert heard.headers["x-cortexd-attempts"].startswith(f"1 ({target.name}: refused")
    else:
        assert (heard.status, heard.text) == (200, "all is well")
        assert heard.headers["x-cortexd-attempts"].startswith(f"2 ({target.name}: {verdict}; ")
    assert len(target.upstream.asked) == 1


def _in_the_future() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=WAIT_S), usegmt=True)


def _rfc_3339() -> str:
    return (datetime.now(UTC) + timedelta(seconds=WAIT_S)).isoformat().replace("+00:00", "Z")


FORMS: dict[str, tuple[str, dict[str, str | Callable[[], str]] | None]] = {
    "seconds": ("openai", {"retry_after": f"{WAIT_S}"}),
    "date": ("openai", {"retry_after": _in_the_future}),
    "milliseconds": ("openai", {"retry_after_ms": f"{WAIT_S}000", "retry_after": "1"}),
    "reset of requests": (
        "openai",
        {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": f"{WAIT_S}s"},
    ),
    "reset of tokens": (
        "openai",
        {"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": f"0m{WAIT_S}s"},
    ),
    "RFC 3339": (
        "anthropic",
        {
            "anthropic_ratelimit_requests_remaining": "0",
            "anthropic_ratelimit_requests_reset": _rfc_3339,
        },
    ),
    "seconds, cohere": ("cohere", {"retry_after": f"{WAIT_S}"}),
    "seconds, ollama": ("ollama", {"retry_after": f"{WAIT_S}"}),
    "RetryInfo": ("gemini", None),
}


@pytest.mark.parametrize("form", FORMS)
def test_u23_rate_limit(node: Node, form: str) -> None:
    """It sets a gate for all: others are used, and nobody calls before it opens."""
    type_, headers = FORMS[form]
    target = node.take(type_)
    # Groq's own words give a time, too, and so does the document of Gemini.
    target.upstream.fake.play(
        Scene.refuse(Trouble.RATE_LIMIT, retry_after_s=WAIT_S if headers is None else None)
    )
    if headers is not None:
        fields = {name: value() if callable(value) else value for name, value in headers.items()}
        target.upstream.fault = headed(**fields)
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    assert heard.headers["x-cortexd-attempts"] == (
        f"2 ({target.name}: rate limited; healthy: taken)"
    )
    for _ in range(3):
        heard = node.ask(target.backed)
        assert (heard.status, heard.text) == (200, "all is well")
        assert heard.headers["x-cortexd-attempts"] == (
            f"1 (healthy: taken; {target.name}: skipped, rate limited)"
        )
    heard = node.ask(target.alone)
    assert heard.status == 429
    assert WAIT_S / 2 < int(heard.headers["retry-after"]) <= WAIT_S
    assert len(target.upstream.asked) == 1
    assert node.opened(target) == 0


def test_u23_rate_limit_over(node: Node) -> None:
    """When the gate opens it is asked again, and not before."""
    target = node.take()
    limited = bare(429, b"{}", retry_after_ms="300")
    target.upstream.fault = first(limited)
    assert node.ask(target.backed).text == "all is well"
    until(lambda: node.ask(target.backed).text == "Hello world")
    before, after = target.upstream.asked
    assert after.at - before.at >= 0.3


def test_u23_rate_limit_without_end(node: Node, door: ClientDoor) -> None:
    """No rate limit holds for longer than a minute, whatever it says; the door tells its client."""
    target = node.take()
    target.upstream.fault = bare(429, b"{}", retry_after="1000000")
    node.ask(target.backed)
    heard = node.ask(target.alone, door)
    assert heard.status == 429
    assert 30 < int(heard.headers["retry-after"]) <= 60


def test_u23_rate_limit_of_one_key(node: Node) -> None:
    """The others are of use, and at once."""
    target = node.take("openai-3-keys")
    target.upstream.fault = first(bare(429, b"{}", retry_after=f"{WAIT_S}"))
    heards = [node.ask(target.backed) for _ in range(4)]
    assert [heard.text for heard in heards] == ["Hello world"] * 4
    limited, *others = [asked.key for asked in target.upstream.asked]
    assert limited not in others
    assert len(others) == 4
