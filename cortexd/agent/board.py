"""What an agent knows of itself, longer than the actor that minds it lives."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from cortexd.agent.settings import AgentConfig
from cortexd.domain.fleet import AgentReport, Answer, FleetWorker, WorkerReport
from cortexd.policy.fleet_dedup import DedupWindow

FILE_NAME: Final = "agent.json"


@attrs.define(eq=False)
class AgentBoard:
    """`incarnation`: greater than that of all agents of this name before it.

    `done`: what has come of the commands that were carried out, so that none is twice.
    """

    config: AgentConfig
    incarnation: int
    workers: dict[str, WorkerReport]
    done: DedupWindow[Answer] = attrs.Factory(DedupWindow)
    _sequence: int = attrs.field(default=0, init=False)

    @property
    def offers(self) -> tuple[FleetWorker, ...]:
        """The workers, as nodes are told of them."""
        return tuple(worker.offer() for worker in self.config.workers)

    def report(self, *, at: float, load: float) -> AgentReport:
        """How things are now; each report has a number of its own."""
        self._sequence += 1
        return AgentReport(
            incarnation=self.incarnation,
            sequence=self._sequence,
            status_seconds=self.config.agent.status_seconds,
            at=at,
            load=load,
            activity=sum(worker.activity for worker in self.workers.values()),
            workers=tuple(self.workers.values()),
        )

    def keep(self) -> None:
        """Have the next incarnation know who is not to work. What cannot be kept is forgotten.

        It waits for the disk, so it is for a thread; one at a time.
        """
        resting = {
            name: {"active": worker.active, "drained": worker.drained}
            for name, worker in tuple(self.workers.items())
            if not worker.active
        }
        path = self.config.agent.state_dir / FILE_NAME
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(json.dumps(resting), encoding="utf-8")
            new.replace(path)


def new_board(config: AgentConfig, *, now: float) -> AgentBoard:
    """The board of an agent that begins now, in seconds since 1970."""
    resting = _kept(config.agent.state_dir / FILE_NAME)
    return AgentBoard(
        config=config,
        incarnation=int(now * 1000),
        workers={
            worker.name: WorkerReport(
                name=worker.name,
                active=worker.name not in resting,
                drained=resting.get(worker.name, False),
            )
            for worker in config.workers
        },
    )


def _kept(path: Path) -> Mapping[str, bool]:
    """Who is not to work, and whether it was drained."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return dict(_resting(document.items()))


def _resting(items: Iterable[tuple[str, object]]) -> Iterable[tuple[str, bool]]:
    for name, kept in items:
        if isinstance(kept, dict):
            yield name, kept.get("drained") is True
