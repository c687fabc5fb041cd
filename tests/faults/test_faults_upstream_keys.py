"""API keys that are refused or used up: U25 and U27 of the catalogue."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from tests.fakes.dialect import Complaint
from tests.fakes.scene import Trouble
from tests.faults.upstream import Upstream
from tests.faults.upstream_faults import bare, first
from tests.faults.upstream_node import KEYS, Node, Stock, Target
from tests.matrix.conftest import BASES
from tests.matrix.doors import ClientDoor

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

KEYED = tuple(name for name, (dialect, _) in BASES.items() if dialect.keys)

STOCK = {
    **{name: Stock(9, name) for name in BASES},
    "openai": Stock(30),
    **{f"{name}-3-keys": Stock(6, name, keys=3) for name in KEYED},
    "openai-5-keys": Stock(1, keys=5),
}

REGAINED = datetime.now(UTC) + timedelta(days=3)


def _reject(target: Target, *keys: str) -> None:
    target.upstream.fake.keys = {"another-key", *KEYS} - set(keys)


@pytest.mark.parametrize("type_", KEYED)
def test_u25_bad_key_among_three(node: Node, type_: str) -> None:
    """No client notices; the key is off, and its alert comes once."""
    target = node.take(f"{type_}-3-keys")
    _reject(target, KEYS[0])
    heards = [node.ask(target.alone) for _ in range(6)]
    assert {(heard.status, heard.text) for heard in heards} == {(200, "Hello world")}
    keys = [asked.key for asked in target.upstream.asked]
    assert keys.count(KEYS[0]) == 1
    assert keys.count(KEYS[1]) == keys.count(KEYS[2]) == 3
    [change] = node.entries("key changed", worker=target.name)
    assert (change["key"], change["state"], change["rest_s"]) == (0, "rejected", 600.0)
    assert node.opened(target) == 0


def test_u25_four_bad_keys_among_five(node: Node) -> None:
    """Trying keys is no attempt, so that more can be tried than there are attempts."""
    target = node.take("openai-5-keys")
    _reject(target, *KEYS[:4])
    assert node.ask(target.alone).text == "Hello world"
    assert len(node.entries("key changed", worker=target.name)) == 4


@pytest.mark.parametrize("type_", KEYED)
def test_u25_all_keys_bad(node: Node, door: ClientDoor, type_: str) -> None:
    """503 and never 401: the client's own key is fine. Nobody calls with a dead key again."""
    target = node.take(f"{type_}-3-keys")
    _reject(target, *KEYS)
    for _ in range(3):
        heard = node.ask(target.alone, door)
        assert heard.status == 503
        assert heard.error_code in {None, "no_healthy_key"}
        assert int(heard.headers["retry-after"]) >= 1
        for key in KEYS:
            assert key not in heard.body.decode()
    assert sorted(asked.key or "" for asked in target.upstream.asked) == sorted(KEYS[:3])
    assert len(node.entries("key changed", worker=target.name, state="rejected")) == 3
    heard = node.ask(target.backed, door)
    assert (heard.status, heard.text) == (200, "all is well")
    assert all(key not in node.log_of(target) for key in KEYS)


def _quote_the_key(target: Target, status: int) -> None:
    error = {"message": f"Incorrect API key provided: {KEYS[0]}", "type": "x", "code": None}
    document = json.dumps({"error": error}).encode()
    target.upstream.fault = bare(status, document, content_type="application/json")


@pytest.mark.parametrize(
    "status",
    [
        400,
        401,
        429,
        500,
    ],
)
def test_u25_a_key_that_is_quoted_is_not_passed_on(
    node: Node, door: ClientDoor, status: int
) -> None:
    """Whatever the upstream says, its key is none of the client's business."""
    target = node.take()
    _quote_the_key(target, status)
    heard = node.ask(target.alone, door)
    assert heard.error
    assert KEYS[0] not in heard.body.decode()


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_u25_a_key_that_is_quoted_is_not_logged(node: Node, status: int) -> None:
    """Nor does it belong into the log."""
    target = node.take()
    _quote_the_key(target, status)
    node.account(node.ask(target.alone))
    assert KEYS[0] not in node.log_of(target)


