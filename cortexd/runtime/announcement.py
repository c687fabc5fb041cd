"""What the daemon tells the person who started it."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import trio

from cortexd.actors.published import Published
from cortexd.actors.worker_pool import PoolMember, PoolView
from cortexd.domain.worker import WorkerStatus

VERDICTS_S_MAX = 10.0
"""How long the announcement waits for the first verdicts on the workers."""


async def wait_for_verdicts(view: Published[PoolView]) -> None:
    """Until every worker has been checked and one of them is available, or for ten seconds."""
    with trio.move_on_after(VERDICTS_S_MAX):
        await view.wait_until(lambda now: _settled(now.members))


def _settled(members: Sequence[PoolMember]) -> bool:
    statuses = {member.health.status for member in members}
    return not members or (
        WorkerStatus.UNKNOWN not in statuses and WorkerStatus.AVAILABLE in statuses
    )


def announcement(
    *,
    node: str,
    data: Sequence[str],
    admin: Sequence[str],
    token_file: Path | None,
    members: Sequence[PoolMember],
) -> str:
    """What is listening, who can answer, and a line to try."""
    token = f"   (token in {token_file})" if token_file else ""
    width = max((len(member.worker.name) for member in members), default=0)
    lines = [
        f"cortexd is ready on {node}",
        f"  clients  {'  '.join(data)}",
        f"  admin    {'  '.join(admin)}{token}",
        *(
            f"  {'workers' if index == 0 else '':7}  {member.worker.name:{width}}  {_state(member)}"
            for index, member in enumerate(members)
        ),
        "try it:",
        f"  {try_it(data[0])}",
    ]
    return "\n".join(lines)


def _state(member: PoolMember) -> str:
    about = member.health.reason or ", ".join(member.models)
    return f"{member.health.status.value:11}  {about}"


def try_it(address: str) -> str:
    """A shell command that streams a chat."""
    body = {
        "model": "auto",
        "stream": True,
        "max_tokens": 60,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    return (
        f"curl -N {address}/v1/chat/completions -H 'content-type: application/json' "
        f"-d {shlex.quote(json.dumps(body))}"
    )
