"""What an agent knows of itself, longer than the actor that minds it lives."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from cortexd.agent.settings import AgentConfig
from cortexd.domain.fleet import AgentReport, Answer, FleetWorker, WorkerReport
from cortexd.policy.fleet_dedup import DedupWindow

FILE_NAME: Final = "agent.json"

INCARNATION_MAX: Final = 2**53 - 1
"""A greater one was not kept by an agent, and nodes would not take what comes after it."""


@attrs.define(eq=False)
class AgentBoard:
    """What nodes are told, and what they have told.

    `incarnation`: greater than that of all agents of this name before it, as far as they have kept
    it here, or the clock has not gone back; nodes take what comes with a smaller one for old news.
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
        """Have the next incarnation know who is not to work, and that it comes after this one.

        What cannot be kept is forgotten. This waits for the disk, so it is for a thread; one at a
        time.
        """
        # Of who is not to work, it is known whether they were drained.
        workers = tuple(self.workers.values())
        resting = {worker.name: worker.drained for worker in workers if not worker.active}
        path = self.config.agent.state_dir / FILE_NAME
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            document = {"incarnation": self.incarnation, "resting": resting}
            new.write_text(json.dumps(document), encoding="utf-8")
            new.replace(path)


def new_board(config: AgentConfig, *, now: float) -> AgentBoard:
    """The board of an agent that begins now, in seconds since 1970."""
    kept = _kept(config.agent.state_dir / FILE_NAME)
    resting = _resting(kept.get("resting"))
    return AgentBoard(
        config=config,
        incarnation=max(int(now * 1000), _incarnation(kept.get("incarnation")) + 1),
        workers={
            worker.name: WorkerReport(
                name=worker.name,
                active=worker.name not in resting,
                drained=resting.get(worker.name, False),
            )
            for worker in config.workers
        },
    )


def _kept(path: Path) -> Mapping[str, object]:
    """What the agent before this one has kept; nothing, where it makes no sense."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _incarnation(kept: object) -> int:
    return kept if type(kept) is int and 0 <= kept <= INCARNATION_MAX else 0


def _resting(kept: object) -> Mapping[str, bool]:
    """Who is not to work, and whether it was drained."""
    if not isinstance(kept, dict):
        return {}
    return {name: drained for name, drained in kept.items() if isinstance(drained, bool)}
