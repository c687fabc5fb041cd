"""Reads how much of its memory, files and time the node uses. Linux: proc(5), cgroups(7).

Cheap enough for every probe: what costs a system call is read once a second at most.
"""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.policy.pressure import Pressure
from cortexd.runtime.loop_lag import LoopLag

FRESH_S: Final = 1.0
"""For so long a reading is good; half of the time in which a node must notice that it is well."""

_STATM: Final = Path("/proc/self/statm")
_DESCRIPTORS: Final = Path("/proc/self/fd")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE})


@attrs.frozen(kw_only=True)
class Resources:
    """What the process uses, and what it may use."""

    memory_bytes: int
    memory_bytes_max: int
    descriptors: int
    descriptors_max: int


class PressureGauge:
    """Makes a `Pressure` out of what the process uses. `in_flight`: requests, now.

    `connections_max`: as many requests as that can be in flight, where the settings do not say.
    """

    def __init__(
        self,
        settings: DegradationSettings,
        lag: LoopLag,
        in_flight: Callable[[], int],
        *,
        connections_max: int,
    ) -> None:
        self._settings = settings
        self._lag = lag
        self._in_flight = in_flight
        self._in_flight_max = settings.in_flight_max or connections_max
        self._memory_bytes_max = settings.memory_bytes_max or memory_limit_bytes()
        self._read_at = -FRESH_S
        self._resources: Resources | None = None

    def pressure(self) -> Pressure:
        """How hard the node is pressed, at most FRESH_S ago."""
        used = self.resources()
        return Pressure(
            memory=used.memory_bytes / used.memory_bytes_max,
            descriptors=used.descriptors / used.descriptors_max,
            loop_lag=self._lag.mean_s() / self._settings.loop_lag_seconds_max,
            in_flight=self._in_flight() / self._in_flight_max,
            worst_lag_s=self._lag.worst_s(),
        )

    def document(self) -> dict[str, Any]:
        """The same for operators."""
        used = self.resources()
        return {
            **attrs.asdict(used),
            "in_flight": self._in_flight(),
            "in_flight_max": self._in_flight_max,
            "loop_lag_ms": round(1000.0 * self._lag.mean_s(), 3),
            "loop_lag_worst_ms": round(1000.0 * self._lag.worst_s(), 3),
        }

    def resources(self) -> Resources:
        """Memory and files, at most FRESH_S ago."""
        now = trio.current_time()
        if self._resources is None or now - self._read_at >= FRESH_S:
            before = 0 if self._resources is None else self._resources.memory_bytes
            used, most = descriptors()
            self._resources = Resources(
                memory_bytes=_memory_bytes(before),
                memory_bytes_max=self._memory_bytes_max,
                descriptors=used,
                descriptors_max=most,
            )
            self._read_at = now
        return self._resources


def _memory_bytes(before: int) -> int:
    """The resident set; what it was `before` where not even this file can be opened."""
    try:
        # The second field is in pages (proc(5)).
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return before


def descriptors() -> tuple[int, int]:
    """How many files the process has open, and how many it may have."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Since Linux 6.2 the folder's size is their number; it is 0 before that.
    count = _DESCRIPTORS.stat().st_size
    if not count:
        try:
            count = sum(1 for _ in _DESCRIPTORS.iterdir()) - 1
        except OSError as error:
            if error.errno not in _FULL:
                raise
            count = most
    return count, max(1, most)


def memory_limit_bytes(own: Path = Path("/proc/self/cgroup")) -> int:
    """What the narrowest of its control groups lets the process have, or else the machine."""
    limits = [os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES, *_group_limits(own)]
    return min(limits)


def _group_limits(own: Path) -> Iterator[int]:
    with suppress(OSError):
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                yield from _limits_up(_CGROUPS, path, "memory.max")
            elif "memory" in controllers.split(","):
                yield from _limits_up(_CGROUPS / "memory", path, "memory.limit_in_bytes")


def _limits_up(mount: Path, path: str, name: str) -> Iterator[int]:
    """The limits of a group and of those that it is in."""
    group = mount / path.lstrip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # "max" is no limit, and a group may not be visible
            yield int((folder / name).read_text(encoding="ascii"))
        if folder == mount:
            break
