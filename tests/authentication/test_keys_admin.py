"""What operators can ask of the keys, and what they are told."""

import json
from typing import Any

import attrs
import pytest

from cortexd.domain.errors import RequestRefused
from cortexd.http.doors.door import DoorRequest
from cortexd.policy.client_keys import key_table
from cortexd.policy.rate_limit import LimitSettings
from supervisor_tree import CallFailed, Supervisor
from supervisor_tree.testing import running
from tests.authentication.bare_node import CHAT_KEY, Node

JSON = {"content-type": "application/json"}


def _request(body: object = None, query: str = "", **params: str) -> DoorRequest:
    return DoorRequest(
        method="POST",
        path="/admin/keys",
        headers=JSON,
        body=json.dumps(body).encode(),
        params=params,
        query=query,
    )


async def _list(node: Node, query: str = "") -> Any:
    status, document = await node.app.client_keys.admin.list(_request(query=query))
    assert status == 200
    return document


async def test_all_keys_are_listed_with_how_they_stand(node: Node) -> None:
    """And nothing that would help anybody to make one."""
    document = await _list(node)
    states = {item["id"]: item["state"] for item in document["items"]}
    assert states == {
        "chat0000": "active",
        "premium0": "active",
        "metrics0": "active",
        "expired0": "expired",
        "revoked0": "revoked",
    }
    assert CHAT_KEY[17:60] not in str(document)
    assert not any({"hmac", "digest", "key"} & item.keys() for item in document["items"])
    expired = next(item for item in document["items"] if item["id"] == "expired0")
    assert expired["expires_at"] == "2027-01-15T07:59:59+00:00"


async def test_a_long_list_comes_in_pages(node: Node) -> None:
    """Each key once, until there are no more."""
    seen: list[str] = []
    query = "limit=2"
    while query:
        document = await _list(node, query)
        assert document["total"] == 5
        seen += [item["id"] for item in document["items"]]
        cursor = document["next_cursor"]
        query = f"limit=2&cursor={cursor}" if cursor else ""
    assert seen == [held.key.id for held in node.keys]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=99999", "limit"),
        ("limit=0000000019999", "limit"),
        pytest.param("limit=0000000" + "1" * 5000, "limit", id="limit=0…1…"),
        ("cursor=x", "cursor"),
    ],
)
async def test_a_page_that_there_is_not(node: Node, query: str, param: str) -> None:
    """Which parameter is wrong."""
    with pytest.raises(RequestRefused) as refused:
        await _list(node, query)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"class": "gold"}, "class"),
        ({"scope": "admin"}, "scope"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"tokens_per_minute": 1.5}, "tokens_per_minute"),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"expires_in_seconds": 1e300}, "expires_in_seconds"),
        ({"name": "x" * 201}, "name"),
        ({"id": "chat0000"}, "id"),
        ({"key": CHAT_KEY}, "key"),
    ],
)
async def test_a_wish_that_cannot_be_met(node: Node, body: object, param: str) -> None:
    """Nobody chooses an id or a secret of their own."""
    with pytest.raises(RequestRefused) as refused:
        await node.app.client_keys.admin.create(_request(body))
    assert (refused.value.status, refused.value.param) == (400, param)


async def test_while_the_keeper_is_away_operators_come_again(node: Node) -> None:
    """The doors go on; only making and revoking have to wait."""
    admin = node.app.client_keys.admin
    async with running(Supervisor()):
        for ask in (admin.create(_request({})), admin.revoke(_request(id="chat0000"))):
            # Their `Operation` makes an answer of it.
            with pytest.raises(CallFailed):
                await ask


async def test_limits_are_shown_as_they_were_wished(node: Node) -> None:
    """Those of the class are in the configuration."""
    key = attrs.evolve(node.keys[0].key, requests_per_minute=7)
    limits = LimitSettings(normal_tokens_per_minute=9)
    node.use(key_table([key], limits, node.table([]), last_used_at={}))
    [item] = (await _list(node))["items"]
    assert (item["requests_per_minute"], item["tokens_per_minute"]) == (7, None)
