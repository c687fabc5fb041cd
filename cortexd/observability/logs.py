"""Logs: one line for each thing that happened, on stderr, as JSON or for people.

What the gateway itself logs goes straight to the stream, since there is a line for each request.
The standard library's logging carries what libraries say, into the same format.
"""

import json
import logging
import sys
from enum import Enum, unique
from typing import Any

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=str)


@unique
class LogFormat(Enum):
    """How a log line looks."""

    JSON = "json"
    TEXT = "text"


def configure_logs(log_format: LogFormat) -> None:
    """Send all logs, those of libraries as well, to stderr in one format."""
    common: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, _as_json]
        if log_format is LogFormat.JSON
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    _configure_libraries(common, rendering)
    structlog.configure(
        processors=[*common, *rendering],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


def _configure_libraries(
    common: list[structlog.typing.Processor], rendering: list[structlog.typing.Processor]
) -> None:
    remove_meta: Any = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder()],
            processors=[remove_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # One line for each upstream request would drown the canonical line.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    try:
        return _encoder.encode(event).decode()
    except (TypeError, ValueError, OverflowError):
        # Half a surrogate pair, a number without end, a key that is no text: a log never fails.
        return json.dumps(event, default=str, skipkeys=True)
