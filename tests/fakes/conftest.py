"""The fakes and their own providers' clients, for the proof that the fakes are faithful."""

import base64
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fakes.dialect import Dialect
from tests.fakes.provider import FakeProvider, running


@pytest.fixture
def start_fake() -> Iterator[Callable[[Dialect], FakeProvider]]:
    """Start fakes that end with the test."""
    with ExitStack() as stack:
        yield lambda dialect: stack.enter_context(running(dialect))


@pytest.fixture
def png() -> bytes:
    """A picture of one black dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + pixels + chunk(b"IEND", b"")


@pytest.fixture
def png_base64(png: bytes) -> str:
    """The same in base64."""
    return base64.b64encode(png).decode()


@pytest.fixture
def sampling() -> dict[str, Any]:
    """What most providers have under these names, and the neutral words have, too."""
    return {
        "temperature": 0.5,
        "seed": 4,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
    }


@pytest.fixture
def weather_schema() -> dict[str, object]:
    """What the weather tool takes."""
    return {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Where"}},
        "required": ["city"],
    }
