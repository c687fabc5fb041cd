"""An alert: something is wrong that needs a person, from its first sign until it is over."""

from enum import Enum, unique
from typing import Final

import attrs

from cortexd.domain.errors import CortexError


@unique
class Severity(Enum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The greater, the worse."""
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


@unique
class Rule(Enum):
    """What is watched for. The value is its name in documents and in alert ids."""

    NO_AVAILABLE_WORKERS = "no_available_workers"
    FEW_AVAILABLE_WORKERS = "few_available_workers"
    BREAKER_OPEN = "breaker_open"
    UNTRUSTED_WORKER = "untrusted_worker"
    KEY_OFF = "key_off"
    DEAD_LETTERS = "dead_letters"
    HIGH_MEMORY = "high_memory"
    RESTARTS = "restarts"
    ERROR_RATE = "error_rate"
    SLOW_TTFT = "slow_ttft"
    STORAGE = "storage"
    DEGRADED = "degraded"
    FLEET_LOST = "fleet_lost"
    CLUSTER_LOST = "cluster_lost"
    NODE_LOST = "node_lost"


@unique
class AlertState(Enum):
    """How far an alert has come."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@attrs.frozen(kw_only=True)
class Condition:
    """A rule finds something wrong now. `target` is whom with: empty for the node as a whole.

    `message` says what to do as well. Never in it: prompts, answers, secrets, or what an upstream
    has sent.
    """

    rule: Rule
    target: str = ""
    severity: Severity
    message: str

    @property
    def alert_id(self) -> str:
        """The same for each alert of this rule about this target; fit for the path of a URL."""
        return alert_id(self.rule, self.target)


def alert_id(rule: Rule, target: str) -> str:
    """What the alert of a rule about a target is called: `breaker_open:groq-main`."""
    return f"{rule.value}:{target.replace('/', ':')}" if target else rule.value


@unique
class Occasion(Enum):
    """Why people are told of an alert."""

    FIRED = "fired"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@attrs.frozen(kw_only=True)
class Notice:
    """What people are to be told of an alert.

    `severity`: of a resolved one the worst they were told. `since` and `at` are on the monotonic
    clock, in seconds: when the condition began, and when this was noticed.
    """

    alert_id: str
    rule: Rule
    target: str
    severity: Severity
    occasion: Occasion
    message: str
    since: float
    at: float

    def shifted(self, by_s: float) -> "Notice":
        """The same on a clock that is ahead by this."""
        return attrs.evolve(self, since=self.since + by_s, at=self.at + by_s)


@attrs.frozen(kw_only=True)
class AlertDigest:
    """One message to people: one notice or more, oldest first, and how many were lost before them.

    `ages_s`: how long ago each notice was made, in seconds.
    """

    notices: tuple[Notice, ...]
    ages_s: tuple[float, ...]
    lost: int


@attrs.frozen
class NotificationFailed(CortexError):
    """A channel did not take a message. `message` shows neither its address nor a credential.

    `is_final`: the same message would be refused again.
    """

    message: str
    is_final: bool = False
