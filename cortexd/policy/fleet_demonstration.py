"""The demonstration: agents are switched on and off in turns, so that there is something to see."""

from collections.abc import Iterable, Mapping

from cortexd.domain.fleet import AgentName, Verb


def switches(agents: Iterable[AgentName], turn: int) -> Mapping[AgentName, Verb]:
    """What each is told in this turn: every other agent rests, and in the next turn the others."""
    return {
        agent: Verb.DEACTIVATE if (place + turn) % 2 else Verb.ACTIVATE
        for place, agent in enumerate(sorted(agents))
    }
