"""The log is kept clear of the credentials that the process holds."""

import subprocess
import sys

import pytest

from cortexd.domain.secret import Secret
from cortexd.observability.live_secrets import LiveSecrets

_PROGRAM = """
import logging, sys
import structlog
from cortexd.domain.secret import Secret
from cortexd.observability.live_secrets import LiveSecrets
from cortexd.observability.logs import LogFormat, configure_logs

known = LiveSecrets()
configure_logs(LogFormat(sys.argv[1]), known.redact)
known.learn([Secret('canary"one'), Secret("canary-two")])
log = structlog.get_logger("cortexd")
log.warning("refused", quoting='canary"one', header="Bearer canary-abcdefgh")
try:
    raise ValueError("canary-two sk-canary-abcdefgh")
except ValueError as error:
    log.error("failed", exc_info=error)
logging.getLogger("library").info("connecting to amqp://me:canary@host with %s", "canary-two")
log.info("all is well")
"""


def test_what_is_known_goes_and_what_looks_like_it() -> None:
    """All that it was ever told, also as JSON writes it."""
    known = LiveSecrets()
    assert known.redact("one two") == "one two"
    known.learn([Secret("one"), Secret("")])
    known.learn([Secret('t"wo')])
    assert known.redact('one, t"wo and t\\"wo, key=abcdefgh') == "***, *** and ***, key=***"


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_log_of_a_process(log_format: str) -> None:
    """In what it says itself, in the text of an exception, and in what a library says."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, log_format], capture_output=True, check=True, text=True
    )
    assert "canary" not in done.stderr.replace(_PROGRAM, "")
    for word in ("refused", "failed", "ValueError", "connecting to amqp://***@host", "all is well"):
        assert word in done.stderr
