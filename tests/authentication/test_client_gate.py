"""The gate in front of the doors for clients: when a key is needed, and what a key brings along."""

import logging

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortexd.actors.client_keys import CLIENT_KEYS, ClientKeys
from cortexd.domain.criticality import Criticality
from cortexd.http.gate import TurnedAway
from cortexd.policy.login_delay import ADDRESS_FAILURES_MAX, ALL_FAILURES_MAX, HELD_S
from cortexd.policy.rate_limit import LimitSettings
from supervisor_tree import ChildSpec, Supervisor, whereis
from supervisor_tree.testing import crash, running
from tests.authentication.bare_node import (
    ADDRESS,
    CHAT_KEY,
    FORGED_KEY,
    KEYS,
    METRICS_KEY,
    NOW_S,
    PREMIUM_KEY,
    REVOKED_KEY,
    UNKNOWN_KEY,
    Node,
    key_of,
)

CHAT = ("POST", "/v1/chat/completions")


def _bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


async def test_without_any_key_a_private_node_is_open(node: Node) -> None:
    """Whatever is shown there, such as the made-up key that most libraries insist on."""
    node.use(node.table([]))
    for headers in ({}, _bearer("sk-made-up"), _bearer(UNKNOWN_KEY)):
        reply = await node.ask_data(*CHAT, headers)
        assert reply.status == 204
        assert reply.reached is not None
        assert (reply.reached.caller.key_id, reply.reached.client) == (None, ADDRESS)


async def test_a_node_that_others_can_reach_is_never_open(node: Node) -> None:
    """Also without any key, and then nothing opens it."""
    node.use(node.table([]))
    assert (await node.ask_data(*CHAT, always=True)).status == 401
    assert (await node.ask_data(*CHAT, _bearer(CHAT_KEY), always=True)).status == 401


@pytest.mark.parametrize("key", [METRICS_KEY, REVOKED_KEY])
async def test_which_keys_close_a_private_node(node: Node, key: str) -> None:
    """One for the metrics does not; one that was revoked does: losing the last opens no door."""
    [kept] = [held.key for held in node.keys if held.key.id == key[8:16]]
    node.use(node.table([kept]))
    assert (await node.ask_data(*CHAT)).status == (204 if key is METRICS_KEY else 401)


async def test_keys_that_cannot_be_read_close_it_as_well(node: Node) -> None:
    """What may be right is not called wrong: the client is to come again."""
    node.use(node.table([], is_complete=False))
    reply = await node.ask_data(*CHAT, _bearer(CHAT_KEY))
    assert (reply.status, reply.code) == (503, "storage_unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert (await node.ask_data(*CHAT)).status == 401


async def test_a_key_brings_its_class_its_id_and_its_allowance(node: Node) -> None:
    """And its use is noted."""
    reply = await node.ask_data(*CHAT, _bearer(PREMIUM_KEY))
    assert reply.reached is not None
    caller = reply.reached.caller
    assert (caller.key_id, caller.criticality) == ("premium0", Criticality.PREMIUM)
    [held] = [held for held in node.keys if held.key.id == "premium0"]
    assert caller.allowance is held.allowance
    assert held.last_used_at == NOW_S


async def test_all_without_a_key_share_one_allowance(node: Node) -> None:
    """Where there is one."""
    limits = LimitSettings(anonymous_requests_per_minute=3)
    node.use(node.table([], limits=limits))
    one, other = [await node.ask_data(*CHAT, client=client) for client in ("a", "b")]
    assert one.reached is not None
    assert other.reached is not None
    assert one.reached.caller.allowance is other.reached.caller.allowance is not None


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/chat/completions", b'{"error":{"message":'),
        ("/v1/models/any", b'{"error":{"message":'),
        ("/api/chat", b'{"error":"this needs'),
        ("/v1/messages", b'{"type":"error","error":{"type":"authentication_error"'),
    ],
)
async def test_the_refusal_is_in_the_dialect_of_the_door(
    node: Node, path: str, document: bytes
) -> None:
    """Each client library raises its own error for it."""
    method = "GET" if "models" in path else "POST"
    reply = await node.ask_data(method, path)
    assert reply.status == 401
    assert reply.body.startswith(document)


async def test_a_body_that_never_comes_holds_up_no_refusal(node: Node) -> None:
    """Who has no key is not listened to."""
    reply = await node.ask_data(*CHAT, {"content-length": "9999999"}, body=b"")
    assert (reply.status, reply.body_was_read) == (401, False)


async def test_who_fails_too_often_is_told_to_stay_away(node: Node) -> None:
    """Ten a minute from one address, then for longer each time; the right key still opens."""
    wrong = _bearer(FORGED_KEY)
    replies = [await node.ask_data(*CHAT, wrong) for _ in range(ADDRESS_FAILURES_MAX + 3)]
    statuses = [reply.status for reply in replies]
    assert statuses == [401] * ADDRESS_FAILURES_MAX + [429] * 3
    waits = [reply.headers["retry-after"] for reply in replies[ADDRESS_FAILURES_MAX:]]
    assert waits == ["1", "2", "4"]
    assert replies[-1].code == "too_many_failed_attempts"
    assert (await node.ask_data(*CHAT, _bearer(CHAT_KEY))).status == 204
    assert (await node.ask_data(*CHAT, wrong, client="192.0.2.99")).status == 401
    assert (await node.ask_data(*CHAT)).status == 401, "who shows nothing has tried nothing"


