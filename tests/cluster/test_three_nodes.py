"""Three real nodes over a real Redis: they know each other, and have the same workers."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from cortexd.ctl import main
from tests.cluster.member_nodes import (
    WORKERS,
    Members,
    chatting,
    running_members,
    started,
    wait_settled,
)
from tests.operator import wait_until
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

NAMES = ("node-a", "node-b", "node-c")


@pytest.fixture
def three(lasting: Members) -> Members:
    """All of them are there."""
    lasting.revive()
    return lasting


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Members]:
    """Nodes with leases of three seconds."""
    folder = tmp_path_factory.mktemp("three")
    with running_members(folder, dict.fromkeys(NAMES, redis.url), cluster=folder.name) as start:
        yield Members(started(start, *NAMES), start)


def test_all_see_the_same(three: Members) -> None:
    """Members with their load, one leader, one owner of each worker, and who is where."""
    views = [node.cluster() for node in three.nodes]
    for node, view in zip(three.nodes, views, strict=True):
        assert (view["state"], view["node"], view["redis"]["up"]) == ("member", node.name, True)
        assert [each["name"] for each in view["nodes"] if each["is_self"]] == [node.name]
        assert view["is_leader"] == (view["leader"] == node.name)
        for worker in view["workers"]:
            assert worker["where"] == ("local" if worker["owner"] == node.name else "remote")
            assert worker["states"] == dict.fromkeys(NAMES, "available")
            assert worker["breakers"] == dict.fromkeys(NAMES, "closed")
        owned = [worker["owner"] for worker in view["workers"]]
        assert view["distribution"] == {
            name: {
                "workers": owned.count(name),
                "by_type": {"scripted": owned.count(name)} if name in owned else {},
            }
            for name in NAMES
        }
        (one, *_) = view["nodes"]
        assert one["load"]["workers_available"] == one["load"]["workers"] == len(WORKERS)
        assert len({each["token"] for each in view["nodes"]}) == len(NAMES)
    assert len({view["leader"] for view in views}) == 1
    assert len({node.owners()[WORKERS[0]] for node in three.nodes}) == 1


def test_workers_by_their_type(three: Members) -> None:
    """Of a type that nobody has, none; of one that is none, an error."""
    node = three.nodes[0]
    assert len(node.cluster("?type=scripted")["workers"]) == len(WORKERS)
    assert node.cluster("?type=ollama")["workers"] == []
    assert node.ask("GET", "/admin/cluster?type=odd").status_code == 400


def test_operators_see_it_at_a_glance(three: Members) -> None:
    """`cortexctl cluster`, for people and for programs."""
    node = three.nodes[1]
    token = node.daemon.folder / "state" / "admin-token"
    common = ["--url", node.daemon.admin_url, "--token-file", str(token)]
    shown = CliRunner().invoke(main, [*common, "cluster"])
    assert shown.exit_code == 0
    assert shown.output.startswith("node-b is a member of ")
    assert all(name in shown.output for name in (*NAMES, *WORKERS, "9 of 9", "3 available"))
    plain = CliRunner().invoke(main, [*common, "--json", "cluster", "--type", "ollama"])
    assert json.loads(plain.output)["workers"] == []


def test_a_worker_is_so_on_all_nodes(three: Members) -> None:
    """Added, taken out of rotation, put into it, removed: whichever node was told."""
    a, b, c = three.nodes
    table = {"name": "more", "type": "scripted", "models": ["special"]}
    assert a.ask("POST", "/admin/workers", table).status_code == 201
    wait_until(lambda: all(node.active().get("more") for node in three.nodes))
    assert c.worker("more")["models"] == ["special"]
    assert b.ask("POST", "/admin/workers/more/deactivate").status_code == 200
    assert c.ask("POST", "/admin/workers/w0/deactivate").status_code == 200
    off = {"more": False, "w0": False}
    wait_until(lambda: all(off.items() <= node.active().items() for node in three.nodes))
    assert a.ask("POST", "/admin/workers/w0/activate").status_code == 200
    assert c.ask("DELETE", "/admin/workers/more").status_code == 202
    whole = dict.fromkeys(WORKERS, True)
    wait_until(lambda: all(node.active() == whole for node in three.nodes))


def test_a_secret_stays_where_it_is(three: Members, redis: RedisServer) -> None:
    """Its worker is this node's alone, and that is said."""
    a, b, _ = three.nodes
    table = {"name": "cloud", "type": "groq", "api_keys": ["gsk-very-secret-key"]}
    assert a.ask("POST", "/admin/workers", table).status_code == 201
    wait_until(lambda: a.cluster()["unshared"])
    (unshared,) = a.cluster()["unshared"]
    assert (unshared["worker"], "secrets do not travel" in unshared["reason"]) == ("cloud", True)
    a.ask("POST", "/admin/workers/w7/deactivate")
    wait_until(lambda: not b.active()["w7"])
    a.ask("POST", "/admin/workers/w7/activate")
    assert "cloud" not in b.active()
    a.ask("DELETE", "/admin/workers/cloud")
    wait_until(lambda: not a.cluster()["unshared"])
    kept = [redis.command("--raw", "keys", "*")]
    kept += [redis.command("--raw", "hgetall", key) for key in kept[0].split() if "three" in key]
    assert len(kept) > 3
    assert "gsk-very" not in "".join(kept)


def test_one_that_is_killed_is_replaced(three: Members) -> None:
    """Its workers are owned by the others, whose clients notice nothing; back, it catches up."""
    leader = three.nodes[0].cluster()["leader"]
    place = next(each for each, node in enumerate(three.nodes) if node.name == leader)
    dying = three.nodes[place]
    others = [node for node in three.nodes if node is not dying]
    assert leader in dying.owners().values()
    with chatting(*others) as crowds:
        for crowd in crowds:
            crowd.wait_for_more()
        dying.daemon.process.kill()
        wait_settled(*others)
        assert not any(leader in node.owners().values() for node in others)
        added = others[0].ask("POST", "/admin/workers", {"name": "new", "type": "scripted"})
        assert added.status_code == 201
        others[1].ask("POST", "/admin/workers/w1/deactivate")
    told = [json.loads(line) for line in others[0].logged("node left")]
    assert (leader, "lost") in [(each["node"], each["reason"]) for each in told]
    three.revive()
    revived = three.nodes[place]
    expected = dict.fromkeys(WORKERS, True) | {"new": True, "w1": False}
    wait_until(lambda: all(node.active() == expected for node in three.nodes))
    tokens = {each["name"]: each["token"] for each in revived.cluster()["nodes"]}
    assert max(tokens, key=lambda name: tokens[name]) == leader
    others[0].ask("DELETE", "/admin/workers/new")
    others[0].ask("POST", "/admin/workers/w1/activate")
    wait_until(lambda: all(len(node.active()) == len(WORKERS) for node in three.nodes))


def test_one_that_is_stopped_says_good_bye(three: Members) -> None:
    """Nobody waits for its lease."""
    *others, stopping = three.nodes
    assert stopping.daemon.stop() == 0
    wait_until(lambda: all(stopping.name not in node.members() for node in others))
    last = json.loads(others[0].logged("node left")[-1])
    assert (last["node"], last["reason"]) == (stopping.name, "left")
