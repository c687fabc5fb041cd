"""Log lines, as they leave the process."""

import json
import subprocess
import sys

PROGRAM = """
import logging
import structlog
from cortexd.observability.logs import LogFormat, configure_logs
configure_logs(LogFormat.{format})
log = structlog.get_logger("x")
log.info("plain", text="a\\nb", number=1.5, nothing=None, items=("a",))
log.info("half", text="\\ud800")
log.info("huge", number=10**400)
log.info("odd", **{{"value": object(), "keys": {{(1, 2): 3}}}})
log.debug("unseen")
logging.getLogger("library").warning("from %s", "elsewhere", extra={{"more": 1}})
logging.getLogger("httpx").info("unseen")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def _lines(log_format: str) -> list[str]:
    program = PROGRAM.format(format=log_format)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    return run.stderr.splitlines()


def test_json_lines() -> None:
    """One document a line, whatever is in it: a log never fails."""
    plain, half, huge, odd, library, failed = map(json.loads, _lines("JSON"))
    assert (plain["event"], plain["level"], plain["text"]) == ("plain", "info", "a\nb")
    assert (plain["number"], plain["nothing"], plain["items"]) == (1.5, None, ["a"])
    assert plain["timestamp"].endswith("Z")
    assert half["text"] == "\ud800"
    assert huge["number"] == 10**400
    assert "object object" in odd["value"]
    assert (library["event"], library["level"], library["more"]) == (
        "from elsewhere",
        "warning",
        1,
    )
    assert "ZeroDivisionError" in failed["exception"]


def test_lines_for_people() -> None:
    """The same, to be read."""
    text = "\n".join(_lines("TEXT"))
    assert "plain" in text
    assert "from elsewhere" in text
    assert "ZeroDivisionError" in text
    assert "unseen" not in text
