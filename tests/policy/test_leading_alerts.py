"""What the leader of a cluster makes of what it sees, look by look."""

from collections.abc import Mapping, Sequence

import attrs
import pytest

from cortexd.domain.alert import AlertState, Condition, Notice, Occasion, Rule, Severity
from cortexd.domain.alert_book import Alert, Told
from cortexd.domain.alert_ledger import Acknowledged, HandedOver, Ledger, LedgerNote, Untold
from cortexd.domain.cluster import ClusterState, ClusterView, Member, NodeName, NodeReport
from cortexd.policy.alert_ledger import LOST_S_MAX, Sight, lead, untold_of, waiting_of
from cortexd.policy.alert_settings import AlertSettings
from cortexd.policy.cluster_alerts import for_cluster

SETTINGS = AlertSettings(pending_seconds=0, resolve_seconds=0, cooldown_seconds=100_000)
A, B, C = (NodeName(name) for name in ("a", "b", "c"))
SHARED = Condition(
    rule=Rule.BREAKER_OPEN, target="x", severity=Severity.WARNING, message="broken: mend it"
)
LETTERS = Condition(rule=Rule.DEAD_LETTERS, severity=Severity.WARNING, message="many: read them")


def _letters_of(node: NodeName) -> Condition:
    (condition,) = for_cluster([LETTERS], node)
    return condition


class Office:
    """A leader called `a` that looks again and again; all members have handed over."""

    def __init__(self, *names: NodeName) -> None:
        self.tokens = {name: token for token, name in enumerate((A, *names), start=1)}
        self.found: dict[NodeName, Sequence[Condition]] = {}
        self.left: frozenset[NodeName] = frozenset()
        self.ledger = Ledger(members=dict(self.tokens))
        self.notices: list[Notice] = []
        self.now = 1000.0

    def look(self, *notes: LedgerNote, after_s: float = 1.0) -> list[tuple[str, Occasion]]:
        """Look once more; what people are to be told."""
        self.now += after_s
        view = ClusterView(
            state=ClusterState.MEMBER,
            node=A,
            members=tuple(
                Member(
                    name=name,
                    token=token,
                    joined_at=0.0,
                    report=NodeReport(conditions=tuple(self.found.get(name, ()))),
                )
                for name, token in self.tokens.items()
            ),
            left=self.left,
            leader=A,
            is_leader=True,
        )
        sight = Sight(view=view, own=self.found.get(A, ()), notes=notes)
        led = lead(self.ledger, sight, now=self.now, settings=SETTINGS)
        self.ledger = led.ledger
        self.notices += led.notices
        return [(notice.alert_id, notice.occasion) for notice in led.notices]

    def state(self, alert_id: str) -> AlertState:
        """That of an alert in the book."""
        return self.ledger.book[alert_id].state


def test_a_member_is_lost_when_it_is_gone_and_has_not_left() -> None:
    """Until it is there again."""
    office = Office(B, C)
    assert office.look() == []
    del office.tokens[B]
    assert office.look() == [("node_lost:b", Occasion.FIRED)]
    assert office.look() == []
    office.tokens[B] = 9
    assert office.look() == [("node_lost:b", Occasion.RESOLVED)]
    del office.tokens[C]
    office.left = frozenset([C])
    assert office.look() == []
    assert office.look() == []


def test_a_node_that_joins_and_dies_at_once_is_lost_as_well() -> None:
    """Before it has handed anything over."""
    office = Office(B)
    office.tokens[C] = 9
    office.look()
    del office.tokens[C]
    assert office.look() == [("node_lost:c", Occasion.FIRED)]


def test_a_lost_node_is_forgotten_in_the_end() -> None:
    """And with it what was the matter with it, which nobody else could know."""
    office = Office(B)
    office.found[B] = [_letters_of(B)]
    assert office.look() == [("dead_letters:b", Occasion.FIRED)]
    del office.tokens[B]
    assert office.look() == [("node_lost:b", Occasion.FIRED)]
    assert office.look(after_s=LOST_S_MAX / 2) == []
    assert office.state("dead_letters:b") is AlertState.FIRING
    gone = office.look(after_s=LOST_S_MAX / 2)
    assert sorted(gone) == [
        ("dead_letters:b", Occasion.RESOLVED),
        ("node_lost:b", Occasion.RESOLVED),
    ]
    assert office.ledger.lost == {}


