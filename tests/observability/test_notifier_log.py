"""Alerts in the log."""

import pytest
from structlog.testing import capture_logs

from cortexd.domain.alert import Occasion, Severity
from cortexd.observability.notifiers.log import LogNotifier
from tests.fakes.alerts import digest, notice


@pytest.mark.parametrize(
    ("severity", "occasion", "level"),
    [
        (Severity.INFO, Occasion.FIRED, "info"),
        (Severity.WARNING, Occasion.FIRED, "warning"),
        (Severity.CRITICAL, Occasion.ESCALATED, "critical"),
        (Severity.CRITICAL, Occasion.REPEATED, "critical"),
        (Severity.CRITICAL, Occasion.RESOLVED, "info"),
    ],
)
async def test_each_notice_is_a_line_at_its_level(
    severity: Severity, occasion: Occasion, level: str
) -> None:
    """What is over is worth knowing, and no more."""
    with capture_logs() as lines:
        await LogNotifier().send(digest(notice(severity=severity, occasion=occasion), notice()))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("alert", level),
        ("alert", "warning"),
    ]
    assert lines[0]["alert_id"] == "breaker_open:groq"
    assert lines[0]["message"] == notice().message
