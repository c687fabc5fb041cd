"""The page of the cluster: the nodes, and the workers as each of them sees them."""

import re
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.daemon import running_daemon
from tests.dashboard.cluster_documents import cluster_document, node_document, worker_document
from tests.dashboard.stand_in import StandIn
from tests.dashboard.visitor import NARROW, Visit, Visitor, texts
from tests.servers.redis import running_redis

pytestmark = pytest.mark.slow

PATH = "/admin/cluster"

REAL_NODE = """
[cluster]
redis_url = "{url}"
name = "dashboard"
lease_seconds = 2
beat_seconds = 0.5
[[workers]]
name = "shared"
type = "scripted"
"""

HOSTILE = "<img src=x onerror=window.pwned=1>"


def open_with(visit: Visit, document: dict[str, Any]) -> tuple[Visitor, StandIn]:
    """The page of a node that says this."""
    stand_in = StandIn({PATH: document})
    return stand_in.shown(visit, "cluster"), stand_in


def test_shows_each_node_with_its_load(visit: Visit) -> None:
    """Who leads, which one is this, how they are, and since when."""
    visitor, _ = open_with(visit, cluster_document())
    page = visitor.page
    rows = page.locator("#nodes tr")
    expect(rows).to_have_count(2)
    fields = ["name", "role", "self", "status", "level", "in_flight", "requests", "available"]
    expected = ["north", "leader", "", "healthy", "minor issues", "2", "7.5", "2 of 3"]
    assert texts(rows.first, *fields) == expected
    expected = ["south", "member", "this node", "degraded", "minor issues", "2", "7.5", "2 of 3"]
    assert texts(rows.last, *fields) == expected
    fields = ["address", "token", "owned", "types"]
    assert texts(rows.first, *fields) == ["10.0.0.7:4000 · 1.2.3", "token 4", "2", "2 ollama"]
    expect(page.locator("#cluster-sum")).to_have_text("edge · 2 nodes")
    tiles = page.locator("#cluster-on .tiles")
    fields = ["state", "node", "leader", "nodes", "lease", "redis", "failure"]
    expected = ["member", "south", "north", "2", "on a lease of 10 s", "up", ""]
    assert texts(tiles, *fields) == expected
    expect(page.locator("#alone")).to_be_hidden()
    expect(page.locator("#cluster-off")).to_be_hidden()


def test_shows_who_owns_a_worker_and_how_each_node_finds_it(visit: Visit) -> None:
    """A breaker that is not closed is told of, and in its own colour."""
    visitor, _ = open_with(visit, cluster_document())
    rows = visitor.page.locator("#cluster-workers tr")
    expect(rows).to_have_count(3)
    fields = ["name", "type", "active", "owner", "where"]
    assert texts(rows.nth(0), *fields) == ["alpha", "ollama", "active", "north", "remote"]
    assert texts(rows.nth(1), *fields) == ["beta", "openai", "deactivated", "south", "local"]
    assert texts(rows.nth(2), *fields) == ["gamma", "ollama", "active", "nobody yet", ""]
    chips = rows.nth(2).locator(".chips li")
    expect(chips).to_have_text(["north available, breaker half open", "south unavailable"])
    tones = [chip.get_attribute("data-tone") for chip in rows.locator(".chips li").all()]
    assert tones == ["ok", "ok", "idle", "idle", "warn", "bad"]


def test_shows_workers_of_one_type_only(visit: Visit) -> None:
    """The node is asked for them, and all types can still be chosen."""
    visitor, stand_in = open_with(visit, cluster_document())
    choice = visitor.page.get_by_label("Type")
    expect(choice.locator("option")).to_have_text(["all", "ollama", "openai"])
    choice.select_option("openai")
    stand_in.documents[PATH] = cluster_document(workers=[worker_document("beta", "openai", "s")])
    expect(visitor.page.locator("#cluster-workers tr")).to_have_count(1)
    expect(visitor.page.locator("#cluster-workers-sum")).to_have_text("1 worker")
    assert stand_in.asked[-1] == f"{PATH}?type=openai"
    expect(choice.locator("option")).to_have_count(3)


