"""What a node may conclude about workers from what others have told."""

import pytest

from cortexd.domain.cluster import (
    ClusterState,
    ClusterView,
    Identity,
    Member,
    NodeName,
    NodeReport,
    Sighting,
    Verdict,
    WorkerReport,
)
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.policy.health import Probe
from cortexd.policy.membership import (
    LeaseTerms,
    Standing,
    alone_view,
    counts_from,
    hearsay,
    member_view,
    next_change_at,
    rank,
    suspects,
)
from cortexd.runtime.worker_identity import identity, is_loopback

TERMS = LeaseTerms(node=NodeName("a"), lease_s=10.0, beat_s=3.0)
KEY = (WorkerName("w"), Identity("x"))
GOOD = Verdict(is_good=True, models=("m",), age_s=5.0)


def _entry(name: str = "w", **fields: object) -> WorkerReport:
    told: dict[str, object] = {"is_active": True, "state": "available", "breaker": "closed"}
    told |= {"identity": Identity("x"), "since": 0.0} | fields
    return WorkerReport(name=WorkerName(name), type="ollama", **told)  # type: ignore[arg-type]


def _member(name: str, *entries: WorkerReport, joined_at: float = 0.0, token: int = 1) -> Member:
    report = NodeReport(workers=entries)
    return Member(
        name=NodeName(name), token=token, joined_at=joined_at, report=report, reported_at=90.0
    )


def _standing(*members: Member, at: float = 100.0) -> Standing:
    return Standing(sent_at=5.0, sighting=Sighting(token=1, at=at, born_at=0.0, members=members))


def _view(owner: str, verdict: Verdict | None) -> ClusterView:
    return ClusterView(
        state=ClusterState.MEMBER,
        node=NodeName("a"),
        members=(_member("a"), _member("b", _entry(verdict=verdict))),
        owners={KEY: NodeName(owner)},
    )


def test_a_worker_counts_when_all_have_seen_it() -> None:
    """A lease after it was first told, or its node has joined; whichever is later."""
    assert counts_from(_entry(since=20.0), _member("b"), TERMS) == 30.0
    assert counts_from(_entry(since=20.0), _member("b", joined_at=50.0), TERMS) == 60.0
    assert counts_from(_entry(since=None), _member("b"), TERMS) == 100.0


def test_the_node_is_asked_again_when_another_may_begin_to_own() -> None:
    """Earlier than the end of its lease, and it gives up before the other one begins."""
    new = _member("b", _entry(is_preferred=True, since=93.0), token=2)
    standing = _standing(_member("a", _entry()), new)
    due = next_change_at(standing, TERMS, now=5.5)
    assert due == pytest.approx(8.0)
    assert member_view(standing, TERMS, due - 0.01).owners == {KEY: "a"}
    assert member_view(standing, TERMS, due).owners == {KEY: "b"}
    assert next_change_at(standing, TERMS, due) == 5.0 + TERMS.held_s


def test_the_clock_of_redis_is_known_from_the_first_beat() -> None:
    """And still is when the node is alone: what is done then has a time as well."""
    view = member_view(_standing(_member("a")), TERMS, now=5.5)
    assert view.clock_s == alone_view(view, "it is cut off").clock_s == 95.0


def test_each_worker_has_an_owner_of_those_that_have_it() -> None:
    """A worker that is another one on another node has an owner for each."""
    other = Identity("y")
    standing = _standing(
        _member("a", _entry("v"), _entry("w")),
        _member("b", _entry("w", identity=other), _entry("u")),
    )
    owners = member_view(standing, TERMS, 5.0).owners
    assert {(key[0], key[1]): owner for key, owner in owners.items()} == {
        ("v", "x"): "a",
        ("w", "x"): "a",
        ("w", "y"): "b",
        ("u", "x"): "b",
    }


def test_workers_are_shared_out_and_few_move() -> None:
    """When a node goes, only what it has owned is owned by others."""
    nodes = [NodeName(name) for name in ("a", "b", "c")]
    keys = [(WorkerName(f"w{number}"), Identity("")) for number in range(300)]

    def owner(key: tuple[WorkerName, Identity], among: list[NodeName]) -> NodeName:
        return max(among, key=lambda node: rank(key, node, is_preferred=False))

    before = {key: owner(key, nodes) for key in keys}
    after = {key: owner(key, nodes[:2]) for key in keys}
    counts = [list(before.values()).count(node) for node in nodes]
    assert min(counts) > 70
    assert all(after[key] == before[key] for key in keys if before[key] != "c")
    assert {after[key] for key in keys if before[key] == "c"} == {"a", "b"}


@pytest.mark.parametrize(
    ("owner", "verdict", "heard"),
    [
        ("b", GOOD, Probe(models=("m",))),
        ("a", GOOD, None),
        ("b", None, None),
        ("b", Verdict(is_good=False, models=("m",)), None),
        ("b", Verdict(is_good=True, age_s=61.0), None),
    ],
)
def test_only_good_news_of_the_owner_is_believed(
    owner: str, verdict: Verdict | None, heard: Probe | None
) -> None:
    """For anything else the node asks the worker itself."""
    assert hearsay(_view(owner, verdict), KEY, age_s_max=60.0) == heard


def test_a_node_that_is_alone_hears_nothing() -> None:
    """It probes all its workers."""
    alone = ClusterView(state=ClusterState.ALONE, node=NodeName("a"))
    assert hearsay(alone, KEY, age_s_max=60.0) is None


def test_new_complaints_of_others_are_looked_into() -> None:
    """An open breaker, a bad verdict; what is known, and what is one's own, is not news."""
    bad = Verdict(is_good=False)
    well = [_member("a", _entry()), _member("b", _entry())]
    for entry in (_entry(breaker="open"), _entry(verdict=bad)):
        ill = [_member("a", _entry(breaker="open")), _member("b", entry)]
        assert list(suspects(well, ill, NodeName("a"))) == [KEY]
        assert list(suspects(ill, ill, NodeName("a"))) == []
    assert list(suspects(well, [_member("a", _entry(breaker="open"))], NodeName("a"))) == []


def _settings(kind: WorkerType, url: str | None) -> WorkerSettings:
    return WorkerSettings(name=WorkerName("w"), type=kind, base_url=url, priority=1)


def test_the_same_server_is_the_same_worker() -> None:
    """One at this machine's own address is another one on each machine."""
    far = _settings(WorkerType.OLLAMA, "http://10.0.0.9:11434")
    slash = _settings(WorkerType.OLLAMA, "http://10.0.0.9:11434/")
    near = _settings(WorkerType.OLLAMA, "http://127.0.0.1:11434")
    assert identity(far, place="here") == identity(slash, place="there")
    assert identity(near, place="here") != identity(near, place="there")
    assert identity(near, place="here") == identity(near, place="here")
    openai = _settings(WorkerType.OPENAI, "http://10.0.0.9:11434")
    assert identity(far, place="here") != identity(openai, place="here")
    embedded = _settings(WorkerType.EMBEDDED, None)
    assert identity(embedded, place="here") == identity(embedded, place="there")


@pytest.mark.parametrize(
    ("url", "is_near"),
    [
        ("http://localhost:1", True),
        ("http://ollama.localhost", True),
        ("http://127.8.8.8/x", True),
        ("http://[::1]:80", True),
        ("http://10.0.0.1", False),
        ("https://localhost.example.org", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_what_is_near(url: str, *, is_near: bool) -> None:
    """Loopback by number or by name."""
    assert is_loopback(url) is is_near
