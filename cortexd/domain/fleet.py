"""What agents and nodes tell each other over the broker, and what a node knows of an agent.

Rule of this file: every text, list and number that comes from outside has a bound. An agent stands
beside model servers on another host; what it can do is in `Verb`.
"""

from enum import Enum, unique
from typing import Annotated, Final, NewType

import attrs
from msgspec import Meta, Struct

from cortexd.domain.worker import WorkerType

AgentName = NewType("AgentName", str)
"""What an agent is called: unique within its fleet."""

MessageId = NewType("MessageId", str)
"""Names a message for good, however often it is sent."""

NAME_FORM: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
"""Of agents and of their workers: no dot, since that is what stands between the two."""

WORKERS_MAX: Final = 64
"""How many workers an agent has at most."""

_Name = Annotated[str, Meta(pattern=rf"^{NAME_FORM}\Z")]
_Text = Annotated[str, Meta(max_length=256)]
_Url = Annotated[str, Meta(min_length=1, max_length=2048)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Moment = Annotated[float, Meta(ge=0, le=1e12)]
_Seconds = Annotated[float, Meta(gt=0, le=86_400)]


@unique
class Verb(Enum):
    """What an agent can be told. Those but the last want an answer."""

    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    DRAIN = "drain"
    PING = "ping"
    ROLL_CALL = "roll_call"


class FleetWorker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model server as an agent offers it: some keys of a `[[workers]]` table.

    There are no keys of providers among them: secrets do not travel.
    """

    name: _Name
    type: WorkerType
    base_url: _Url
    models: Annotated[tuple[_Text, ...], Meta(max_length=256)] = ()
    max_concurrency: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    queue_max: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] | None = None
    weight: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    context_tokens: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    first_token_seconds: _Seconds | None = None
    idle_seconds: _Seconds | None = None
    total_seconds: _Seconds | None = None


class WorkerReport(Struct, frozen=True, kw_only=True):
    """How one of an agent's workers is.

    `drained`: it is to leave the rotation for good, until it is activated. `reachable`: its server
    takes connections, as seen from beside it. `activity`: in how many status periods it has been of
    use, active and reachable.
    """

    name: _Name
    active: bool
    drained: bool = False
    reachable: bool = True
    activity: _Count = 0


class AgentReport(Struct, frozen=True, kw_only=True):
    """How an agent is.

    `incarnation` grows with each start of the agent, `sequence` with each of its messages.
    `status_seconds`: how often it says so. `at`: its own clock, in seconds since 1970. `load`: of
    its host, 1 being all processors busy. `activity`: that of its workers together.
    """

    incarnation: _Count
    sequence: _Count
    status_seconds: _Seconds
    at: _Moment
    load: Annotated[float, Meta(ge=0, le=1_000_000)]
    activity: _Count
    workers: Annotated[tuple[WorkerReport, ...], Meta(max_length=WORKERS_MAX)]


class Answer(Struct, frozen=True, kw_only=True):
    """What has become of a command. `problem`: why it was not done; else `None`."""

    command: _Text
    problem: _Text | None = None


class Registration(Struct, frozen=True, kw_only=True, tag="registration"):
    """An agent is there, with these workers."""

    agent: _Name
    version: _Text
    workers: Annotated[tuple[FleetWorker, ...], Meta(max_length=WORKERS_MAX)]
    report: AgentReport


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """How an agent is now; `answer` where it has just been told something."""

    agent: _Name
    report: AgentReport
    answer: Answer | None = None


class Farewell(Struct, frozen=True, kw_only=True, tag="farewell"):
    """An agent goes, and its workers with it."""

    agent: _Name
    incarnation: _Count


class Command(Struct, frozen=True, kw_only=True, tag="command"):
    """What an agent is to do, with one of its workers or with all."""

    verb: Verb
    worker: _Name | None = None


FleetMessage = Registration | Status | Farewell | Command


@attrs.frozen(kw_only=True)
class Received:
    """A message that came, that was meant for us, and that nobody has forged.

    `deadline`: after this moment, in seconds since 1970, it is not to be heeded any more.
    """

    id: MessageId
    message: FleetMessage
    deadline: float


@attrs.frozen(kw_only=True)
class LineStanding:
    """How the line to the broker stands. Times are on the monotonic clock, in seconds.

    `is_blocked`: the broker takes nothing, for want of memory or disk. `failure`: why it is not up;
    `is_hopeless`: and it will not be, before somebody sees to it. `proved_at`: when it was last
    known to carry; `steady_since`: since when without a gap.
    """

    is_up: bool = False
    is_blocked: bool = False
    failure: str | None = None
    is_hopeless: bool = False
    proved_at: float | None = None
    steady_since: float | None = None

    @property
    def carries(self) -> bool:
        """Whether something can be sent now."""
        return self.is_up and not self.is_blocked


@attrs.frozen(kw_only=True)
class FleetActivity:
    """Something that has become of an agent, or of one of its workers, for the history.

    `at` is in seconds since 1970. `activity`: its counter then, where it is known.
    """

    at: float
    agent: str
    worker: str | None
    what: str
    activity: int | None