def test_says_that_a_node_is_alone_and_why(visit: Visit) -> None:
    """Within two seconds of the page's own time; and that it is a member again."""
    stand_in = StandIn({PATH: cluster_document()})
    visitor = stand_in.shown(visit, "cluster", clock=True)
    alone = visitor.page.locator("#alone")
    expect(visitor.page.locator("#nodes tr")).to_have_count(2)
    visitor.page.clock.pause_at(visitor.page.evaluate("Date.now() + 100"))
    stand_in.documents[PATH] = cluster_document(
        unshared=[{"worker": "beta", "reason": "Redis was away"}],
        state="alone",
        reason="Redis has not answered for 10 s",
        leader=None,
        redis={"up": False, "failure": "connection refused"},
        nodes=[node_document("south", 9, is_self=True)],
    )
    visitor.page.clock.run_for(2000)
    expect(alone).to_be_visible()
    expect(alone).to_contain_text("This node is alone: Redis has not answered for 10 s. It serves")
    expect(visitor.page.locator("#unshared li")).to_have_text(
        "beta is not the same on all nodes: Redis was away"
    )
    row = visitor.page.locator("#nodes tr")
    assert texts(row, "role", "self", "token") == ["alone", "this node", ""]
    tiles = visitor.page.locator("#cluster-on .tiles")
    expect(tiles.locator('[data-field="redis"]')).to_have_text("down")
    assert texts(tiles, "state", "leads", "failure") == [
        "alone",
        "nobody leads",
        "connection refused",
    ]
    stand_in.documents[PATH] = cluster_document()
    visitor.page.clock.run_for(2000)
    expect(alone).to_be_hidden()


def test_names_of_other_nodes_are_only_ever_text(visit: Visit) -> None:
    """They come from other machines."""
    names = {
        "cluster": HOSTILE,
        "node": HOSTILE,
        "leader": HOSTILE,
        "reason": HOSTILE,
        "redis": {"up": False, "failure": HOSTILE},
        "nodes": [node_document(HOSTILE, 1, address=HOSTILE, status=HOSTILE)],
        "workers": [
            worker_document(
                HOSTILE,
                HOSTILE,
                HOSTILE,
                where=HOSTILE,
                states={HOSTILE: HOSTILE},
                breakers={HOSTILE: HOSTILE},
            )
        ],
        "distribution": {HOSTILE: {"workers": 1, "by_type": {HOSTILE: 1}}},
        "unshared": [{"worker": HOSTILE, "reason": HOSTILE}],
    }
    visitor, _ = open_with(visit, cluster_document(state="alone", **names))
    for place in ("#nodes", "#cluster-workers", "#alone", "#unshared", "#of-type"):
        expect(visitor.page.locator(place)).to_contain_text(HOSTILE)
    assert visitor.page.locator("main img").count() == 0
    assert visitor.page.evaluate("window.pwned") is None


def test_fits(visit: Visit) -> None:
    """With long names, and on a phone."""
    long = "node-of-the-third-rack-from-the-left"
    worker = worker_document("worker-of-the-third-rack-from-the-left", "anthropic", long)
    document = cluster_document(
        state="alone",
        nodes=[node_document(long, 12, is_leader=True), node_document("south", 9)],
        workers=[{**worker, "states": {long: "unavailable", "south": "available"}}],
        leader=long,
        redis={"up": False, "failure": "connection refused by redis.example.internal:6379"},
    )
    visitor, _ = open_with(visit, document)
    expect(visitor.page.locator("#nodes tr")).to_have_count(2)
    visitor.check_looks()
    visitor.resize(NARROW)
    visitor.check_looks()


def test_shows_a_real_cluster(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two nodes and a Redis: one node dies, then Redis does."""
    folder = tmp_path_factory.mktemp
    with running_redis(folder("redis")) as redis, ExitStack() as nodes:
        north, south = (
            nodes.enter_context(
                running_daemon(
                    folder(name),
                    REAL_NODE.format(url=redis.url),
                    environ={"CORTEXD__NODE__NAME": name},
                )
            )
            for name in ("north", "south")
        )
        visitor = visit("cluster", daemon=south)
        page = visitor.page
        rows = page.locator("#nodes tr")
        expect(rows.locator('[data-field="name"]')).to_have_text(["north", "south"])
        expect(page.locator('#nodes [data-field="role"]', has_text="leader")).to_have_count(1)
        worker = page.locator("#cluster-workers tr")
        expect(worker.locator('[data-field="owner"]')).to_have_text(re.compile("north|south"))
        chips = worker.locator(".chips li")
        expect(chips).to_have_text(["north available", "south available"])
        north.process.kill()
        expect(rows.locator('[data-field="name"]')).to_have_text(["south"])
        expect(worker.locator('[data-field="where"]')).to_have_text("local")
        redis.kill()
        expect(page.locator("#alone")).to_be_visible()
        expect(page.locator('#cluster-on .tiles [data-field="redis"]')).to_have_text("down")
        visitor.check_looks()


def test_says_how_to_switch_the_cluster_on(visit: Visit) -> None:
    """Instead of tables with nothing in them."""
    visitor = visit("cluster")
    guide = visitor.page.locator("#cluster-off")
    expect(guide).to_be_visible()
    expect(guide).to_contain_text("The cluster is off")
    expect(guide).to_contain_text("docs/how-to/run-a-cluster.md")
    expect(visitor.page.locator("#cluster-on")).to_be_hidden()