async def test_too_many_failures_on_the_node_hold_up_failures_alone(node: Node) -> None:
    """Right keys never wait for what others do."""
    for number in range(ALL_FAILURES_MAX):
        await node.ask_data(*CHAT, _bearer("x"), client=f"10.0.0.{number}")
    began_at = trio.current_time()
    assert (await node.ask_data(*CHAT, _bearer(CHAT_KEY))).status == 204
    assert trio.current_time() == began_at
    assert (await node.ask_data(*CHAT, _bearer("x"), client="10.1.0.0")).status == 401
    assert trio.current_time() == pytest.approx(began_at + HELD_S)


async def test_failures_are_reported_without_what_was_tried(node: Node) -> None:
    """Why, from where, and whose key it was meant to be."""
    for text in (FORGED_KEY, "garbage", REVOKED_KEY, UNKNOWN_KEY):
        await node.ask_data(*CHAT, _bearer(text))
    assert all(each.request_id for each in node.rejections)
    told = [(each.reason, each.key_id, each.client) for each in node.rejections]
    assert told == [
        ("wrong_secret", "chat0000", ADDRESS),
        ("malformed", None, ADDRESS),
        ("revoked", "revoked0", ADDRESS),
        ("unknown", "unknown0", ADDRESS),
    ]
    assert FORGED_KEY[17:60] not in repr(node.events)
    assert "garbage" not in repr(node.events)


SQL = (
    "' OR '1'='1",
    "'; DROP TABLE client_keys; --",
    "chat0000' --",
    '" UNION SELECT id, digest FROM client_keys --',
    "%' AND 1=CAST((SELECT digest FROM client_keys) AS INT)--",
    f"{CHAT_KEY}'",
    f"{CHAT_KEY};--",
    f"' {CHAT_KEY}",
    "cx_live_' OR 1=1_" + "A" * 43 + "_00000000",
)
header_texts = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.one_of(
        st.sampled_from(SQL),
        header_texts,
        st.builds(lambda a, b: a + CHAT_KEY + b, header_texts, header_texts),
        st.integers(0, len(CHAT_KEY) - 1).map(lambda length: CHAT_KEY[:length]),
    ),
    scheme=st.sampled_from(["Bearer ", "bearer ", "BEARER  ", "Basic ", ""]),
    name=st.sampled_from(["authorization", "x-api-key"]),
)
def test_nothing_but_a_key_opens_and_nothing_is_repeated(
    node: Node, caplog: pytest.LogCaptureFixture, text: str, scheme: str, name: str
) -> None:
    """SQL, junk, and a right key with something around it."""
    node.forgive()
    node.events.clear()
    given_header = scheme + text
    gate = node.app.client_keys.client_gate(always=True)
    with caplog.at_level(logging.DEBUG):
        admitted = gate.admit("POST", {name: given_header}, ADDRESS)
    shown = given_header[len("bearer ") :] if scheme.lower().startswith("bearer") else given_header
    if shown.strip() == CHAT_KEY and (name == "x-api-key" or scheme.lower().startswith("bearer")):
        return
    assert isinstance(admitted, TurnedAway)
    answer = admitted.answer("/v1/chat/completions")
    assert answer.status in {401, 429}
    assert CHAT_KEY not in answer.body.decode()
    assert CHAT_KEY not in repr(node.events) + caplog.text
    if len(text) > 12:
        assert text not in answer.body.decode() + repr(node.events) + caplog.text


def test_what_is_kept_of_a_key_does_not_show_it() -> None:
    """Not to who prints it by mistake."""
    assert CHAT_KEY[17:60] not in repr(key_of(CHAT_KEY))


async def test_the_keeper_of_the_keys_may_crash_under_load(node: Node) -> None:
    """A6 of FAULTS: the gates read what it has published, and never wait for it."""
    parts = attrs.evolve(node.app.client_keys.actor, configured=lambda: (KEYS, LimitSettings()))
    spec = ChildSpec("it", lambda: ClientKeys(parts), name=CLIENT_KEYS)
    async with running(Supervisor(spec, max_restarts=100)):
        for _ in range(20):
            crashing = crash(whereis(CLIENT_KEYS))
            assert (await node.ask_data(*CHAT, _bearer(CHAT_KEY))).status == 204
            assert (await node.ask_data(*CHAT, _bearer(REVOKED_KEY))).status in {401, 429}
            await crashing
            await whereis(CLIENT_KEYS).call(ClientKeys.list)


async def test_who_shows_nothing_is_reported_but_not_counted(node: Node) -> None:
    """With the id that the client is told, so that its question can be answered."""
    for _ in range(2 * ADDRESS_FAILURES_MAX):
        assert (await node.ask_data(*CHAT, {"x-request-id": "r-1"})).status == 401
    assert {each.reason for each in node.rejections} == {"missing"}
    assert {each.request_id for each in node.rejections} == {"r-1"}


@pytest.mark.parametrize("name", ["x-forwarded-for", "x-real-ip", "forwarded"])
async def test_nobody_says_where_they_come_from(node: Node, name: str) -> None:
    """H32: the address is that of the connection, so a new one each time does not help."""
    for number in range(ADDRESS_FAILURES_MAX):
        await node.ask_data(*CHAT, {**_bearer("x"), name: f"10.0.0.{number}"})
    assert (await node.ask_data(*CHAT, {**_bearer("x"), name: "10.0.1.1"})).status == 429
