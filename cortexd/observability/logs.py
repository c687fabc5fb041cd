"""Logs: one line for each thing that happened, on stderr, as JSON or for people.

What the gateway itself logs goes straight to the stream, since there is a line for each request.
The standard library's logging carries what libraries say, into the same format.
"""

import atexit
import json
import logging
import sys
from collections.abc import Callable
from enum import Enum, unique
from functools import partial
from typing import Any

import msgspec
import structlog

from cortexd.domain.redaction import without_credentials
from cortexd.observability.log_output import LogOutput

_encoder = msgspec.json.Encoder(enc_hook=str)


@unique
class LogFormat(Enum):
    """How a log line looks."""

    JSON = "json"
    TEXT = "text"


def configure_logs(
    log_format: LogFormat, redact: Callable[[str], str] = without_credentials
) -> None:
    """Send all logs, those of libraries as well, to stderr in one format.

    `redact` takes credentials out of what tells of trouble or comes from libraries, since it may
    quote anybody; what we say ourselves of each request has been cleared where it came in.
    """
    common: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    output = _output()
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, _as_json]
        if log_format is LogFormat.JSON
        else [structlog.dev.ConsoleRenderer(colors=output.isatty())]
    )
    _configure_libraries(output, common, [*rendering, partial(_redacted, redact)])
    structlog.configure(
        processors=[*common, *rendering, partial(_redacted_in_trouble, redact)],
        logger_factory=structlog.WriteLoggerFactory(output),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def _output() -> Any:
    """A stream, as far as loggers need one: stderr, if it is one that a process has."""
    try:
        output = LogOutput(sys.stderr.fileno())
    except (OSError, ValueError):
        return sys.stderr
    atexit.register(output.close)
    return output


def _configure_libraries(
    output: Any,
    common: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
) -> None:
    remove_meta: Any = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder()],
            processors=[remove_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # One line for each upstream request would drown the canonical line.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Each failed attempt to connect would be a traceback; the link tells of it in one line.
    logging.getLogger("coredis").setLevel(logging.CRITICAL + 1)


def _redacted(redact: Callable[[str], str], _logger: object, _method: str, line: Any) -> str:
    return redact(line)


def _redacted_in_trouble(
    redact: Callable[[str], str], _logger: object, method: str, line: Any
) -> str:
    return line if method == "info" else redact(line)


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    try:
        return _encoder.encode(event).decode()
    except (TypeError, ValueError, OverflowError):
        # Half a surrogate pair, a number without end, a key that is no text: a log never fails.
        return json.dumps(event, default=str, skipkeys=True)
