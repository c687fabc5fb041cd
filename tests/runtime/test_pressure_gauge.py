"""What the process uses, and what it may use."""

import errno
import os
import resource
from pathlib import Path
from typing import NoReturn

import pytest
import trio
from trio.testing import MockClock

from cortexd.policy.degradation_settings import DegradationSettings
from cortexd.runtime import pressure
from cortexd.runtime.loop_lag import LoopLag
from cortexd.runtime.pressure import FRESH_S, PressureGauge, descriptors, memory_limit_bytes

MIB = 1024 * 1024


def _gauge(in_flight: int = 0, **settings: int) -> PressureGauge:
    return PressureGauge(
        DegradationSettings(**settings),  # type: ignore[arg-type]  # all of them are whole numbers
        LoopLag(),
        lambda: in_flight,
        connections_max=120,
    )


async def test_shares_of_what_the_process_may_have() -> None:
    """Memory by the setting, files by the kernel, requests by the setting."""
    told = _gauge(30, memory_bytes_max=1000 * MIB, in_flight_max=60).pressure()
    assert 0.01 < told.memory < 1.0
    assert 0.0 < told.descriptors < 1.0
    assert (told.in_flight, told.loop_lag) == (0.5, 0.0)
    assert _gauge(30).pressure().in_flight == 0.25


async def test_a_reading_is_good_for_a_second(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probes may ask as often as they like."""
    reads: list[float] = []

    def read() -> tuple[int, int]:
        reads.append(trio.current_time())
        return 1, 2

    monkeypatch.setattr(pressure, "descriptors", read)
    gauge = _gauge()
    for _ in range(35):
        gauge.pressure()
        await trio.sleep(0.1)
    assert reads == [pytest.approx(each * FRESH_S, abs=0.11) for each in range(4)]


def test_open_files_are_counted() -> None:
    """One more is one more."""
    before, most = descriptors()
    opened = os.open("/dev/null", os.O_RDONLY)
    try:
        assert descriptors() == (before + 1, most)
    finally:
        os.close(opened)
    assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_where_no_file_can_be_opened_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a kernel that does not tell their number; memory is what it was."""

    class Unreadable:
        """A folder without a size, which cannot be opened either."""

        def stat(self) -> os.stat_result:
            """Give no size."""
            return os.stat_result([0] * 10)

        def iterdir(self) -> NoReturn:
            """Fail."""
            raise OSError(errno.EMFILE, "too many open files")

        def read_text(self, encoding: str) -> NoReturn:
            """Fail."""
            raise OSError(errno.EMFILE, encoding)

    monkeypatch.setattr(pressure, "_DESCRIPTORS", Unreadable())
    monkeypatch.setattr(pressure, "_STATM", Unreadable())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert descriptors() == (most, most)
    assert pressure._memory_bytes(12345) == 12345


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/a/b\n", {"a/memory.max": "1048576", "a/b/memory.max": "max"}, 1048576),
        ("0::/a/b\n", {"a/memory.max": "4096", "a/b/memory.max": "2048"}, 2048),
        ("0::/\n", {"memory.max": "8192"}, 8192),
        ("3:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "16384"}, 16384),
        ("0::/gone\n1:cpu:/a\n", {}, None),
    ],
)
def test_the_narrowest_control_group_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    limits: dict[str, str],
    expected: int | None,
) -> None:
    """Version 2 and version 1, its own and those above; or else the machine."""
    for name, text in limits.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n", encoding="ascii")
    groups = tmp_path / "cgroup"
    groups.write_text(own, encoding="ascii")
    monkeypatch.setattr(pressure, "_CGROUPS", tmp_path)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory_limit_bytes(groups) == (expected or machine)
