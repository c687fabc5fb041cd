"""How a process of ours ends: by which signals, with which exit codes, and by force."""

import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import structlog
import trio

EXIT_OK: Final = 0
EXIT_TREE_GAVE_UP: Final = 1

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("cortexd")


@contextmanager
def heeded_signals(*others: signal.Signals) -> Iterator[AsyncIterator[int]]:
    """Those that order a stop, those that log the tree (SIGUSR1), and `others`, as they come.

    To be opened before the tree starts and closed when it has stopped, so that none is lost.
    """
    # What comes while the process is ending must not turn a clean stop into a death by signal.
    for number in (*STOP_SIGNALS, *others):
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(*STOP_SIGNALS, signal.SIGUSR1, *others) as signals:
        yield signals


def end_by_force(reason: str) -> NoReturn:
    """End the process as it stands, since nothing else would end it."""
    log.critical(reason, exit_code=EXIT_TREE_GAVE_UP)
    logging.shutdown()
    os._exit(EXIT_TREE_GAVE_UP)
