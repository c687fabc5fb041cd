"""How much of the machine each process takes: whether it is the nodes that are at their limit.

Source of the fields: proc_stat(5).
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from bench.gateway.process import cpu_seconds_of

MACHINE: Final = "machine"

CORES: Final = os.cpu_count() or 1

FULL_SHARE: Final = 0.9
"""A machine that is busier than that is at its limit, whatever runs on it."""

_STAT: Final = Path("/proc/stat")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _GUEST = 3, 4, 8


@attrs.frozen
class CpuClocks:
    """Seconds of CPU that were used so far, by name; `MACHINE` is everybody together."""

    at: float
    used_s: Mapping[str, float]


def read_clocks(processes: Mapping[str, int]) -> CpuClocks:
    """The clocks of these processes, by their names; one that has ended is left out."""
    used_s = {MACHINE: _machine_s(_STAT.read_text(encoding="ascii"))}
    for name, pid in processes.items():
        with suppress(OSError):
            used_s[name] = cpu_seconds_of(pid)
    return CpuClocks(time.monotonic(), used_s)


def cores_used(begin: CpuClocks, end: CpuClocks) -> dict[str, float]:
    """How many cores each has kept busy in between, by name: 0.5 is half of one."""
    elapsed_s = end.at - begin.at
    return {
        name: (used_s - begin.used_s[name]) / elapsed_s
        for name, used_s in end.used_s.items()
        if name in begin.used_s and elapsed_s > 0
    }


def _machine_s(stat: str) -> float:
    """What all processors have done since the machine started, but for waiting."""
    # The time of guests is part of `user` and `nice` already.
    fields = [int(each) for each in stat.splitlines()[0].split()[1:]][:_GUEST]
    busy = sum(each for place, each in enumerate(fields) if place not in {_IDLE, _IOWAIT})
    return busy / _TICKS_PER_S
