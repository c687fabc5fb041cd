"""Alerts in the log: a line for each notice, at the level of its severity."""

from typing import Final

import structlog

from cortexd.domain.alert import AlertDigest, Notice, Occasion, Severity
from cortexd.ports import Notifier

_LEVELS: Final = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}

log = structlog.get_logger("cortexd.alerts")


class LogNotifier(Notifier):
    """Writes and never waits."""

    send_s_max = 1.0

    async def send(self, digest: AlertDigest) -> None:
        """Write the lines."""
        for notice in digest.notices:
            getattr(log, _level(notice))(
                "alert",
                occasion=notice.occasion.value,
                severity=notice.severity.value,
                rule=notice.rule.value,
                target=notice.target,
                alert_id=notice.alert_id,
                message=notice.message,
            )


def _level(notice: Notice) -> str:
    return "info" if notice.occasion is Occasion.RESOLVED else _LEVELS[notice.severity]
