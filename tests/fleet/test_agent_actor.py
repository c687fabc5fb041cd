"""What an agent does as told, and what it says."""

from pathlib import Path

import pytest
import trio

from cortexd.agent.actor import AGENT, AgentActor
from cortexd.agent.board import FILE_NAME, new_board
from cortexd.domain.fleet import Answer, Farewell, LineStanding, Registration, Verb
from supervisor_tree import whereis
from tests.fleet.lone_agent import STATUS_S, StartAgent

# It looks at ports and keeps a file, in threads; but nothing is waited for that could jump.
pytestmark = pytest.mark.real_time

HANGS_S = 20.0


async def _until(satisfied: object) -> None:
    assert callable(satisfied)
    with trio.fail_after(HANGS_S):
        while not satisfied():  # noqa: ASYNC110  what is waited for is in no event
            await trio.sleep(0.01)


async def test_it_registers_when_it_starts_and_when_it_is_asked(start_agent: StartAgent) -> None:
    """With all that it offers, and how that is."""
    async with start_agent() as agent:

        def registrations() -> list[Registration]:
            return [each for each, _, _ in agent.line.sent if isinstance(each, Registration)]

        await _until(lambda: len(registrations()) == 1)
        [first] = registrations()
        assert [worker.name for worker in first.workers] == ["w", "v"]
        shown = {each.name: each.active for each in first.report.workers}
        assert shown == {"w": True, "v": True}
        assert {to for _, to, _ in agent.line.sent} == {None}

        await agent.obey(Verb.ROLL_CALL)
        await _until(lambda: len(registrations()) == 2)
        up = LineStanding(is_up=True)
        await whereis(AGENT).call(AgentActor.line_changed, up)
        await _until(lambda: len(registrations()) == 3)
        sequences = [each.report.sequence for each in registrations()]
        assert sequences == sorted(set(sequences))


async def test_a_command_is_done_and_answered(start_agent: StartAgent) -> None:
    """With one worker or with all; the answer says how things are then."""
    async with start_agent() as agent:
        for number, (verb, worker, expected) in enumerate(
            [
                (Verb.DEACTIVATE, "v", {"w": (True, False), "v": (False, False)}),
                (Verb.DRAIN, None, {"w": (False, True), "v": (False, True)}),
                (Verb.ACTIVATE, "w", {"w": (True, False), "v": (False, True)}),
                (Verb.PING, None, {"w": (True, False), "v": (False, True)}),
            ]
        ):
            await agent.obey(verb, worker, id_=f"c{number}")
            answer = Answer(command=f"c{number}")
            await _until(lambda answer=answer: answer in [each.answer for each in agent.statuses])
            [told] = [each for each in agent.statuses if each.answer == answer]
            shown = {each.name: (each.active, each.drained) for each in told.report.workers}
            assert shown == expected


async def test_a_command_is_done_once_and_answered_as_often_as_it_comes(
    start_agent: StartAgent,
) -> None:
    """Another one may have come in between: the first is not done again."""
    async with start_agent() as agent:
        await agent.obey(Verb.DEACTIVATE, "w", id_="first")
        await agent.obey(Verb.ACTIVATE, "w", id_="second")
        await agent.obey(Verb.DEACTIVATE, "w", id_="first")
        await _until(
            lambda: [e.answer and e.answer.command for e in agent.statuses].count("first") == 2
        )
        assert agent.board.workers["w"].active


async def test_what_is_overdue_is_not_done(start_agent: StartAgent) -> None:
    """Nobody waits for it any more, and something else may have been ordered since."""
    async with start_agent() as agent:
        await agent.obey(Verb.DEACTIVATE, deadline=999.0)
        assert agent.board.workers["w"].active
        assert agent.statuses == []


async def test_what_cannot_be_done_is_answered_too(start_agent: StartAgent) -> None:
    """With the reason."""
    async with start_agent() as agent:
        await agent.obey(Verb.DEACTIVATE, "x")
        answer = Answer(command="c", problem="there is no worker 'x' here")
        await _until(lambda: answer in [each.answer for each in agent.statuses])


async def test_it_says_goodbye(start_agent: StartAgent) -> None:
    """So that nobody has to miss it."""
    async with start_agent() as agent:
        line = agent.line
    message, to, _ = line.sent[-1]
    assert message == Farewell(agent="a", incarnation=1000)
    assert to is None


async def test_it_goes_without_a_word_where_nobody_listens(start_agent: StartAgent) -> None:
    """A broker that is away does not hold it up."""
    async with start_agent() as agent:
        agent.line.is_up = False
        line = agent.line
    assert not any(isinstance(message, Farewell) for message, _, _ in line.sent)


async def test_who_was_told_to_rest_rests_after_a_restart(
    start_agent: StartAgent, tmp_path: Path
) -> None:
    """Until it is told otherwise; a file that makes no sense says nothing."""
    kept = tmp_path / FILE_NAME
    async with start_agent() as agent:
        await agent.obey(Verb.DEACTIVATE, "w", id_="1")
        await agent.obey(Verb.DRAIN, "v", id_="2")
        # Answered is only what is kept.
        await _until(lambda: {e.answer.command for e in agent.statuses if e.answer} == {"1", "2"})
    async with start_agent() as agent:
        shown = {each.name: (each.active, each.drained) for each in agent.board.workers.values()}
        assert shown == {"w": (False, False), "v": (False, True)}
        assert agent.board.incarnation == 2000
    for garbage in (
        *("", "[]", "\x00", "[" * 100_000, '{"resting": 7, "incarnation": "x"}'),
        '{"resting": {"w": 7, "v": null}, "incarnation": -1}',
        f'{{"incarnation": {2**53}}}',
    ):
        kept.write_text(garbage, encoding="utf-8")
        async with start_agent() as agent:
            assert all(each.active for each in agent.board.workers.values())
            assert agent.board.incarnation <= 10_000


async def test_a_clock_that_has_gone_back_makes_no_old_news(start_agent: StartAgent) -> None:
    """Nodes would take no word of an agent whose number is smaller than that of the one before."""
    async with start_agent() as agent:
        config = agent.board.config
    again = new_board(config, now=0.5)
    assert again.incarnation == agent.board.incarnation + 1
    again.keep()
    assert new_board(config, now=0.5).incarnation == again.incarnation + 1


async def test_a_server_that_is_away_is_told_of(start_agent: StartAgent) -> None:
    """At once, and not only with the next status."""
    async with start_agent() as agent:
        await _until(lambda: any(not e.reachable for s in agent.statuses for e in s.report.workers))
        assert agent.board.config.agent.status_seconds == STATUS_S


async def test_activity_counts_the_periods_in_which_a_worker_was_of_use(
    start_agent: StartAgent,
) -> None:
    """Active, and with a server that can be reached."""
    async with start_agent() as agent:
        await _until(lambda: not agent.board.workers["w"].reachable)
        await whereis(AGENT).call(AgentActor.report)
        assert agent.board.workers["w"].activity == 0
        await whereis(AGENT).call(AgentActor.probed, "w", True)
        await whereis(AGENT).call(AgentActor.report)
        assert agent.board.workers["w"].activity == 1
