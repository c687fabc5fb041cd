"""The circuit breaker's table as a Mermaid state diagram."""

from cortexd.policy.breaker_states import TRANSITIONS, BreakerState


def diagram() -> str:
    """One line for each state, and one for each row of the table; begins closed."""
    states = (f"    {state.value} : {state.value.replace('_', ' ')}" for state in BreakerState)
    rows = (
        f"    {before.value} --> {after.value} : {trigger.value}"
        for (before, trigger), after in TRANSITIONS.items()
    )
    start = f"    [*] --> {BreakerState.CLOSED.value}"
    return "\n".join(["stateDiagram-v2", *states, start, *rows, ""])
