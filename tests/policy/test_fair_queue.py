"""The fair queue, in examples and against a model that does everything the long way."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cortexd.domain.ids import Tenant
from cortexd.policy.fair_queue import FairQueue, Waiting

A, B, C, D = (Tenant(name) for name in "abcd")


def _filled(size: int, *items: str) -> FairQueue[str]:
    """A queue of items such as `a1`, whose tenant is `a`; all have room."""
    queue: FairQueue[str] = FairQueue(size)
    for at, item in enumerate(items):
        assert queue.push(Tenant(item[0]), item, float(at)) is None
    return queue


def _drained(queue: FairQueue[str]) -> str:
    items = []
    while (item := queue.pop()) is not None:
        items.append(item)
    return " ".join(items)


def test_tenants_take_turns_and_each_is_served_in_order() -> None:
    """A late tenant does not wait for all that an early one has queued before it."""
    queue = _filled(9, "a1", "a2", "a3", "b1", "c1", "c2")

    assert _drained(queue) == "a1 b1 c1 a2 c2 a3"
    assert len(queue) == 0
    assert queue.pop() is None


def test_a_tenant_that_was_served_goes_to_the_end_of_the_round() -> None:
    """Coming back at once gains nothing, and neither does leaving and coming back."""
    queue = _filled(9, "a1", "b1", "c1")

    assert queue.pop() == "a1"
    queue.push(A, "a2", 1.0)
    queue.discard("b1")
    queue.push(B, "b2", 1.0)

    assert _drained(queue) == "c1 a2 b2"


def test_a_full_queue_takes_the_newest_place_of_the_tenant_with_most() -> None:
    """Who floods it makes room for the others."""
    queue = _filled(4, "a1", "a2", "a3", "b1")

    assert queue.push(C, "c1", 9.0) == "a3"
    assert _drained(queue) == "a1 b1 c1 a2"


def test_a_full_queue_turns_away_whom_it_owes_nothing() -> None:
    """Who floods it, and who would only take the place of somebody no better off."""
    queue = _filled(4, "a1", "a2", "b1", "b2")

    assert queue.push(A, "a3", 9.0) == "a3"
    assert queue.push(C, "c1", 9.0) == "a2"
    assert queue.push(D, "d1", 9.0) == "b2"
    assert queue.push(Tenant("e"), "e1", 9.0) == "e1"
    assert _drained(queue) == "a1 b1 c1 d1"


def test_a_queue_without_room_turns_everybody_away() -> None:
    """That is what `queue_max = 0` means."""
    queue: FairQueue[str] = FairQueue(0)

    assert queue.push(A, "a1", 0.0) == "a1"
    assert len(queue) == 0


def test_operators_see_who_waits_where_and_since_when() -> None:
    """In the order in which they will be served, not in which they came."""
    queue = _filled(9, "a1", "a2", "b1")

    assert queue.waiting() == (
        Waiting(tenant=A, position=1, since=0.0),
        Waiting(tenant=B, position=2, since=2.0),
        Waiting(tenant=A, position=3, since=1.0),
    )


class ModelledQueue(RuleBasedStateMachine):
    """The model is a list of turns, each round made anew; it knows nothing of lines."""

    SIZE = 6

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(self.SIZE)
        self.waiting: list[tuple[Tenant, int]] = []  # in the order they came
        self.rotation: list[Tenant] = []
        self.made = 0

    def of(self, tenant: Tenant) -> list[int]:
        """What the tenant has in the model."""
        return [item for owner, item in self.waiting if owner == tenant]

    def take_out(self, item: int) -> None:
        """Out of the model."""
        self.waiting = [one for one in self.waiting if one[1] != item]
        self.rotation = [tenant for tenant in self.rotation if self.of(tenant)]

    def turns(self) -> list[tuple[Tenant, int]]:
        """The order in which the model would serve."""
        lines = {tenant: self.of(tenant) for tenant in self.rotation}
        turns = []
        while any(lines.values()):
            turns += [(tenant, line.pop(0)) for tenant, line in lines.items() if line]
        return turns

    @rule(tenant=st.sampled_from([A, B, C, D]))
    def push(self, tenant: Tenant) -> None:
        """It gets the place it was promised, or the one who has to go is rightly chosen."""
        self.made += 1
        promised = self.queue.next_position(tenant)
        before = list(self.waiting)

        displaced = self.queue.push(tenant, self.made, float(self.made))

        if displaced != self.made:
            self.waiting.append((tenant, self.made))
            self.rotation += [] if tenant in self.rotation else [tenant]
        if len(before) < self.SIZE:
            assert displaced is None
            assert self.turns()[promised - 1] == (tenant, self.made)
            return
        most = max(len(self.of(each)) for each in self.rotation)
        if displaced == self.made:
            assert len(self.of(tenant)) + 1 >= most
        else:
            assert displaced is not None
            (owner,) = [who for who, item in before if item == displaced]
            assert self.of(owner)[-1] == displaced
            assert len(self.of(owner)) == most > len(self.of(tenant))
            self.take_out(displaced)

    @rule()
    def pop(self) -> None:
        """Whose turn it is goes to the end of the rotation."""
        expected = self.turns()[:1]
        popped = self.queue.pop()
        assert [item for _, item in expected] == ([] if popped is None else [popped])
        if popped is not None:
            self.rotation.append(self.rotation.pop(0))
            self.take_out(popped)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        """Any of those that wait may leave; leaving twice changes nothing."""
        _, item = data.draw(st.sampled_from(self.waiting))
        self.queue.discard(item)
        self.queue.discard(item)
        self.take_out(item)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        """The same items, in the same order, and never more than there is room for."""
        assert len(self.queue) == len(self.waiting) <= self.SIZE
        seen = [(one.tenant, int(one.since)) for one in self.queue.waiting()]
        assert seen == self.turns()
        assert [one.position for one in self.queue.waiting()] == list(range(1, len(seen) + 1))


TestModelledQueue = ModelledQueue.TestCase
TestModelledQueue.settings = settings(max_examples=60, stateful_step_count=40)


@given(st.lists(st.one_of(st.none(), st.sampled_from([A, A, A, A, B, C])), max_size=150))
def test_who_is_next_of_a_tenant_waits_one_round_at_most(steps: list[Tenant | None]) -> None:
    """However many of the others wait and go on coming; `None` is a turn."""
    queue: FairQueue[tuple[Tenant, int]] = FairQueue(1000)
    rounds_of = len({A, B, C})
    turns, next_since = 0, dict[Tenant, int]()
    for number, tenant in enumerate(steps):
        if tenant is not None:
            queue.push(tenant, (tenant, number), 0.0)
            next_since.setdefault(tenant, turns)
        elif (popped := queue.pop()) is not None:
            turns += 1
            served, _ = popped
            assert turns - next_since.pop(served) <= rounds_of
            if any(waiting.tenant == served for waiting in queue.waiting()):
                next_since[served] = turns
    assert all(turns - since < rounds_of for since in next_since.values())
