"""Keeps other programs of the same user from reading this process's memory, and cores from disk."""

import ctypes
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""See prctl(2)."""


def keep_memory_private() -> None:
    """Let nobody but root attach to the process, or see its environment. A system without it stays.

    Programs that it starts are as any others.
    """
    with_prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if with_prctl is not None:
        with_prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
