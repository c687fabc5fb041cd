"""The way of log lines out of the process: nobody waits for their reader."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortexd.observability.log_output import LogOutput

pytestmark = pytest.mark.real_time

LINE = "x" * 99 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading end and the writing end of a pipe with room for a page."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


def _available(reading: int) -> bytes:
    os.set_blocking(reading, False)
    received = b""
    while True:
        try:
            received += os.read(reading, 65536)
        except BlockingIOError:
            return received


def test_a_reader_that_has_stopped_holds_up_nobody(pipe: tuple[int, int]) -> None:
    """What does not fit is kept, in order, and goes out as soon as there is room."""
    reading, writing = pipe
    output = LogOutput(writing)
    lines = [f"{number:099}\n" for number in range(200)]
    for line in lines:
        output.write(line)
    received = b""
    while len(received) < 200 * 100:
        received += _available(reading)
        output.drain()
    output.close()
    assert received.decode() == "".join(lines)


def test_lost_lines_are_counted_and_told(pipe: tuple[int, int]) -> None:
    """Beyond the backlog lines are lost whole, and a line says how many."""
    reading, writing = pipe
    output = LogOutput(writing, backlog_bytes_max=1000)
    for _ in range(100):
        output.write(LINE)
    received = _available(reading)
    output.drain()
    received += _available(reading)
    output.write("the next\n")
    received += _available(reading)
    output.close()
    *lines, last, told = received.decode().splitlines(keepends=True)
    if "lost" in last:
        last, told = told, last
    assert last == "the next\n"
    assert set(lines) == {LINE}
    assert json.loads(told)["lost"] == 100 - len(lines)


def test_the_descriptor_keeps_its_mode(pipe: tuple[int, int]) -> None:
    """Others may share it, and expect it to wait."""
    _, writing = pipe
    output = LogOutput(writing)
    output.write(LINE)
    output.close()
    assert os.get_blocking(writing)


def test_a_reader_that_has_gone_is_no_reason_to_end() -> None:
    """Not for a pipe, nor for a socket."""
    reading, writing = os.pipe()
    output = LogOutput(writing)
    os.close(reading)
    output.write(LINE)
    output.close()
    os.close(writing)
    ours, theirs = socket.socketpair()
    output = LogOutput(ours.fileno())
    theirs.close()
    output.write(LINE)
    output.close()
    ours.close()


def test_a_socket_that_is_full_holds_up_nobody() -> None:
    """As that of a journal that stands still."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        output = LogOutput(ours.fileno())
        for _ in range(10_000):
            output.write(LINE)
        theirs.setblocking(False)
        assert theirs.recv(100) == LINE.encode()
        assert ours.getblocking()
        theirs.close()
        output.close()


def test_a_file_is_written_in_its_place(tmp_path: Path) -> None:
    """What others write there through the same descriptor stays whole."""
    with (tmp_path / "log").open("wb") as file:
        output = LogOutput(file.fileno())
        output.write("ours\n")
        os.write(file.fileno(), b"theirs\n")
        output.write("ours again \ud800\n")
    assert (tmp_path / "log").read_bytes() == b"ours\ntheirs\nours again \\ud800\n"