def test_a_nodes_own_matter_waits_until_it_has_handed_over() -> None:
    """What it shares counts at once."""
    office = Office(B)
    office.tokens[B] = 7
    office.found[B] = [_letters_of(B), SHARED]
    office.found[A] = [SHARED]
    assert office.look() == [("breaker_open:x", Occasion.FIRED)]
    assert office.look() == []
    arrived = HandedOver(node=B, token=7, alerts=())
    assert office.look(arrived) == [("dead_letters:b", Occasion.FIRED)]
    assert office.ledger.members == {A: 1, B: 7}


def _alert(condition: Condition, state: AlertState, told_at: float | None) -> Alert:
    told = None
    if told_at is not None:
        told = Told(at=told_at, severity=condition.severity, worst=condition.severity)
    return Alert(condition=condition, state=state, since=0.0, told=told, count=1)


def test_what_a_node_has_told_of_itself_is_not_told_again() -> None:
    """Only its end, where that has not been told."""
    office = Office(B)
    office.tokens[B] = 7
    office.found[B] = [_letters_of(B)]
    alert = _alert(_letters_of(B), AlertState.FIRING, told_at=990.0)
    assert office.look(HandedOver(node=B, token=7, alerts=(alert,))) == []
    office.found[B] = []
    assert office.look() == [("dead_letters:b", Occasion.RESOLVED)]


def test_what_a_leader_has_told_after_all_is_not_told_again_either() -> None:
    """The node was cut off before it could see that."""
    office = Office(B)
    office.found[B] = [_letters_of(B)]
    assert office.look() == [("dead_letters:b", Occasion.FIRED)]
    office.tokens[B] = 7
    alert = _alert(_letters_of(B), AlertState.PENDING, told_at=None)
    assert office.look(HandedOver(node=B, token=7, alerts=(alert,))) == []
    assert office.state("dead_letters:b") is AlertState.FIRING


@pytest.mark.parametrize("token", [6, 8])
def test_one_who_is_not_there_hands_nothing_over(token: int) -> None:
    """A note of an earlier life, or of one that is not seen yet."""
    office = Office(B)
    office.tokens[B] = 7
    alert = _alert(_letters_of(B), AlertState.FIRING, told_at=990.0)
    office.look(HandedOver(node=B, token=token, alerts=(alert,)))
    assert "dead_letters:b" not in office.ledger.book


def test_nobody_hands_over_what_is_not_its_own() -> None:
    """Neither what is shared nor what is another's."""
    office = Office(B, C)
    office.tokens[B] = 7
    foreign = [_alert(each, AlertState.FIRING, 990.0) for each in (SHARED, _letters_of(C))]
    office.look(HandedOver(node=B, token=7, alerts=tuple(foreign)))
    assert office.ledger.book == {}


def test_an_acknowledgement_that_comes_too_late_is_none() -> None:
    """The alert is over, or is none."""
    office = Office(B)
    office.found[A] = [SHARED]
    office.look()
    office.look(Acknowledged(alert_id="breaker_open:x"))
    assert office.state("breaker_open:x") is AlertState.ACKNOWLEDGED
    office.found[A] = []
    office.look()
    for alert_id in ("breaker_open:x", "breaker_open:y"):
        office.look(Acknowledged(alert_id=alert_id))
    assert office.state("breaker_open:x") is AlertState.RESOLVED
    assert list(office.ledger.book) == ["breaker_open:x"]


def test_what_channels_have_to_tell_is_written_once_for_all() -> None:
    """In the order in which it is told."""
    office = Office(B)
    office.found = {A: [_letters_of(A), SHARED]}
    office.look()
    first, second = office.notices
    waiting: Mapping[str, Sequence[Notice]] = {"mail": [first], "hook": [first, second]}
    untold = untold_of(waiting)
    assert untold == (
        Untold(notice=first, channels=("mail", "hook")),
        Untold(notice=second, channels=("hook",)),
    )
    assert {name: list(waiting_of(untold, name)) for name in waiting} == waiting


def test_a_ledger_on_another_clock() -> None:
    """All its times are moved."""
    office = Office(B)
    office.found[A] = [SHARED]
    office.look()
    del office.tokens[B]
    office.look()
    ledger = attrs.evolve(office.ledger, untold=untold_of({"hook": office.notices}))
    moved = ledger.shifted(500.0)
    assert moved != ledger
    alert, before = moved.book["breaker_open:x"], ledger.book["breaker_open:x"]
    assert alert.told is not None
    assert before.told is not None
    assert (alert.since, alert.last_fired) == (before.since + 500, office.now - 1 + 500)
    assert alert.told.at == before.told.at + 500
    assert moved.untold[0].notice.at == ledger.untold[0].notice.at + 500
    assert moved.lost == {B: office.now + 500}
    assert moved.shifted(-500.0) == ledger