QUOTAS: dict[str, tuple[str, Trouble | Complaint]] = {
    f"{name} {trouble.name.lower()}": (name, trouble)
    for (name, (dialect, _)), trouble in product(
        BASES.items(), (Trouble.QUOTA, Trouble.MONTHLY_QUOTA, Trouble.SPEND_LIMIT)
    )
    if trouble in dialect.complaints
} | {
    f"openai {code}": ("openai", Complaint(429, "You have run out of it.", code, code))
    for code in (
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    )
}
QUOTAS |= {
    "openai 402": ("openai", Complaint(402, "Payment required.")),
    "groq blocked_api_access": (
        "groq",
        Complaint(400, "Spend limit reached.", "invalid_request_error", "blocked_api_access"),
    ),
    "anthropic credit": (
        "anthropic",
        Complaint(
            400,
            "Your credit balance is too low to access the Anthropic API.",
            "invalid_request_error",
        ),
    ),
}


def _refuse(upstream: Upstream, refusal: Trouble | Complaint, **headers: str) -> None:
    complaint = (
        upstream.fake.dialect.complaint(refusal) if isinstance(refusal, Trouble) else refusal
    )
    document = json.dumps(upstream.fake.dialect.error(complaint), default=str).encode()
    upstream.fault = bare(complaint.status, document, content_type="application/json", **headers)


@pytest.mark.parametrize("quota", QUOTAS)
def test_u27_quota(node: Node, quota: str) -> None:
    """The key rests, somebody else answers, and nobody is to blame."""
    type_, refusal = QUOTAS[quota]
    target = node.take(type_)
    _refuse(target.upstream, refusal)
    heard = node.ask(target.backed)
    assert (heard.status, heard.text) == (200, "all is well")
    assert heard.headers["x-cortexd-attempts"] == (
        f"2 ({target.name}: quota exhausted; healthy: taken)"
    )
    heard = node.ask(target.backed)
    assert heard.headers["x-cortexd-attempts"] == (
        f"1 (healthy: taken; {target.name}: skipped, no healthy key)"
    )
    heard = node.ask(target.alone)
    assert (heard.status, heard.error_code) == (503, "no_healthy_key")
    assert len(target.upstream.asked) == 1
    [change] = node.entries("key changed", worker=target.name)
    assert (change["state"], change["rest_s"] > 60) == ("exhausted", True)
    assert node.opened(target) == 0


UNTIL: dict[str, tuple[str, Complaint, dict[str, str], float]] = {
    "retry-after": (
        "openai",
        Complaint(429, "Used up.", "insufficient_quota", "insufficient_quota"),
        {"retry_after": "259200"},
        259_200.0,
    ),
    "date in the text": (
        "anthropic",
        Complaint(
            400,
            "You have reached your specified API usage limits. "
            f"You will regain access on {REGAINED:%Y-%m-%d} at {REGAINED:%H:%M} UTC.",
            "invalid_request_error",
        ),
        {},
        259_200.0,
    ),
    "time in the text": (
        "groq",
        Complaint(
            429,
            "Rate limit reached for model `m1` on requests per day (RPD): "
            "Limit 1000, Used 1000, Requested 1. Please try again in 2h4m48s.",
            "requests",
            "rate_limit_exceeded",
        ),
        {},
        7488.0,
    ),
    "nothing": ("cohere", Complaint(402, "Please pay."), {}, 3600.0),
}


@pytest.mark.parametrize("form", UNTIL)
def test_u27_quota_until(node: Node, form: str) -> None:
    """Until the date that is given, however far away, and for an hour where none is."""
    type_, complaint, headers, rest_s = UNTIL[form]
    target = node.take(type_)
    _refuse(target.upstream, complaint, **headers)
    node.ask(target.backed)
    [change] = node.entries("key changed", worker=target.name)
    # The date was made when the tests were collected, which may be a while ago.
    assert change["rest_s"] == pytest.approx(rest_s, abs=1800)


def test_u27_quota_of_one_key(node: Node) -> None:
    """The next key answers; the one that is used up is not asked again."""
    target = node.take("openai-3-keys")
    quota: dict[str, Any] = {"error": {"message": "Used up.", "code": "insufficient_quota"}}
    target.upstream.fault = first(bare(429, json.dumps(quota).encode()))
    heards = [node.ask(target.alone) for _ in range(4)]
    assert [heard.text for heard in heards] == ["Hello world"] * 4
    used_up, *others = [asked.key for asked in target.upstream.asked]
    assert used_up not in others
    assert len(node.entries("key changed", worker=target.name)) == 1
