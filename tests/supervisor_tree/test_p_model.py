"""Group P: a supervisor against a model of it, over scripts that Hypothesis thinks up."""

from __future__ import annotations

from collections import deque

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from supervisor_tree import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRunning,
    Restart,
    RestartIntensityExceeded,
    StartFailed,
    Strategy,
    SupervisionError,
    Supervisor,
    open_tree,
)
from supervisor_tree.testing import Boom, Recorders, assert_no_tasks_left, settle

IDS = "abc"
MAX_RESTARTS, MAX_SECONDS = 3, 10.0


@attrs.frozen
class Step:
    """One thing that is done to the supervisor, or to a child."""

    verb: str
    child: str = "a"
    restart: Restart = Restart.PERMANENT
    seconds: float = 0.0


STEPS = st.one_of(
    st.builds(
        Step, st.sampled_from(["start"]), st.sampled_from(IDS), st.sampled_from(list(Restart))
    ),
    st.builds(
        Step,
        st.sampled_from(["terminate", "restart", "delete", "finish", "quit", "break", "mend"]),
        st.sampled_from(IDS),
    ),
    # Many of these, or no script would ever spend the budget.
    st.builds(Step, st.just("crash"), st.sampled_from(IDS)),
    st.builds(
        Step,
        st.sampled_from(["sleep"]),
        seconds=st.sampled_from([0.5, 3.0, MAX_SECONDS, MAX_SECONDS + 1]),
    ),
)


@attrs.define
class ModelChild:
    """What the model knows about one child."""

    restart: Restart
    running: bool = True
    incarnation: int = 1


class Escalation(Exception):
    """The model says that the supervisor gives up."""


class Model:
    """A supervisor in forty lines, without tasks."""

    def __init__(self, strategy: Strategy, children: dict[str, Restart]) -> None:
        self.strategy = strategy
        self.now = 0.0
        self.children = {key: ModelChild(restart) for key, restart in children.items()}
        self.broken: set[str] = set()
        self.failures: deque[float] = deque()
        self.log = [("+", key) for key in children]

    def end(self, key: str, *, failure: bool) -> None:
        """A running child ends by itself."""
        child = self.children[key]
        self.log.append(("-", key))
        child.running = False
        if child.restart is Restart.TEMPORARY:
            del self.children[key]
        elif failure or child.restart is Restart.PERMANENT:
            self.fail(key)

    def fail(self, key: str) -> None:
        """A child needs a restart."""
        self.failures.append(self.now)
        while self.now - self.failures[0] > MAX_SECONDS:
            self.failures.popleft()
        if len(self.failures) > MAX_RESTARTS:
            self.stop_all()
            raise Escalation
        group = self.group(key)
        for member in reversed(group):
            self.stop(member)
        for member in group:
            if member in self.children and not self.try_start(member):
                self.fail(member)
                return

    def group(self, key: str) -> list[str]:
        """Who is restarted together with a child."""
        order = list(self.children)
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                return [key]
            case Strategy.ONE_FOR_ALL:
                return order
            case Strategy.REST_FOR_ONE:
                return order[order.index(key) :]

    def try_start(self, key: str) -> bool:
        """Start a child, if it is not broken."""
        child = self.children[key]
        child.incarnation += 1
        child.running = key not in self.broken
        if child.running:
            self.log.append(("+", key))
        return child.running

    def stop(self, key: str) -> None:
        """Stop a child by order of the supervisor."""
        child = self.children[key]
        if child.running:
            self.log.append(("-", key))
        child.running = False
        if child.restart is Restart.TEMPORARY:
            del self.children[key]

    def stop_all(self) -> None:
        """The end."""
        for key in reversed(list(self.children)):
            self.stop(key)

    def request(self, step: Step) -> type[SupervisionError] | None:  # noqa: PLR0911  # a table
        """Do what is asked for; say with which error that fails."""
        child = self.children.get(step.child)
        if step.verb == "start":
            if child is not None:
                return AlreadyStarted if child.running else AlreadyPresent
            if step.child in self.broken:
                return StartFailed
            self.children[step.child] = ModelChild(step.restart)
            self.log.append(("+", step.child))
            return None
        if child is None:
            return ChildNotFound
        if step.verb == "terminate":
            self.stop(step.child)
            return None
        if child.running:
            return ChildRunning
        if step.verb == "delete":
            del self.children[step.child]
            return None
        return None if self.try_start(step.child) else StartFailed


async def act(sup: Supervisor, cast: Recorders, step: Step) -> type[SupervisionError] | None:
    """Do a step in reality."""
    try:
        match step.verb:
            case "start":
                await sup.start_child(cast.spec(step.child, restart=step.restart))
            case "terminate":
                await sup.terminate_child(step.child)
            case "restart":
                await sup.restart_child(step.child)
            case "delete":
                await sup.delete_child(step.child)
    except SupervisionError as error:
        return type(error)
    return None


async def take(sup: Supervisor, cast: Recorders, model: Model, step: Step) -> None:
    """Take a step on both sides. Errors: Escalation, when the model says so."""
    match step.verb:
        case "sleep":
            await trio.sleep(step.seconds)
            model.now += step.seconds
        case "break":
            cast.init_errors[step.child] = Boom()
            model.broken.add(step.child)
        case "mend":
            cast.init_errors.pop(step.child, None)
            model.broken.discard(step.child)
        case "crash" | "finish" | "quit":
            child = model.children.get(step.child)
            if child is not None and child.running:
                getattr(cast, step.verb)(step.child)
                model.end(step.child, failure=step.verb == "crash")
        case _:
            expected = model.request(step)
            assert await act(sup, cast, step) is expected


async def play(strategy: Strategy, children: dict[str, Restart], script: list[Step]) -> None:
    """Play a script on both sides, and compare after each step."""
    cast, model = Recorders(), Model(strategy, children)
    sup = Supervisor(
        *(cast.spec(key, restart=restart) for key, restart in children.items()),
        strategy=strategy,
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
    )
    gives_up = False
    try:
        async with open_tree(sup) as tree:
            for step in script:
                try:
                    await take(sup, cast, model, step)
                except Escalation:
                    gives_up = True
                    await trio.sleep_forever()
                await settle()
                nodes = tree.snapshot().children
                found = [(node.path[5:], node.state, node.incarnation) for node in nodes]
                assert found == [
                    (key, "running" if child.running else "stopped", child.incarnation)
                    for key, child in model.children.items()
                ]
                assert [child.id for child in sup.which_children()] == list(model.children)
                assert cast.log == model.log
            model.stop_all()
    except RestartIntensityExceeded:
        assert gives_up
    else:
        assert not gives_up
    assert cast.log == model.log
    assert_no_tasks_left()


@settings(max_examples=300, deadline=None)
@given(
    strategy=st.sampled_from(list(Strategy)),
    children=st.dictionaries(st.sampled_from(IDS), st.sampled_from(list(Restart)), min_size=1),
    script=st.lists(STEPS, max_size=25),
)
def test_model(strategy: Strategy, children: dict[str, Restart], script: list[Step]) -> None:
    """Whatever is done to a supervisor, it does what the model says, in that order."""
    trio.run(play, strategy, children, script, clock=MockClock(autojump_threshold=0))
